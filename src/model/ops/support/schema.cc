// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {
namespace {

// In the order of AttributeKind, which is that of the variant.
constexpr std::array<std::string_view, std::variant_size_v<Attribute>> kKindNames = {"an int", "a float", "a string", "ints",
                                                                                     "floats", "strings", "a tensor", "a graph"};

Status check_ports(std::string_view what, std::span<const PortSpec> ports, bool variadic, std::span<const ValueId> given) {
  if (given.size() > ports.size() && !variadic) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} {}s, expected at most {}", given.size(), what, ports.size()));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].optional || (i < given.size() && given[i] != kNoValue)) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} {} ({}): found none, expected one", what, i, ports[i].name));
  }
  for (std::size_t i = ports.size(); i < given.size(); ++i) {
    if (given[i] == kNoValue) return fail(ErrorCode::kInvalidArgument, fmt::format("{} {}: found none, expected one", what, i));
  }
  return {};
}

Status check_attributes(const OpSpec& spec, const Attributes& given) {
  for (const auto& [name, value] : given) {
    const auto it = std::ranges::find(spec.attributes, name, &AttributeSpec::name);
    if (it == spec.attributes.end()) {
      std::vector<std::string> known;
      for (const AttributeSpec& attribute : spec.attributes) known.emplace_back(attribute.name);
      return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{:.60}': found an unknown one, expected one of {}{}", name,
                                                           spec.name, did_you_mean(name, known)));
    }
    if (value.index() != static_cast<std::size_t>(it->kind)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {}, expected {}", name, kKindNames[value.index()],
                                                           kKindNames[static_cast<std::size_t>(it->kind)]));
    }
  }
  for (const AttributeSpec& attribute : spec.attributes) {
    if (attribute.required && !given.contains(attribute.name)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found none, expected one", attribute.name));
    }
  }
  return {};
}

/// An op of TFLite, or of a domain that is not ours, that is kept and written as it was read.
constexpr OpGap kOpaqueGaps[] = {{"", "it is kept as it is, for a backend that knows it"}};
constexpr OpSpec kOpaque{.name = "opaque",
                         .domain = "tflite",
                         .since = 1,
                         .doc = "An op that is kept as it is.",
                         .inputs = {},
                         .outputs = {},
                         .attributes = {},
                         .infer = [](InferContext&) { return Status(); },
                         .reference = nullptr,
                         .examples = {},
                         .gaps = kOpaqueGaps};

/// ONNX's own ops and those of `moru` are all known; what another domain has, only a backend may know.
bool is_opaque(const Node& node) { return !node.op.empty() && !node.domain.empty() && node.domain != "moru"; }

}  // namespace

Result<const OpSpec*> check_schema(const Node& node) {
  const OpSpec* spec = find_op(node.op, node.domain);
  if (spec == nullptr && is_opaque(node)) return &kOpaque;
  if (spec == nullptr) {
    std::vector<std::string> known;
    for (const OpSpec* one : all_ops()) known.emplace_back(one->name);
    return fail(ErrorCode::kUnsupported,
                fmt::format("found op '{:.60}'{}, expected one that `moru ops` lists{}", node.op,
                            node.domain.empty() ? "" : fmt::format(" of domain '{:.60}'", node.domain), did_you_mean(node.op, known)));
  }
  MORU_RETURN_IF_ERROR(check_ports("input", spec->inputs, spec->variadic_inputs, node.inputs));
  MORU_RETURN_IF_ERROR(check_ports("output", spec->outputs, spec->variadic_outputs, node.outputs));
  MORU_RETURN_IF_ERROR(check_attributes(*spec, node.attributes));
  return spec;
}

ValueType type_of(const Tensor& tensor) {
  SymbolicShape shape;
  for (const std::int64_t dim : tensor.dims()) shape.push_back({dim, {}});
  return {tensor.dtype(), std::move(shape)};
}

Status check_type(const ValueType& type) {
  if (!type.shape) return {};
  Dims dims;
  for (const Dim& dim : *type.shape) {
    if (dim.value > kMaxExtent)
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("shape {}: found an extent above 2^40, expected less", to_string(*type.shape)));
    if (dim.known()) dims.push_back(dim.value);
  }
  // Without an element type, a byte an element is the least it can be. Unknown extents count as 1.
  MORU_RETURN_IF_ERROR(element_count(dims, type.dtype.value_or(DType::kInt8)));
  return {};
}

Result<std::vector<ValueType>> infer_types(const OpSpec& spec, const Node& node, std::span<const ValueType> inputs,
                                           std::span<const Tensor* const> constants, std::span<const ValueType> declared,
                                           std::vector<std::optional<Tensor>>* values) {
  InferContext context(spec, node, inputs, constants, declared);
  MORU_RETURN_IF_ERROR(spec.infer(context));
  for (const ValueType& type : context.outputs()) MORU_RETURN_IF_ERROR(check_type(type));
  if (values != nullptr) values->assign(context.values().begin(), context.values().end());
  return std::vector<ValueType>(context.outputs().begin(), context.outputs().end());
}

}  // namespace moru::model::ops
