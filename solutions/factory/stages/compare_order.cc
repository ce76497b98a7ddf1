// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "edge/streams/stage.h"
#include "edge/streams/stages/normalise.h"

namespace moru::edge {
namespace {

struct CompareOptions {
  std::string probabilities = "probabilities";
  std::string order = "order";
  std::optional<double> threshold;
  std::string where;
};

class CompareOrder final : public Stage {
 public:
  explicit CompareOrder(CompareOptions options) : options_(std::move(options)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.probabilities, FieldType::kTensor));
    MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.order, FieldType::kInt64));
    Schema schema = inputs[0];
    schema.set({.name = "probability", .type = FieldType::kDouble});
    schema.set({.name = "alert", .type = FieldType::kInt64});
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    const auto* probabilities = item.get<model::Tensor>(options_.probabilities);
    if (probabilities == nullptr || probabilities->dtype() != model::DType::kFloat32) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("compare_order: found no probabilities in field '{}', expected a float32 tensor [C]", options_.probabilities));
    }
    const auto* order = item.get<std::int64_t>(options_.order);
    if (order == nullptr || *order < 0 || *order >= probabilities->count()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("compare_order: found {} in field '{}', expected a class of the {} that the model knows",
                              order == nullptr ? "no number" : std::to_string(*order), options_.order, probabilities->count()));
    }
    const auto* note = item.get<double>(kThresholdNote);
    if (!options_.threshold && note == nullptr) {
      return fail(ErrorCode::kInvalidArgument,
                  "compare_order: found no threshold on the item, expected one from infer; or give the option 'threshold'");
    }
    const double threshold = options_.threshold ? *options_.threshold : *note;
    const double probability = probabilities->data<float>()[static_cast<std::size_t>(*order)];
    item.set("probability", probability);
    item.set("alert", std::int64_t{probability < threshold ? 1 : 0});
    output.emit(std::move(item));
    return {};
  }

 private:
  const CompareOptions options_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  CompareOptions options;
  double threshold = 0.0;
  ConfigReader reader(object);
  reader.optional("probabilities", &options.probabilities);
  reader.optional("order", &options.order);
  reader.optional("threshold", &threshold, {.min = 0.0, .max = 1.0});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (object.find("threshold")) options.threshold = threshold;
  options.where = object.where();
  return std::make_unique<CompareOrder>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_compare_order;
const StageSpec kStage_compare_order{
    .name = "compare_order",
    .kind = StageKind::kStage,
    .doc = R"(Says whether an article is what its order says.

Reads   PROBABILITIES  tensor float32 [C]
        ORDER          int64, the class of the order
Writes  probability    double, of the ordered class
        alert          int64, 1 when that is below the threshold, else 0

Options
  probabilities: probabilities
  order: order
  threshold: P           that of the card of the model that ran the item (infer leaves a note)
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: inspect
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, items: 20, swap_fraction: 0.2}
    - name: tensor
      stage: image_to_tensor
      inputs: [camera]
      options: {model: line}
    - name: infer
      stage: infer
      inputs: [tensor]
      options: {model: line, reference: order}
    - name: compare
      stage: compare_order
      inputs: [infer]
    - name: results
      stage: write_json
      inputs: [compare]
      options: {path: results.jsonl, fields: [order, truth, class, probability, alert]}
)",
    .create = create,
};

}  // namespace moru::edge
