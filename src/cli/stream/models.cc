// SPDX-License-Identifier: Apache-2.0
#include "cli/support/models.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/stream/verbs.h"
#include "core/files.h"
#include "edge/streams/inference/model_file.h"
#include "edge/streams/stages/infer.h"
#include "model/formats/bundle/bundle.h"
#include "runtime/backends/backend.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

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

Result<std::shared_ptr<edge::LoadedModel>> load_bundle(const StreamModels& options) {
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

Result<std::shared_ptr<edge::LoadedModel>> load_onnx(const StreamModels& options) {
  MORU_ASSIGN_OR_RETURN(const auto bytes, backend_bytes(options.onnx));
  auto loaded = std::make_shared<edge::LoadedModel>();
  loaded->card.name = Path(options.onnx).stem().string();
  loaded->card.activation = options.activation;
  MORU_ASSIGN_OR_RETURN(loaded->session, runtime::load_session(options.backend, bytes));
  return loaded;
}

}  // namespace

void StreamModels::add_to(CLI::App& command) {
  command.add_option("--model", bundle, "A bundle (.moru) for the stages that need a model");
  command.add_option("--key", key, "The public key (PEM) that must have signed the bundle");
  command.add_option("--onnx", onnx, "An ONNX model instead of a bundle");
  command.add_option("--activation", activation, "With --onnx: softmax when the model gives logits, none when it gives probabilities")
      ->check(CLI::IsMember({"softmax", "none"}))
      ->capture_default_str();
  command.add_option("--backend", backend, "What runs the model")->capture_default_str();
}

Status StreamModels::load(const edge::StreamSpec& spec, const std::string& file, edge::StageContext& context) const {
  const auto slots = slots_of(spec);
  if (slots.empty()) return {};
  if (bundle.empty() == onnx.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a stage that needs a model, expected either --model BUNDLE --key PEM "
                                                         "or --onnx MODEL, or a file in the stage's own option: model: FILE.onnx",
                                                         file));
  }
  for (const auto& name : slots) {
    auto slot = std::make_shared<edge::ModelSlot>();
    MORU_ASSIGN_OR_RETURN(auto loaded, bundle.empty() ? load_onnx(*this) : load_bundle(*this));
    slot->swap(std::move(loaded));
    context.resources["model/" + name] = std::move(slot);
  }
  return {};
}

}  // namespace moru::cli
