// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {

RandomNetwork random_hybrid(const Choices& choices) {
  Builder build(choices);
  ValueId value = build.input(build.floats({build.between(1, 3), build.between(1, 20), build.between(1, 9), build.between(1, 12)}, 1));
  for (std::int64_t layers = build.between(1, 6); layers > 0; --layers) {
    const Dims x = build.dims(value);
    const model::Attributes attributes = build.window(x, true);
    const std::int64_t outputs = build.between(1, 70);
    Dims w = {outputs, x[1]};
    for (const std::int64_t extent : std::get<std::vector<std::int64_t>>(attributes.at("kernel_shape"))) w.push_back(extent);
    const ValueId scales = build.constant(build.floats(build.coin() ? Dims{} : Dims{outputs}, 0.1F));
    const ValueId bias = build.coin() ? model::kNoValue : build.constant(build.floats({outputs}, 1));
    value = build.node("HybridConv", "moru", {value, build.constant(build.bytes(DType::kInt8, w)), scales, bias}, attributes);
    if (build.coin()) value = build.node("Relu", "", {value});
  }
  return build.finish({value});
}

}  // namespace moru::runtime::engine
