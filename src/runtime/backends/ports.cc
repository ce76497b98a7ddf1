// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/ports.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::runtime {

using model::ConstTensorView;
using model::Dims;
using model::TensorView;

PortChecker::PortChecker(std::span<const Port> inputs, std::span<const Port> outputs) {
  for (const auto& port : inputs) inputs_.push_back(make_rule("input", port));
  for (const auto& port : outputs) outputs_.push_back(make_rule("output", port));
  bound_.assign(symbols_.size(), -1);
}

PortChecker::Rule PortChecker::make_rule(const char* role, const Port& port) {
  Rule rule{role, port, {}};
  for (const auto& dim : port.shape) {
    Extent extent{dim.value, -1};
    if (!dim.known() && !dim.symbol.empty()) {
      const auto at = std::find(symbols_.begin(), symbols_.end(), dim.symbol);
      extent.symbol = static_cast<int>(at - symbols_.begin());
      if (at == symbols_.end()) symbols_.push_back(dim.symbol);
    }
    rule.extents.push_back(extent);
  }
  return rule;
}

Status PortChecker::check_count(const char* role, std::size_t found, std::size_t expected) const {
  if (found == expected) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("run: found {} {}s, expected {}", found, role, expected));
}

Status PortChecker::check_shape(const Rule& rule, model::DType dtype, std::span<const std::int64_t> dims) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} '{}': found {} {}, expected {} {}{}", rule.role, rule.port.name, to_string(dtype), model::to_string(dims),
                            to_string(rule.port.dtype), to_string(rule.port.shape), why));
  };
  if (dtype != rule.port.dtype || dims.size() != rule.extents.size()) return wrong("");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto& extent = rule.extents[i];
    if (extent.value >= 0 && dims[i] != extent.value) return wrong("");
    if (extent.symbol < 0) continue;
    auto& bound = bound_[static_cast<std::size_t>(extent.symbol)];
    if (bound >= 0 && dims[i] != bound)
      return wrong(fmt::format(" with {} = {}", symbols_[static_cast<std::size_t>(extent.symbol)], bound));
    bound = dims[i];
  }
  return {};
}

Status PortChecker::check_one(const Rule& rule, model::DType dtype, std::span<const std::int64_t> dims, std::size_t bytes) {
  MORU_RETURN_IF_ERROR(check_shape(rule, dtype, dims));
  const auto count = model::element_count(dims, dtype);
  if (!count) return fail(count.error().in(rule.port.name));
  const auto needed = model::bytes_for(dtype, *count);
  if (bytes != needed) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} '{}': found {} bytes, expected {} for {} {}", rule.role, rule.port.name, bytes,
                                                         needed, to_string(dtype), model::to_string(dims)));
  }
  return {};
}

Status PortChecker::check_inputs(std::span<const ConstTensorView> inputs) {
  std::fill(bound_.begin(), bound_.end(), -1);
  MORU_RETURN_IF_ERROR(check_count("input", inputs.size(), inputs_.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    MORU_RETURN_IF_ERROR(check_one(inputs_[i], inputs[i].dtype, inputs[i].dims, inputs[i].bytes.size()));
  }
  return {};
}

Status PortChecker::check_inputs(std::span<const Dims> inputs) {
  std::fill(bound_.begin(), bound_.end(), -1);
  MORU_RETURN_IF_ERROR(check_count("input", inputs.size(), inputs_.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    MORU_RETURN_IF_ERROR(check_shape(inputs_[i], inputs_[i].port.dtype, inputs[i]));
    if (const auto count = model::element_count(inputs[i], inputs_[i].port.dtype); !count) {
      return fail(count.error().in(inputs_[i].port.name));
    }
  }
  return {};
}

Status PortChecker::check(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs) {
  MORU_RETURN_IF_ERROR(check_inputs(inputs));
  MORU_RETURN_IF_ERROR(check_count("output", outputs.size(), outputs_.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    MORU_RETURN_IF_ERROR(check_one(outputs_[i], outputs[i].dtype, outputs[i].dims, outputs[i].bytes.size()));
  }
  return {};
}

Result<std::vector<Dims>> PortChecker::output_dims(std::span<const ConstTensorView> inputs) {
  MORU_RETURN_IF_ERROR(check_inputs(inputs));
  return bound_outputs();
}

Result<std::vector<Dims>> PortChecker::output_dims(std::span<const Dims> inputs) {
  MORU_RETURN_IF_ERROR(check_inputs(inputs));
  return bound_outputs();
}

Result<std::vector<Dims>> PortChecker::bound_outputs() const {
  std::vector<Dims> all;
  for (const auto& rule : outputs_) {
    Dims dims;
    for (const auto& extent : rule.extents) {
      const std::int64_t value = extent.value >= 0 || extent.symbol < 0 ? extent.value : bound_[static_cast<std::size_t>(extent.symbol)];
      if (value < 0) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("output '{}': found shape {} with an extent that no input binds, expected one that the inputs decide",
                                rule.port.name, to_string(rule.port.shape)));
      }
      dims.push_back(value);
    }
    all.push_back(std::move(dims));
  }
  return all;
}

Result<std::vector<Port>> ports_of(const model::Graph& graph, std::span<const model::ValueId> values) {
  std::vector<Port> all;
  for (const auto id : values) {
    const auto& value = graph.value(id);
    if (!value.type.dtype || !value.type.shape) {
      return fail(ErrorCode::kUnsupported, fmt::format("load model: found no type and shape of '{}', expected both", value.name));
    }
    all.push_back({value.name, *value.type.dtype, *value.type.shape});
  }
  return all;
}

std::string describe(const Port& port) { return fmt::format("{}: {} {}", port.name, to_string(port.dtype), to_string(port.shape)); }

}  // namespace moru::runtime
