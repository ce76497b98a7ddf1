// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "cli/noun.h"
#include "cli/stream/verbs.h"
#include "core/files.h"
#include "core/json.h"
#include "core/log.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/streams/observation.h"
#include "edge/streams/outbox.h"
#include "edge/streams/tape_deck.h"

namespace moru::cli {
namespace {

struct Options {
  StreamFile stream;
  StreamModels models;
  std::string outbox;
  std::uint64_t items = 0;
  bool watch = false;
  edge::ObservationOptions seen;
  std::string dead_letters;
  std::string log = "text";
  std::string record_to;
  std::int64_t max_mb = 1024;
  std::string replay_from;
  std::string speed = "max";
  Format format = Format::kText;
};

/// An outbox for the hub stage, when there is one. Without --outbox it is in `scratch` and gone at the end.
Status add_outbox(const Options& options, const edge::StreamSpec& spec, std::optional<TempFolder>& scratch, edge::StageContext& context) {
  if (std::ranges::none_of(spec.stages, [](const auto& entry) { return entry.stage == "hub"; })) return {};
  Path folder = options.outbox;
  if (folder.empty()) {
    MORU_ASSIGN_OR_RETURN(auto temporary, TempFolder::create("moru-stream"));
    scratch.emplace(std::move(temporary));
    folder = scratch->path();
  }
  MORU_ASSIGN_OR_RETURN(context.resources["outbox"], edge::Outbox::open(folder, spec.name));
  return {};
}

/// "10" as 10, "max" as 0.
Result<double> read_speed(const std::string& text) {
  if (text == "max") return 0.0;
  double speed = 0.0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, speed);
  if (read.ec == std::errc() && read.ptr == end && speed > 0.0 && speed <= 1e6) return speed;
  return fail(ErrorCode::kInvalidArgument, fmt::format("--speed: found {}, expected a number above 0, or max", in_quotes(text)));
}

/// What is recorded, or where the sources' items come from instead.
Result<edge::TapeDeck> open_tape(const Options& options, const edge::StreamSpec& spec) {
  if (!options.record_to.empty())
    return edge::TapeDeck::to_record(spec, options.record_to, static_cast<std::uint64_t>(options.max_mb) * 1'000'000, system_clock());
  if (options.replay_from.empty()) return edge::TapeDeck();
  MORU_ASSIGN_OR_RETURN(const double speed, read_speed(options.speed));
  return edge::TapeDeck::to_replay(spec, options.replay_from, speed, system_clock());
}

/// A recording is durable when it is closed; where one broke off is said.
Status close_tape(const Options& options, edge::TapeWriter* writer, const edge::TapeReader* reader) {
  if (reader != nullptr && reader->torn_bytes() > 0) {
    say(fmt::format("recording '{}': its last {} are no whole record and were left out; it was not closed", options.replay_from,
                    human_bytes(reader->torn_bytes())));
  }
  return writer == nullptr ? Status() : writer->close();
}

/// The stream as its file stood, and what belongs to it.
class Running {
 public:
  static Result<std::unique_ptr<Running>> start(const Options& options, const edge::StreamSpec& spec, std::optional<TempFolder>& scratch);
  const edge::Stream& stream() const { return *stream_; }
  edge::Stream& stream() { return *stream_; }
  const edge::Observation& seen() const { return *seen_; }
  /// Lets what is in flight pass; what is known of it then.
  Json stop();
  /// Writes down what it came to. After stop().
  Status close(const Options& options);

