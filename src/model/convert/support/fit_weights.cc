// SPDX-License-Identifier: Apache-2.0
// Scales of weights and biases as TFLite's quantisation specification wants them: int8 weights symmetric, biases int32 (int64
// beside int16) with scale(x) * scale(weights) and zero point 0.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/convert/quantized.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::convert {
namespace {

bool is_product(const Node& node) {
  return node.domain.empty() && (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" || node.op == "MatMul");
}

bool is_quantized(const Graph& graph, ValueId id, DType dtype) {
  return id != kNoValue && graph.value(id).type.quantization && graph.value(id).type.dtype == dtype;
}

/// Element i belongs to scale (i / inner) % scales.
std::size_t scale_of(const Quantization& quantization, const Dims& dims, std::int64_t i) {
  if (quantization.scales.size() <= 1) return 0;
  std::int64_t inner = 1;
  for (std::size_t axis = static_cast<std::size_t>(quantization.axis) + 1; axis < dims.size(); ++axis) inner *= dims[axis];
  return static_cast<std::size_t>(i / inner) % quantization.scales.size();
}

/// uint8 and int8 say the same with zero points 128 apart.
class Shift {
 public:
  explicit Shift(Graph& graph) : graph_(graph) {}

  bool is_needed() const {
    return std::ranges::any_of(graph_.nodes(), [&](const Node& node) {
      if (!is_product(node) || !is_quantized(graph_, node.inputs[0], DType::kUInt8)) return false;
      const auto& weights = graph_.value(node.inputs[1]).type;
      return weights.quantization && (weights.dtype == DType::kInt8 || weights.quantization->scales.size() > 1);
    });
  }

  void run() {
    const auto count = static_cast<ValueId>(graph_.value_count());
    const auto is_port = [&](ValueId id) {
      return std::ranges::find(graph_.inputs, id) != graph_.inputs.end() || std::ranges::find(graph_.outputs, id) != graph_.outputs.end();
    };
    for (ValueId id = 0; id < count; ++id) {
      if (!is_quantized(graph_, id, DType::kUInt8)) continue;
      if (is_port(id)) {
        shift_port(id);
      } else {
        shift(id);
      }
    }
    for (Node& node : added_) graph_.nodes().push_back(std::move(node));
    layout::sort_nodes(graph_);
  }

 private:
  static ValueType shifted(ValueType type) {
    type.dtype = DType::kInt8;
    for (std::int64_t& point : type.quantization->zero_points) point -= 128;
    return type;
  }

  void shift(ValueId id) {
    const ValueType type = shifted(graph_.value(id).type);
    if (const Tensor* tensor = graph_.initializer(id)) {
      std::vector<std::int8_t> values;
      for (const std::uint8_t value : tensor->data<std::uint8_t>())
        values.push_back(static_cast<std::int8_t>(static_cast<int>(value) - 128));
      const Dims dims = tensor->dims();
      graph_.set_initializer(id, Tensor::of<std::int8_t>(dims, values));
    }
    graph_.set_type(id, type);
  }

  /// A graph's input or output keeps its type; a change of scale goes between.
  void shift_port(ValueId id) {
    const ValueId inner = graph_.add_value(graph_.unused_name(graph_.value(id).name), shifted(graph_.value(id).type));
    const bool is_input = std::ranges::find(graph_.inputs, id) != graph_.inputs.end();
    for (Node& node : graph_.nodes()) {
      std::ranges::replace(node.inputs, id, inner);
      std::ranges::replace(node.outputs, id, inner);
    }
    added_.push_back({.name = {},
                      .op = "QuantizeLinear",
                      .domain = {},
                      .inputs = {is_input ? id : inner},
                      .outputs = {is_input ? inner : id},
                      .attributes = {}});
  }

  Graph& graph_;
  std::vector<Node> added_;
};

template <class T>
std::vector<std::int64_t> stored_values(const Tensor& tensor) {
  return {tensor.data<T>().begin(), tensor.data<T>().end()};
}

Result<std::vector<std::int64_t>> stored_of(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kInt8: return stored_values<std::int8_t>(tensor);
    case DType::kUInt8: return stored_values<std::uint8_t>(tensor);
    case DType::kInt16: return stored_values<std::int16_t>(tensor);
    case DType::kInt32: return stored_values<std::int32_t>(tensor);
    case DType::kInt64: return stored_values<std::int64_t>(tensor);
    default: return fail(ErrorCode::kUnsupported, fmt::format("found {}, expected integers of 8 to 64 bits", to_string(tensor.dtype())));
  }
}

Result<std::vector<double>> reals_of(const Tensor& tensor, const Quantization& quantization) {
  MORU_ASSIGN_OR_RETURN(const auto stored, stored_of(tensor));
  std::vector<double> reals;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::size_t at = scale_of(quantization, tensor.dims(), static_cast<std::int64_t>(i));
    reals.push_back(static_cast<double>(quantization.scales[at]) * static_cast<double>(stored[i] - quantization.zero_points[at]));
  }
  return reals;
}

