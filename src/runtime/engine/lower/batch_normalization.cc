// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

/// One that no convolution takes over: a factor and an offset a channel.
Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX, kScale, kB, kMean, kVariance };
  MORU_ASSIGN_OR_RETURN(const std::int64_t training, model::int_attribute(node, "training_mode", 0));
  MORU_ASSIGN_OR_RETURN(const float epsilon, model::float_attribute(node, "epsilon", 1e-5F));
  if (training != 0 || (node.outputs.size() > 1 && node.outputs[1] != model::kNoValue)) {
    return fail(ErrorCode::kUnsupported, "found training, expected stored statistics");
  }
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  const model::Tensor* parts[4] = {};
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    MORU_ASSIGN_OR_RETURN(parts[i], lowering.constant(node, kScale + i));
    if (parts[i]->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  }
  std::vector<float> factors;
  std::vector<float> offsets;
  for (std::size_t c = 0; c < static_cast<std::size_t>(parts[0]->count()); ++c) {
    const auto of = [&](std::size_t part) { return double{parts[part - 1]->data<float>()[c]}; };
    const double factor = of(kScale) / std::sqrt(of(kVariance) + double{epsilon});
    factors.push_back(static_cast<float>(factor));
    offsets.push_back(static_cast<float>(of(kB) - of(kMean) * factor));
  }
  // One number a channel: all axes behind it stretch.
  model::Dims dims(x.dims.size() - 1, 1);
  if (!dims.empty()) dims.front() = x.dims[1];
  MORU_ASSIGN_OR_RETURN(const Stored factor, lowering.kept_value(factors, dims));
  MORU_ASSIGN_OR_RETURN(const Stored offset, lowering.kept_value(offsets, dims));
  model::ValueId value = node.outputs.front();
  const Bounds bounds = lowering.absorb_bounds(value);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(value, x.layout));
  add_binary(lowering, x, factor, y, lowering.kernels().map->mul, {});
  add_binary(lowering, y, offset, y, lowering.kernels().map->add, bounds);
  return {};
}

}  // namespace

extern const LowerSpec kLower_batch_normalization;
const LowerSpec kLower_batch_normalization{.name = "BatchNormalization", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
