// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/onnx_dtype.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"num_mel_bins", "int32 or int64 scalar"},
                                {"dft_length", "int32 or int64 scalar, of the transform whose bins are weighted"},
                                {"sample_rate", "int32 or int64 scalar, in Hz"},
                                {"lower_edge_hertz", "float scalar"},
                                {"upper_edge_hertz", "float scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "[dft_length / 2 + 1, num_mel_bins]"}};
constexpr AttributeSpec kAttributes[] = {{"output_datatype", AttributeKind::kInt, "ONNX's number of the output's type; 1 (float32)"}};
constexpr OpExample kExamples[] = {{"Two bands of a short transform", R"(graph "mel" {
  init bands = int64[] {2}
  init length = int64[] {8}
  init rate = int64[] {8000}
  init low = float32[] {0}
  init high = float32[] {4000}
  y = MelWeightMatrix(bands, length, rate, low, high)
  output y
})",
                                    "float32[5, 2] {1, 0, 0, 1, 0, 0, 0, 0, 0, 0}"}};

constexpr std::int64_t kMost = std::int64_t{1} << 24U;

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const DType dtype, ops::dtype_attribute(context.node(), "output_datatype", DType::kFloat32));
  MORU_RETURN_IF_ERROR(ops::for_number_dtype(dtype, []<class T>() -> Status { return {}; }));
  std::optional<std::int64_t> numbers[3];
  for (std::size_t i = 0; i < 3; ++i) {
    MORU_ASSIGN_OR_RETURN(numbers[i], ops::constant_index(context, i));
    const std::int64_t least = i == 0 ? 0 : 1;
    if (numbers[i] && (*numbers[i] < least || *numbers[i] > kMost)) {
      return ops::input_error(context, i, fmt::format("found {}, expected {} to {}", *numbers[i], least, kMost));
    }
  }
  for (const std::size_t i : {3U, 4U}) {
    MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kFloats));
    MORU_RETURN_IF_ERROR(ops::expect_single_element(context, i));
  }
  SymbolicShape y(2);
  if (numbers[1]) y[0].value = *numbers[1] / 2 + 1;
  if (numbers[0]) y[1].value = *numbers[0];
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

double number_of(const Tensor& tensor) {
  double number = 0;
  const Status status = ops::for_float_dtype(tensor.dtype(), [&]<class T>() -> Status {
    number = ops::widen(tensor.data<T>()[0]);
    return {};
  });
  MORU_CHECK(status.has_value());
  return number;
}

double mel_of(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double hertz_of(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

/// The bins of the transform where bands begin, peak and end: num_mel_bins + 2 of them.
Result<std::vector<std::int64_t>> edges_of(const EvalContext& context, std::int64_t rows, std::int64_t bands) {
  const auto length = static_cast<double>(ops::to_ints(context.input(1))[0]);
  const auto rate = static_cast<double>(ops::to_ints(context.input(2))[0]);
  const double low = mel_of(number_of(context.input(3)));
  const double step = (mel_of(number_of(context.input(4))) - low) / static_cast<double>(bands + 2);
  std::vector<std::int64_t> edges;
  for (std::int64_t i = 0; i < bands + 2; ++i) {
    const double bin = std::floor((length + 1) * hertz_of(low + static_cast<double>(i) * step) / rate);
    if (!(bin >= 0 && bin < static_cast<double>(rows))) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("inputs 3 (lower_edge_hertz) and 4 (upper_edge_hertz): found a band at bin {} of the transform, expected 0 to {}",
                      bin, rows - 1));
    }
    edges.push_back(static_cast<std::int64_t>(bin));
    if (edges.size() > 1 && edges.back() < edges[edges.size() - 2]) {
      return fail(ErrorCode::kInvalidArgument,
                  "input 4 (upper_edge_hertz): found a lower number than lower_edge_hertz, expected a higher one");
    }
  }
  return edges;
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const std::int64_t bands = y.dims()[1];
  MORU_ASSIGN_OR_RETURN(const auto edges, edges_of(context, y.dims()[0], bands));
  return ops::for_number_dtype(y.dtype(), [&]<class T>() -> Status {
    const auto elements = y.mutable_data<T>();
    const auto set = [&](std::int64_t row, std::int64_t band, double value) {
      elements[static_cast<std::size_t>(row * bands + band)] = ops::narrow<T>(static_cast<ops::Wide<T>>(value));
    };
    for (std::int64_t band = 0; band < bands; ++band) {
      const auto at = static_cast<std::size_t>(band);
      const std::int64_t begin = edges[at];
      const std::int64_t peak = edges[at + 1];
      const std::int64_t end = edges[at + 2];
      for (std::int64_t row = begin; row < peak; ++row)
        set(row, band, static_cast<double>(row - begin) / static_cast<double>(peak - begin));
      set(peak, band, 1);
      for (std::int64_t row = peak; row < end; ++row) set(row, band, static_cast<double>(end - row) / static_cast<double>(end - peak));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_mel_weight_matrix;
const OpSpec kOp_mel_weight_matrix{
    .name = "MelWeightMatrix",
    .domain = "",
    .since = 17,
    .doc =
        "Weights that turn the bins of a Fourier transform into bands of equal width on the mel scale, mel = 2595 "
        "log10(1 + f / 700): column b is a triangle over the bins from edge b to edge b + 2.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