 private:
  std::shared_ptr<edge::Outbox> outbox_;
  std::shared_ptr<edge::TapeWriter> writer_;
  std::shared_ptr<edge::TapeReader> reader_;
  std::unique_ptr<edge::Observation> seen_;
  std::unique_ptr<edge::Stream> stream_;
};

Result<std::unique_ptr<Running>> Running::start(const Options& options, const edge::StreamSpec& spec, std::optional<TempFolder>& scratch) {
  auto running = std::make_unique<Running>();
  edge::StageContext context{.clock = &system_clock(), .resources = {}, .stream = spec.name, .stop = {}};
  MORU_RETURN_IF_ERROR(options.models.load(spec, options.stream.file, context));
  MORU_RETURN_IF_ERROR(add_outbox(options, spec, scratch, context));
  context.state = options.seen.state;
  running->outbox_ = context.resource<edge::Outbox>("outbox");
  MORU_ASSIGN_OR_RETURN(running->seen_, edge::Observation::prepare(options.seen, spec.name, system_clock()));
  if (running->seen_->watch()) context.resources["watch"] = running->seen_->watch();
  MORU_ASSIGN_OR_RETURN(auto tape, open_tape(options, spec));
  running->writer_ = tape.writer;
  running->reader_ = tape.reader;
  MORU_ASSIGN_OR_RETURN(running->stream_, edge::Stream::start(spec, std::move(context), std::move(tape)));
  MORU_RETURN_IF_ERROR(running->seen_->begin(*running->stream_, [stream = running->stream_.get(), outbox = running->outbox_] {
    auto state = stream->state();
    if (outbox) state.ledger.push_back(outbox->ledger());
    return state;
  }));
  return running;
}

Json Running::stop() {
  stream_->stop();
  return seen_->report();
}

Status Running::close(const Options& options) {
  const Status written = seen_->write_state();
  seen_->end();
  MORU_RETURN_IF_ERROR(written);
  return close_tape(options, writer_.get(), reader_.get());
}

/// Until the stream has ended, or somebody asks to stop, or the file says otherwise: then what it says. The state folder is kept up to
/// date.
std::optional<edge::StreamSpec> wait_for_end(const Options& options, const Running& running, const std::string& name,
                                             StreamFileWatch* watch) {
  const edge::Stream& stream = running.stream();
  Progress progress(name, options.items);
  TimeNs written = 0;
  bool behind = false;
  while (!stream.finished() && !wait_for_stop(20 * kMillisecond)) {
    const auto state = stream.state();
    progress.update(state.items, state.state);
    if (watch != nullptr) {
      if (auto next = watch->changed(name)) return next;
    }
    if (system_clock().steady_now() - written < kSecond) continue;
    written = system_clock().steady_now();
    const Status kept = running.seen().write_state();
    // A full disk, say: who looks at the folder sees old counts, which is no reason to stop.
    if (!kept && !std::exchange(behind, true))
      MORU_LOG(kWarn, "state not written, the stream goes on", "stream", name, "error", kept.error().message);
    if (kept) behind = false;
  }
  return std::nullopt;
}

/// The stream as its file says now, in place of one that has stopped; where it cannot be started, that one again.
Result<std::unique_ptr<Running>> replace(const Options& options, edge::StreamSpec& spec, edge::StreamSpec next,
                                         std::optional<TempFolder>& scratch) {
  auto running = Running::start(options, next, scratch);
  if (running) {
    MORU_LOG(kInfo, "stream runs as its file says now", "stream", spec.name, "file", options.stream.file);
    spec = std::move(next);
    return running;
  }
  MORU_LOG(kError, "stream cannot run as its file says now and goes on as before", "stream", spec.name, "error", running.error().message);
  return Running::start(options, spec, scratch);
}

Outcome finish(const Options& options, Running& running, const Json& last) {
  MORU_RETURN_IF_ERROR(running.close(options));
  if (options.format == Format::kJson) {
    print_json(last);
  } else {
    print_text(stream_report_text(last));
  }
  if (running.stream().state().state.starts_with("failed")) return kFailed;
  return stop_requested() ? kInterrupted : kDone;
}

Outcome run_stream(const Options& options) {
  if (options.log == "json") set_log_sink(json_log_sink());
  std::optional<StreamFileWatch> watch;
  if (options.watch) watch.emplace(options.stream);
  MORU_ASSIGN_OR_RETURN(auto spec, options.stream.read());
  std::optional<TempFolder> scratch;  // keeps what the hub has not got, across streams
  MORU_ASSIGN_OR_RETURN(auto running, Running::start(options, spec, scratch));
  std::uint64_t before = 0;  // items of those that were replaced
  while (true) {
    if (options.items > 0) running->stream().drain_at(options.items - before);
    auto next = wait_for_end(options, *running, spec.name, watch ? &*watch : nullptr);
    const Json last = running->stop();
    before += running->stream().state().items;
    if (!next || (options.items > 0 && before >= options.items)) return finish(options, *running, last);
    MORU_LOG(kInfo, "stream has stopped to be replaced", "stream", spec.name, "report", last.dump());
    if (const Status closed = running->close(options); !closed)
      MORU_LOG(kWarn, "state not written, the stream goes on", "stream", spec.name, "error", closed.error().message);
    running.reset();
    MORU_ASSIGN_OR_RETURN(running, replace(options, spec, std::move(*next), scratch));
  }
}

/// What others see of the stream.
void add_seen(CLI::App& command, Options& options) {
  command.add_option("--dead-letters", options.dead_letters,
                     "Keeps rejected items in this file, in place of what the stream file says; the source 'read_ndjson' reads it");
  command.add_option("--state", options.seen.state,
                     "A folder for the state, written each second and at the end, and a socket: for `moru stream ledger`, `top` and `tap`. "
                     "Queues that go on on disk lie there, too, unless the file says where");
  command.add_option("--metrics", options.seen.metrics, "ADDRESS:PORT at which Prometheus finds /metrics");
  command.add_option("--traces", options.seen.traces,
                     "Where sampled items are sent as OpenTelemetry traces (OTLP, JSON): http://127.0.0.1:4318");
  command.add_option("--trace-ratio", options.seen.trace_ratio, "The share of the items that is sampled")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--trace-ca", options.seen.trace_ca, "Whom to trust there (PEM); without it the machine's list");
  command.add_option("--log", options.log, "How the log is written")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
}

CLI::App* add_verb(CLI::App& app, std::function<Outcome()>* run, Options& options, const char* name, const char* doc) {
  CLI::App* command = app.add_subcommand(name, doc);
  options.stream.add_to(*command);
  add_format_option(*command, &options.format);
  options.models.add_to(*command);
  command->add_option("--outbox", options.outbox, "Folder of the outbox for the stage 'hub'; without it a temporary one");
  add_seen(*command, options);
  command->callback([run, &options] { *run = [&options] { return run_stream(options); }; });
  return command;
}

void add_items(CLI::App& command, Options& options) { command.add_option("--items", options.items, "Ends after so many items"); }

}  // namespace

