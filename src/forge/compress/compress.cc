// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/compress.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/verify.h"

namespace moru::forge {
namespace {

constexpr std::int64_t kBatch = 64;

std::string_view word_of(RangeMethod method) {
  switch (method) {
    case RangeMethod::kMinMax: return "minmax";
    case RangeMethod::kPercentile: return "percentile";
    case RangeMethod::kMse: return "mse";
  }
  return "mse";
}

RangeMethod method_of(std::string_view word) {
  if (word == "minmax") return RangeMethod::kMinMax;
  return word == "percentile" ? RangeMethod::kPercentile : RangeMethod::kMse;
}

}  // namespace

Result<CompressRecipe> read_compress_recipe(const ConfigObject& document) {
  MORU_ASSIGN_OR_RETURN(const Declared declared, read_declared(document, "Recipe"));
  CompressRecipe recipe;
  recipe.name = declared.name;
  std::string type;
  std::string range(word_of(recipe.range));
  ConfigReader reader(declared.spec);
  reader.choice("type", &type, {"compress"}, true);
  reader.optional("calibration_images", &recipe.calibration_images, {.min = 1, .max = 100'000});
  reader.choice("range", &range, {"minmax", "percentile", "mse"});
  reader.optional("percentile", &recipe.percentile, {.min = 50, .max = 100});
  reader.optional("weight_bits", &recipe.weight_bits, {.min = 2, .max = 8});
  reader.optional("max_drop_points", &recipe.budget.max_drop_points, {.min = 0, .max = 100});
  reader.optional("max_size_ratio", &recipe.budget.max_size_ratio, {.min = 0.001, .max = 10});
  MORU_RETURN_IF_ERROR(reader.finish());
  recipe.range = method_of(range);
  return recipe;
}

std::string describe(const CompressRecipe& r) {
  return fmt::format("calibration_images {} range {} percentile {} weight_bits {} max_drop_points {} max_size_ratio {}",
                     r.calibration_images, word_of(r.range), r.percentile, r.weight_bits, r.budget.max_drop_points,
                     r.budget.max_size_ratio);
}

Result<Compressed> compress(const model::Graph& graph, const Dataset& dataset, const CompressRecipe& recipe,
                            const RunnerFactory& make_runner) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("compress '{}': found {} inputs and {} outputs, expected 1 of each", graph.name,
                                                         graph.inputs.size(), graph.outputs.size()));
  }
  Compressed result;
  result.folded = graph;
  MORU_RETURN_IF_ERROR_IN("compress", model::infer_shapes(result.folded));
  const std::vector<std::string> passes{"fold_batch_norm"};
  MORU_ASSIGN_OR_RETURN_IN("compress", result.passes, model::run_passes(result.folded, passes));

  const std::int64_t images = std::min(recipe.calibration_images, dataset.train.size());
  std::vector<std::vector<model::Tensor>> batches;
  for (std::int64_t from = 0; from < images; from += kBatch) {
    MORU_ASSIGN_OR_RETURN(model::Tensor batch,
                          normalised_batch(dataset.train, from, std::min(kBatch, images - from), dataset.mean, dataset.std));
    batches.push_back({std::move(batch)});
  }
  const std::vector<std::string> values = values_to_quantize(result.folded);
  MORU_ASSIGN_OR_RETURN_IN(
      fmt::format("compress '{}'", graph.name), result.ranges,
      calibrate(result.folded, values, batches, make_runner, {.method = recipe.range, .percentile = recipe.percentile, .levels = 256}));
  MORU_ASSIGN_OR_RETURN(result.graph, quantize(result.folded, result.ranges, {.weight_bits = static_cast<int>(recipe.weight_bits)}));
  return result;
}

}  // namespace moru::forge
