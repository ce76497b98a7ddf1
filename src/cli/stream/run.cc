// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/noun.h"
#include "cli/stream/verbs.h"
#include "cli/support/models.h"
#include "core/files.h"
#include "core/json.h"
#include "core/log.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/streams/inference/model_file.h"
#include "edge/streams/observation.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stages/infer.h"
#include "edge/streams/tape_deck.h"
#include "model/formats/bundle/bundle.h"
#include "runtime/backends/backend.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

struct Options {
  StreamFile stream;
  std::string bundle;
  std::string key;
  std::string onnx;
  std::string activation = "softmax";
  std::string backend = "onnxruntime";
  std::string outbox;
  std::uint64_t items = 0;
  edge::ObservationOptions seen;
  std::string dead_letters;
  std::string log = "text";
  std::string record_to;
  std::int64_t max_mb = 1024;
  std::string replay_from;
  std::string speed = "max";
  Format format = Format::kText;
};

/// The names of the model slots that stages ask for. A stage with a file of its own needs none.
std::vector<std::string> slots_of(const edge::StreamSpec& spec) {
  std::vector<std::string> names;
  for (const auto& entry : spec.stages) {
    const auto model = entry.options.find("model");
    if (!model || !model->is_scalar() || edge::is_model_file(model->scalar())) continue;
    if (std::ranges::find(names, model->scalar()) == names.end()) names.push_back(model->scalar());
  }
  return names;
}

Result<std::shared_ptr<edge::LoadedModel>> load_bundle(const Options& options) {
  if (options.key.empty())
    return fail(ErrorCode::kInvalidArgument,
                "stream run: found --model without --key, expected the public key (PEM) that signed the bundle");
  MORU_ASSIGN_OR_RETURN(const auto pem, read_file(options.key, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(const auto key, trust::PublicKey::from_pem(pem, options.key));
  MORU_ASSIGN_OR_RETURN(const auto bytes, read_file(options.bundle));
  const auto verify = [&key](std::string_view message, std::string_view signature) { return key.verify(message, signature); };
  MORU_ASSIGN_OR_RETURN(const auto bundle, model::Bundle::open(bytes, verify, options.bundle));
  MORU_ASSIGN_OR_RETURN(const auto file, bundle.select(model::machine_targets()));
  auto loaded = std::make_shared<edge::LoadedModel>();
  loaded->release = bundle.header().version;
  MORU_ASSIGN_OR_RETURN(loaded->card, model::read_card(bundle.header().card, options.bundle));
  MORU_ASSIGN_OR_RETURN(loaded->session, runtime::load_session(options.backend, bundle.contents(file)));
  return loaded;
}

Result<std::shared_ptr<edge::LoadedModel>> load_onnx(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const auto bytes, backend_bytes(options.onnx));
  auto loaded = std::make_shared<edge::LoadedModel>();
  loaded->card.name = Path(options.onnx).stem().string();
  loaded->card.activation = options.activation;
  MORU_ASSIGN_OR_RETURN(loaded->session, runtime::load_session(options.backend, bytes));
  return loaded;
}

/// Each slot has a session of its own: two stages run at the same time.
Status add_models(const Options& options, const edge::StreamSpec& spec, edge::StageContext& context) {
  const auto slots = slots_of(spec);
  if (slots.empty()) return {};
  if (options.bundle.empty() == options.onnx.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a stage that needs a model, expected either --model BUNDLE --key PEM "
                                                         "or --onnx MODEL, or a file in the stage's own option: model: FILE.onnx",
                                                         options.stream.file));
  }
  for (const auto& name : slots) {
    auto slot = std::make_shared<edge::ModelSlot>();
    MORU_ASSIGN_OR_RETURN(auto loaded, options.bundle.empty() ? load_onnx(options) : load_bundle(options));
    slot->swap(std::move(loaded));
    context.resources["model/" + name] = std::move(slot);
  }
  return {};
}

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

/// Until the stream has ended, or somebody asks to stop; the state folder is kept up to date.
Status wait_for_end(const Options& options, const edge::Stream& stream, const edge::Observation& seen, const std::string& name) {
  Progress progress(name, options.items);
  TimeNs written = 0;
  while (!stream.finished() && !wait_for_stop(20 * kMillisecond)) {
    const auto state = stream.state();
    progress.update(state.items, state.state);
    if (system_clock().steady_now() - written < kSecond) continue;
    written = system_clock().steady_now();
    MORU_RETURN_IF_ERROR(seen.write_state());
  }
  return {};
}

Outcome run_stream(const Options& options) {
  if (options.log == "json") set_log_sink(json_log_sink());
  MORU_ASSIGN_OR_RETURN(auto spec, options.stream.read());
  const std::string name = spec.name;
  edge::StageContext context{.clock = &system_clock(), .resources = {}, .stream = name, .stop = {}};
  std::optional<TempFolder> scratch;
  MORU_RETURN_IF_ERROR(add_models(options, spec, context));
  MORU_RETURN_IF_ERROR(add_outbox(options, spec, scratch, context));
  context.state = options.seen.state;
  const auto outbox = context.resource<edge::Outbox>("outbox");
  MORU_ASSIGN_OR_RETURN(const auto seen, edge::Observation::prepare(options.seen, name, system_clock()));
  if (seen->watch()) context.resources["watch"] = seen->watch();
  MORU_ASSIGN_OR_RETURN(auto tape, open_tape(options, spec));
  const auto writer = tape.writer;
  const auto reader = tape.reader;
  MORU_ASSIGN_OR_RETURN(const auto stream, edge::Stream::start(spec, std::move(context), std::move(tape)));
  MORU_RETURN_IF_ERROR(seen->begin(*stream, [&] {
    auto state = stream->state();
    if (outbox) state.ledger.push_back(outbox->ledger());
    return state;
  }));
  if (options.items > 0) stream->drain_at(options.items);
  const Status waited = wait_for_end(options, *stream, *seen, name);
  stream->stop();
  const Json last = seen->report();
  const Status written = seen->write_state();
  seen->end();
  MORU_RETURN_IF_ERROR(waited);
  MORU_RETURN_IF_ERROR(written);
  MORU_RETURN_IF_ERROR(close_tape(options, writer.get(), reader.get()));
  if (options.format == Format::kJson) {
    print_json(last);
  } else {
    print_text(stream_report_text(last));
  }
  if (stream->state().state.starts_with("failed")) return kFailed;
  return stop_requested() ? kInterrupted : kDone;
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
  command->add_option("--model", options.bundle, "A bundle (.moru) for the stages that need a model");
  command->add_option("--key", options.key, "The public key (PEM) that must have signed the bundle");
  command->add_option("--onnx", options.onnx, "An ONNX model instead of a bundle");
  command
      ->add_option("--activation", options.activation, "With --onnx: softmax when the model gives logits, none when it gives probabilities")
      ->check(CLI::IsMember({"softmax", "none"}))
      ->capture_default_str();
  command->add_option("--backend", options.backend, "What runs the model")->capture_default_str();
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