void add_stream_run(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = add_verb(app, run, options, "run", "Run a stream in this process until its source ends or Ctrl-C");
  add_items(*command, options);
  command->add_flag(
      "--watch", options.watch,
      "Follows the file: when it has changed and holds no mistake, what is in flight passes and the stream goes on as the file "
      "says now; with a mistake, which is told, as before");
  command->footer("Example:\n  moru stream run line.yaml --model line.moru --key release.pub.pem --items 1000");
}

void add_stream_record(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = add_verb(app, run, options, "record", "Run a stream, and record what its sources emit, so that it can be replayed");
  add_items(*command, options);
  command->add_option("--out", options.record_to, "The recording; a new file")->required();
  command->add_option("--max-mb", options.max_mb, "The recording, and with it the stream, ends before it is longer")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->footer("Example:\n  moru stream record line.yaml --out monday.tape\n\nAll stages run on one thread then.");
}

void add_stream_replay(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = add_verb(app, run, options, "replay", "Run a stream on what was recorded: the same comes out, byte for byte");
  command->add_option("--from", options.replay_from, "The recording")->required();
  command->add_option("--speed", options.speed, "1: as it was; 10: ten times; max: as fast as the stages can")->capture_default_str();
  command->footer(
      "Example:\n  moru stream replay line.yaml --from monday.tape\n\nThe sources are not opened. The stages may be others than those of "
      "the recording.");
}

}  // namespace moru::cli
