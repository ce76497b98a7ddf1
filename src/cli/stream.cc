// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>

#include "cli/noun.h"
#include "cli/support/models.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stages/infer.h"
#include "model/formats/bundle/bundle.h"
#include "runtime/backends/backend.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> values;
  std::string bundle;
  std::string key;
  std::string onnx;
  std::string activation = "softmax";
  std::string backend = "onnxruntime";
  std::string outbox;
  std::uint64_t items = 0;
  Format format = Format::kText;
};

Result<edge::StreamSpec> read_spec(const Options& options) {
  std::map<std::string, std::string> values;
  for (const auto& value : options.values) {
    const auto equals = value.find('=');
    if (equals == 0 || equals == std::string::npos)
      return fail(ErrorCode::kInvalidArgument, fmt::format("--set: found '{}', expected NAME=VALUE", value));
    values[value.substr(0, equals)] = value.substr(equals + 1);
  }
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(options.file, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(const auto filled, edge::fill_parameters(text, values, options.file));
  MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(filled, options.file));
  return edge::read_stream(document);
}

Outcome check(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const auto spec, read_spec(options));
  if (options.format == Format::kText) {
    print_text(fmt::format("{}: stream '{}' with {} stages is in order\n", options.file, spec.name, spec.stages.size()));
    return kDone;
  }
  Json stages = Json::array();
  for (const auto& entry : spec.stages) stages.push_back({{"name", entry.name}, {"stage", entry.stage}, {"inputs", entry.inputs}});
  print_json({{"file", options.file}, {"stream", spec.name}, {"stages", stages}});
  return kDone;
}