class Fitter {
 public:
  Fitter(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes) : graph_(graph), options_(options), notes_(notes) {}

  Status fit(Node& node) {
    if (!graph_.value(node.inputs[0]).type.quantization || !graph_.value(node.inputs[1]).type.quantization) return {};
    MORU_RETURN_IF_ERROR(fit_weights(node));
    if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) return fit_bias(node);
    return {};
  }

 private:
  Status refuse_or_note(const std::string& what) {
    if (options_.exact) return fail(ErrorCode::kUnsupported, fmt::format("found {}, expected what TFLite can express exactly", what));
    notes_.push_back(what);
    return {};
  }

  Status fit_weights(Node& node) {
    const Value value = graph_.value(node.inputs[1]);
    const Tensor* tensor = graph_.initializer(node.inputs[1]);
    const auto is_zero = [](std::int64_t point) { return point == 0; };
    if (tensor == nullptr || value.type.dtype != DType::kInt8 || std::ranges::all_of(value.type.quantization->zero_points, is_zero))
      return {};
    MORU_RETURN_IF_ERROR(refuse_or_note(fmt::format("'{}': asymmetric int8 weights, requantised to zero point 0", value.name)));
    MORU_ASSIGN_OR_RETURN(const auto reals, reals_of(*tensor, *value.type.quantization));
    Quantization fitted = *value.type.quantization;
    std::vector<double> largest(fitted.scales.size(), 0);
    for (std::size_t i = 0; i < reals.size(); ++i) {
      double& most = largest[scale_of(fitted, tensor->dims(), static_cast<std::int64_t>(i))];
      most = std::max(most, std::abs(reals[i]));
    }
    for (std::size_t i = 0; i < largest.size(); ++i) {
      fitted.scales[i] = largest[i] > 0 ? static_cast<float>(largest[i] / 127) : 1.0F;
      fitted.zero_points[i] = 0;
    }
    std::vector<std::int8_t> stored;
    for (std::size_t i = 0; i < reals.size(); ++i) {
      const double scale = static_cast<double>(fitted.scales[scale_of(fitted, tensor->dims(), static_cast<std::int64_t>(i))]);
      stored.push_back(static_cast<std::int8_t>(std::clamp(std::nearbyint(reals[i] / scale), -127.0, 127.0)));
    }
    node.inputs[1] = add(value.name, Tensor::of<std::int8_t>(tensor->dims(), stored), std::move(fitted));
    return {};
  }

  Status fit_bias(Node& node) {
    const Value value = graph_.value(node.inputs[2]);
    const Tensor* tensor = graph_.initializer(node.inputs[2]);
    if (tensor == nullptr)
      return fail(ErrorCode::kUnsupported, fmt::format("bias '{}': found a computed one, expected a constant", value.name));
    const auto& x = graph_.value(node.inputs[0]).type;
    const Quantization& weights = *graph_.value(node.inputs[1]).type.quantization;
    Quantization wanted;
    for (const float scale : weights.scales) wanted.scales.push_back(x.quantization->scales[0] * scale);
    wanted.zero_points.assign(wanted.scales.size(), 0);
    const DType dtype = x.dtype == DType::kInt16 ? DType::kInt64 : DType::kInt32;
    std::vector<double> reals;
    if (value.type.quantization) {
      const bool fits = is_close(*value.type.quantization, wanted);
      if (fits && value.type.dtype == dtype) return {};
      if (fits) {  // the same numbers in a wider type
        MORU_ASSIGN_OR_RETURN(const auto stored, stored_of(*tensor));
        node.inputs[2] = add(value.name, Tensor::of<std::int64_t>(tensor->dims(), stored), *value.type.quantization);
        return {};
      }
      MORU_ASSIGN_OR_RETURN(reals, reals_of(*tensor, *value.type.quantization));
    } else if (tensor->dtype() == DType::kFloat32) {
      reals.assign(tensor->data<float>().begin(), tensor->data<float>().end());
    } else {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("bias '{}': found {}, expected float32 or int32", value.name, to_string(tensor->dtype())));
    }
    MORU_RETURN_IF_ERROR(
        refuse_or_note(fmt::format("'{}': a bias of another scale, requantised to that of inputs times weights", value.name)));
    std::vector<std::int64_t> stored;
    for (std::size_t i = 0; i < reals.size(); ++i) {
      const auto scale = static_cast<double>(wanted.scales.size() > 1 ? wanted.scales[i] : wanted.scales[0]);
      const double rounded = std::nearbyint(reals[i] / scale);
      const double limit = dtype == DType::kInt64 ? 9.0e18 : 2147483647.0;
      stored.push_back(static_cast<std::int64_t>(std::clamp(rounded, -limit, limit)));
    }
    if (dtype == DType::kInt64) {
      node.inputs[2] = add(value.name, Tensor::of<std::int64_t>(tensor->dims(), stored), std::move(wanted));
    } else {
      const std::vector<std::int32_t> narrow(stored.begin(), stored.end());
      node.inputs[2] = add(value.name, Tensor::of<std::int32_t>(tensor->dims(), narrow), std::move(wanted));
    }
    return {};
  }

  /// Equal but for float's rounding of the product.
  static bool is_close(const Quantization& found, const Quantization& wanted) {
    if (found.scales.size() != wanted.scales.size()) return false;
    for (std::size_t i = 0; i < found.scales.size(); ++i) {
      const double a = static_cast<double>(found.scales[i]);
      const double b = static_cast<double>(wanted.scales[i]);
      if (found.zero_points[i] != 0 || std::abs(a - b) > 1e-6 * b) return false;
    }
    return true;
  }

  ValueId add(const std::string& name, Tensor tensor, Quantization quantization) {
    const ValueId id = graph_.add_initializer(graph_.unused_name(name), std::move(tensor));
    ValueType type = graph_.value(id).type;
    type.quantization = std::move(quantization);
    graph_.set_type(id, std::move(type));
    return id;
  }

  Graph& graph_;
  const ConvertOptions& options_;
  std::vector<std::string>& notes_;
};

}  // namespace

Result<Tensor> dequantized(const Tensor& tensor, const Quantization& quantization) {
  MORU_ASSIGN_OR_RETURN(const auto reals, reals_of(tensor, quantization));
  const std::vector<float> values(reals.begin(), reals.end());
  return Tensor::of<float>(tensor.dims(), values);
}

Status fit_weights(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes) {
  if (Shift shift(graph); shift.is_needed()) shift.run();
  Fitter fitter(graph, options, notes);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (is_product(graph.nodes()[i])) MORU_RETURN_IF_ERROR_IN(describe(graph, i), fitter.fit(graph.nodes()[i]));
  }
  graph.remove_unused();
  return {};
}

}  // namespace moru::model::convert
