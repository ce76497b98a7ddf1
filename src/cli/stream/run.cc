// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "cli/noun.h"
#include "cli/stream/verbs.h"
#include "cli/support/models.h"
#include "core/files.h"
#include "core/json.h"
#include "core/process.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stages/infer.h"
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
  std::string state;
  std::string folder;
  Format format = Format::kText;
};

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
        fmt::format("{}: found a stage that needs a model, expected either --model BUNDLE --key PEM or --onnx MODEL", options.stream.file));
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

Outcome run_stream(const Options& options) {
  MORU_ASSIGN_OR_RETURN(auto spec, options.stream.read());
  const std::string name = spec.name;
  edge::StageContext context{.clock = &system_clock(), .resources = {}, .stream = name, .stop = {}};
  std::optional<TempFolder> scratch;
  MORU_RETURN_IF_ERROR(add_models(options, spec, context));
  MORU_RETURN_IF_ERROR(add_outbox(options, spec, scratch, context));
  context.state = options.folder;
  const auto outbox = context.resource<edge::Outbox>("outbox");
  const TimeNs started = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(const auto stream, edge::Stream::start(spec, std::move(context)));
  if (options.items > 0) stream->drain_at(options.items);
  const auto report = [&] {
    const double seconds = static_cast<double>(system_clock().steady_now() - started) / static_cast<double>(kSecond);
    auto state = stream->state();
    if (outbox) state.ledger.push_back(outbox->ledger());
    return stream_report(name, state, seconds);
  };
  {
    Progress progress(name, options.items);
    TimeNs written = 0;
    while (!stream->finished() && !wait_for_stop(20 * kMillisecond)) {
      const auto state = stream->state();
      progress.update(state.items, state.state);
      if (options.state.empty() || system_clock().steady_now() - written < kSecond) continue;
      written = system_clock().steady_now();
      MORU_RETURN_IF_ERROR(write_file_atomic(options.state, report().dump()));
    }
  }
  stream->stop();
  const Json last = report();
  if (!options.state.empty()) MORU_RETURN_IF_ERROR(write_file_atomic(options.state, last.dump()));
  if (options.format == Format::kJson) {
    print_json(last);
  } else {
    print_text(stream_report_text(last));
  }
  if (stream->state().state.starts_with("failed")) return kFailed;
  return stop_requested() ? kInterrupted : kDone;
}

}  // namespace

void add_stream_run(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* run_command = app.add_subcommand("run", "Run a stream in this process until its source ends or Ctrl-C");
  options.stream.add_to(*run_command);
  add_format_option(*run_command, &options.format);
  run_command->add_option("--model", options.bundle, "A bundle (.moru) for the stages that need a model");
  run_command->add_option("--key", options.key, "The public key (PEM) that must have signed the bundle");
  run_command->add_option("--onnx", options.onnx, "An ONNX model instead of a bundle");
  run_command
      ->add_option("--activation", options.activation, "With --onnx: softmax when the model gives logits, none when it gives probabilities")
      ->check(CLI::IsMember({"softmax", "none"}))
      ->capture_default_str();
  run_command->add_option("--backend", options.backend, "What runs the model")->capture_default_str();
  run_command->add_option("--outbox", options.outbox, "Folder of the outbox for the stage 'hub'; without it a temporary one");
  run_command->add_option("--folder", options.folder, "Folder for what is to outlive the run: queues that go on on disk");
  run_command->add_option("--items", options.items, "Ends after so many items");
  run_command->add_option("--state", options.state,
                          "Writes the state and the ledger to this file each second and at the end, for `moru stream ledger`");
  run_command->footer("Example:\n  moru stream run line.yaml --model line.moru --key release.pub.pem --items 1000");
  run_command->callback([run] { *run = [] { return run_stream(options); }; });
}

}  // namespace moru::cli
