// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/stretch.h"

#include "runtime/engine/elements.h"

namespace moru::runtime::engine {

model::Dims stretched_strides(const Stored& operand, const Stored& y) {
  model::Dims logical = logical_strides(operand);
  for (std::size_t i = 0; i < logical.size(); ++i) logical[i] = operand.dims[i] == 1 ? 0 : logical[i];
  logical.insert(logical.begin(), y.dims.size() - logical.size(), 0);
  if (y.layout == Layout::kChannelsLast) std::rotate(logical.begin() + 1, logical.begin() + 2, logical.end());
  return logical;
}

Result<model::DType> dtype_of(const Lowering& lowering, const model::Node& node, std::size_t input) {
  if (!lowering.has_input(node, input)) return fail(ErrorCode::kUnsupported, "found an input that is left out, expected one");
  const auto dtype = lowering.graph().value(node.inputs[input]).type.dtype;
  if (!dtype) return fail(ErrorCode::kUnsupported, "found an input of no known type, expected one");
  return *dtype;
}

}  // namespace moru::runtime::engine
