// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <fmt/format.h>

#include "core/random.h"
#include "model/ops/op.h"

namespace moru::golden {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;
using model::ValueId;

constexpr std::int64_t kUnknownExtent = 2;

Result<Tensor> random_tensor(const model::ValueType& type, Rng& rng) {
  if (!type.dtype || !type.shape) return fail(ErrorCode::kInvalidArgument, "found no type and rank, expected both for 'numeric'");
  model::Dims dims;
  for (const model::Dim& dim : *type.shape) dims.push_back(dim.known() ? dim.value : kUnknownExtent);
  MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(*type.dtype, std::move(dims)));
  if (*type.dtype == DType::kFloat32) {
    for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
  } else if (*type.dtype == DType::kFloat64) {
    for (double& value : tensor.mutable_data<double>()) value = rng.normal();
  } else {
    // 0 or 1 in the lowest byte of each element: a value that every integer type and bool can hold.
    const auto bytes = tensor.mutable_bytes();
    MORU_ASSIGN_OR_RETURN(const std::size_t size, element_size(*type.dtype));
    for (std::size_t i = 0; i < bytes.size(); i += size) bytes[i] = static_cast<std::byte>(rng.below(2));
  }
  return tensor;
}

Result<std::vector<Tensor>> random_inputs(const Graph& graph, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("input '{}'", graph.value(id).name), Tensor tensor, random_tensor(graph.value(id).type, rng));
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

double normalised_error(const Tensor& a, const Tensor& b) {
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
    const double x = static_cast<double>(a.data<float>()[i]);
    const double y = static_cast<double>(b.data<float>()[i]);
    error += (x - y) * (x - y);
    power += x * x;
  }
  return error == 0 ? 0 : error / power;
}

Status compare_output(const Tensor& a, const Tensor& b, double tolerance) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {}{}, expected {}{} as before", to_string(b.dtype()),
                                                         model::to_string(b.dims()), to_string(a.dtype()), model::to_string(a.dims())));
  }
  if (a.dtype() != DType::kFloat32) {
    if (same_bits(a, b)) return {};
    return fail(ErrorCode::kInvalidArgument, "found other values, expected those from before");
  }
  const double error = normalised_error(a, b);
  // Written so that NaN fails.
  if (error <= tolerance) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("found a normalised mean square error of {:.3g}, expected at most {:.3g}", error, tolerance));
}

}  // namespace

Status compare_graphs(const Graph& before, const Graph& after, std::uint64_t seed, double tolerance) {
  const auto input_names = names_of(before, before.inputs);
  const auto output_names = names_of(before, before.outputs);
  if (names_of(after, after.inputs) != input_names || names_of(after, after.outputs) != output_names) {
    return fail(ErrorCode::kInvalidArgument, "found other names of inputs or outputs, expected those from before");
  }
  MORU_ASSIGN_OR_RETURN(const auto inputs, random_inputs(before, seed));
  MORU_ASSIGN_OR_RETURN_IN("before the passes", const auto expected, model::evaluate(before, inputs));
  MORU_ASSIGN_OR_RETURN_IN("after the passes", const auto found, model::evaluate(after, inputs));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    MORU_RETURN_IF_ERROR_IN(fmt::format("output '{}'", output_names[i]), compare_output(expected[i], found[i], tolerance));
  }
  return {};
}

}  // namespace moru::golden