/// The names of the model slots that stages ask for.
std::vector<std::string> slots_of(const edge::StreamSpec& spec) {
  std::vector<std::string> names;
  for (const auto& entry : spec.stages) {
    const auto model = entry.options.find("model");
    if (model && model->is_scalar() && std::ranges::find(names, model->scalar()) == names.end()) names.push_back(model->scalar());
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
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: found a stage that needs a model, expected either --model BUNDLE --key PEM or --onnx MODEL", options.file));
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

Json counts_json(const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  Json object = Json::object();
  for (const auto& [reason, count] : counts) object[reason] = count;
  return object;
}

Json state_json(std::string_view name, const edge::StreamState& state, double seconds) {
  Json ledger = Json::array();
  for (const auto& link : state.ledger) {
    ledger.push_back({{"link", link.link},
                      {"in", link.in},
                      {"out", link.out},
                      {"in_flight", link.in_flight},
                      {"stored", link.stored},
                      {"dropped", counts_json(link.dropped)}});
  }
  Json stages = Json::array();
  for (const auto& stage : state.stages) {
    stages.push_back(
        {{"name", stage.name}, {"consumed", stage.consumed}, {"emitted", stage.emitted}, {"dropped", counts_json(stage.dropped)}});
  }
  return {{"stream", name},
          {"state", state.state},
          {"items", state.items},
          {"missed", state.missed},
          {"seconds", seconds},
          {"latency_p50_us", static_cast<double>(state.latency_p50_ns) / 1e3},
          {"latency_p99_us", static_cast<double>(state.latency_p99_ns) / 1e3},
          {"ledger", ledger},
          {"stages", stages},
          {"last_error", state.last_error}};
}

std::string counts_text(const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  std::string text;
  for (const auto& [reason, count] : counts) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", count, reason);
  return text.empty() ? "0" : text;
}

std::string state_text(std::string_view name, const edge::StreamState& state, double seconds) {
  std::string text = fmt::format("stream {}: {}\n", name, state.state);
  text += fmt::format("items    {} in {:.1f} s, {} missed\n", state.items, seconds, state.missed);
  text += fmt::format("latency  p50 {}, p99 {}\n\n", human_duration_ns(state.latency_p50_ns), human_duration_ns(state.latency_p99_ns));
  text += fmt::format("{:<24}{:>10}{:>10}{:>10}{:>10}  dropped\n", "link", "in", "out", "in flight", "stored");
  for (const auto& link : state.ledger) {
    text += fmt::format("{:<24}{:>10}{:>10}{:>10}{:>10}  {}\n", link.link, link.in, link.out, link.in_flight, link.stored,
                        counts_text(link.dropped));
  }
  text += fmt::format("\n{:<24}{:>10}{:>10}  dropped\n", "stage", "consumed", "emitted");
  for (const auto& stage : state.stages)
    text += fmt::format("{:<24}{:>10}{:>10}  {}\n", stage.name, stage.consumed, stage.emitted, counts_text(stage.dropped));
  if (!state.last_error.empty()) text += fmt::format("\nlast error: {}\n", state.last_error);
  return text;
}

Outcome run_stream(const Options& options) {
  MORU_ASSIGN_OR_RETURN(auto spec, read_spec(options));
  const std::string name = spec.name;
  edge::StageContext context{.clock = &system_clock(), .resources = {}, .stream = name, .stop = {}};
  std::optional<TempFolder> scratch;
  MORU_RETURN_IF_ERROR(add_models(options, spec, context));
  MORU_RETURN_IF_ERROR(add_outbox(options, spec, scratch, context));
  const auto outbox = context.resource<edge::Outbox>("outbox");
  const TimeNs started = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(const auto stream, edge::Stream::start(std::move(spec), std::move(context)));
  if (options.items > 0) stream->drain_at(options.items);
  {
    Progress progress(name, options.items);
    while (!stream->finished() && !wait_for_stop(20 * kMillisecond)) {
      const auto state = stream->state();
      progress.update(state.items, state.state);
    }
  }
  stream->stop();
  const double seconds = static_cast<double>(system_clock().steady_now() - started) / static_cast<double>(kSecond);
  auto state = stream->state();
  if (outbox) state.ledger.push_back(outbox->ledger());
  if (options.format == Format::kJson) {
    print_json(state_json(name, state, seconds));
  } else {
    print_text(state_text(name, state, seconds));
  }
  if (state.state.starts_with("failed")) return kFailed;
  return stop_requested() ? kInterrupted : kDone;
}

void add_file(CLI::App& command, Options& options) {
  command.add_option("file", options.file, "A stream file (kind: Stream)")->required();
  command.add_option("--set", options.values, "NAME=VALUE: puts VALUE where the file has ${NAME}; may be repeated")
      ->allow_extra_args(false);
  add_format_option(command, &options.format);
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.require_subcommand(1);
  CLI::App* check_command = app.add_subcommand("check", "Find every mistake in a stream file");
  add_file(*check_command, options);
  check_command->footer("Example:\n  moru stream check line.yaml");
  check_command->callback([run] { *run = [] { return check(options); }; });

  CLI::App* run_command = app.add_subcommand("run", "Run a stream in this process until its source ends or Ctrl-C");
  add_file(*run_command, options);
  run_command->add_option("--model", options.bundle, "A bundle (.moru) for the stages that need a model");
  run_command->add_option("--key", options.key, "The public key (PEM) that must have signed the bundle");
  run_command->add_option("--onnx", options.onnx, "An ONNX model instead of a bundle");
  run_command
      ->add_option("--activation", options.activation, "With --onnx: softmax when the model gives logits, none when it gives probabilities")
      ->check(CLI::IsMember({"softmax", "none"}))
      ->capture_default_str();
  run_command->add_option("--backend", options.backend, "What runs the model")->capture_default_str();
  run_command->add_option("--outbox", options.outbox, "Folder of the outbox for the stage 'hub'; without it a temporary one");
  run_command->add_option("--items", options.items, "Ends after so many items");
  run_command->footer("Example:\n  moru stream run line.yaml --model line.moru --key release.pub.pem --items 1000");
  run_command->callback([run] { *run = [] { return run_stream(options); }; });
}

}  // namespace

extern const NounSpec kNoun_stream;
const NounSpec kNoun_stream{.name = "stream", .doc = "Check a stream file, or run it here", .add = add};

}  // namespace moru::cli
