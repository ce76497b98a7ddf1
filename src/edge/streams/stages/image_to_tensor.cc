// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "edge/streams/stages/infer.h"
#include "edge/streams/stages/normalise.h"

namespace moru::edge {
namespace {

struct TensorOptions {
  std::string input = "image";
  std::string output = "tensor";
  std::string model;
  Normalisation fixed;
  std::string where;
};

class ImageToTensor final : public Stage {
 public:
  explicit ImageToTensor(TensorOptions options) : options_(std::move(options)) { use(options_.fixed); }

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_ASSIGN_OR_RETURN(const FieldSpec* image, inputs[0].need(options_.where, options_.input, FieldType::kTensor));
    const bool known = image != nullptr && image->dims.has_value();
    if ((known && image->dims->size() != 2) || (image != nullptr && image->dtype && *image->dtype != model::DType::kUInt8)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}' of type {}, expected tensor uint8 [H, W]", options_.where,
                                                           options_.input, to_string(*image)));
    }
    Schema schema = inputs[0];
    const std::int64_t height = known ? (*image->dims)[0] : -1;
    const std::int64_t width = known ? (*image->dims)[1] : -1;
    schema.set({.name = options_.output,
                .type = FieldType::kTensor,
                .dtype = model::DType::kFloat32,
                .dims = std::vector<std::int64_t>{1, 1, height, width}});
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext& context) override {
    stop_ = context.stop;
    if (options_.model.empty()) return {};
    slot_ = context.resource<ModelSlot>("model/" + options_.model);
    if (!slot_) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("image_to_tensor: found no model slot '{}' in this process, expected one; give it a model of that name",
                              options_.model));
    }
    return {};
  }

  Status prepare() override { return follow_card(); }

  Status process(Item&& item, Output& output) override {
    MORU_RETURN_IF_ERROR(follow_card());
    const auto* image = item.get<model::Tensor>(options_.input);
    if (image == nullptr || image->dtype() != model::DType::kUInt8 || image->rank() != 2) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("image_to_tensor: found {} in field '{}', expected a uint8 tensor [H, W]",
                              image == nullptr ? "no tensor"
                                               : fmt::format("{} {}", model::to_string(image->dtype()), model::to_string(image->dims())),
                              options_.input));
    }
    MORU_ASSIGN_OR_RETURN(auto tensor, model::Tensor::create(model::DType::kFloat32, {1, 1, image->dims()[0], image->dims()[1]}));
    std::ranges::transform(image->data<std::uint8_t>(), tensor.mutable_data<float>().begin(),
                           [this](std::uint8_t byte) { return values_[byte]; });
    item.set(options_.output, std::move(tensor));
    note_normalisation(item, options_.output, used_);
    output.emit(std::move(item));
    return {};
  }

  std::string waiting_for() const override { return waiting_ ? "a release" : ""; }

 private:
  /// Takes mean and std from the card of the model that is current now.
  Status follow_card() {
    if (!slot_) return {};
    auto current = slot_->take().current;
    if (!current) {
      waiting_ = true;
      current = slot_->wait(stop_).current;
      waiting_ = false;
    }
    if (!current) return fail(ErrorCode::kCancelled, "image_to_tensor: the stream stopped before a model came");
    const Normalisation wanted{current->card.mean, current->card.std};
    if (wanted != used_) use(wanted);
    return {};
  }

  void use(const Normalisation& wanted) {
    used_ = wanted;
    for (std::size_t byte = 0; byte < values_.size(); ++byte) {
      values_[byte] = static_cast<float>((static_cast<double>(byte) / 255.0 - wanted.mean) / wanted.std);
    }
  }

  const TensorOptions options_;
  std::shared_ptr<ModelSlot> slot_;
  std::stop_token stop_;
  std::atomic<bool> waiting_{false};
  Normalisation used_;
  std::array<float, 256> values_{};  // of each byte
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  TensorOptions options;
  ConfigReader reader(object);
  reader.optional("input", &options.input);
  reader.optional("output", &options.output);
  reader.optional("model", &options.model);
  reader.optional("mean", &options.fixed.mean, {.min = -1e6, .max = 1e6});
  reader.optional("std", &options.fixed.std, {.min = 1e-6, .max = 1e6});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (!options.model.empty() && (object.find("mean") || object.find("std"))) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: found 'model' beside 'mean' or 'std', expected either the model card's figures or your own", object.where()));
  }
  options.where = object.where();
  return std::make_unique<ImageToTensor>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_image_to_tensor;
const StageSpec kStage_image_to_tensor{
    .name = "image_to_tensor",
    .kind = StageKind::kStage,
    .doc = R"(Makes a model's input from a grey image: (x / 255 - mean) / std of each byte x.

Reads   INPUT   tensor uint8 [H, W]
Writes  OUTPUT  tensor float32 [1, 1, H, W]

Options
  input: image
  output: tensor
  mean: 0                your own figures, or
  std: 1
  model: NAME            those of the current model's card in slot model/NAME; the stream waits for a model then
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: tensors
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, items: 20}
    - name: tensor
      stage: image_to_tensor
      inputs: [camera]
      options: {mean: 0.2860, std: 0.3530}
    - name: results
      stage: write_json
      inputs: [tensor]
      options: {path: results.jsonl}
)",
    .create = create,
};

}  // namespace moru::edge
