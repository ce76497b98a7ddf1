// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/signal.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"signal", "[N, L], [N, L, 1] of real or [N, L, 2] of complex numbers"},
                                {"frame_step", "int32 or int64 scalar, from frame to frame"},
                                {"window", "signal's type, [frame_length], what each frame is multiplied with; 1", true},
                                {"frame_length", "int32 or int64 scalar; the window's extent, or L", true}};
constexpr PortSpec kOutputs[] = {{"output", "[N, frames, bins, 2], complex; frames = 1 + (L - frame_length) / frame_step"}};
constexpr AttributeSpec kAttributes[] = {
    {"onesided", AttributeKind::kInt, "1: bins = frame_length / 2 + 1, of real signals; 0: bins = frame_length; 1"}};
constexpr OpExample kExamples[] = {{"Two frames of two", R"(graph "stft" {
  init x = float32[1, 4, 1] {1, 2, 3, 4}
  init step = int64[] {2}
  init length = int64[] {2}
  y = STFT(x, step, _, length)
  output y
})",
                                    "float32[1, 2, 2, 2] {3, 0, -1, 0, 7, 0, -1, 0}"}};

/// The extent of a frame, as far as it is known.
Result<Dim> frame_length_of(const InferContext& context, const Dim& samples) {
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[frame_length]"));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_index(context, 3));
  const SymbolicShape* window = ops::shape_of(context, 2);
  Dim length;
  if (context.has_input(3)) {
    if (given) length.value = *given;
    if (given && window != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, length, "frame_length"));
  } else if (context.has_input(2)) {
    if (window != nullptr) length = (*window)[0];
  } else {
    length = samples;
  }
  const bool is_too_long = samples.known() && length.known() && length.value > samples.value;
  if ((given || length.known()) && (length.value < 1 || length.value > ops::kLongestTransform || is_too_long)) {
    return ops::input_error(
        context, 3,
        fmt::format("found a frame of {}, expected 1 to {}", length.value, is_too_long ? samples.value : ops::kLongestTransform));
  }
  return length;
}

Status check_types(const InferContext& context, bool onesided) {
  for (const std::size_t i : {0U, 2U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kReals));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) return {};
  if (x->size() != 2 && x->size() != 3) return ops::input_error(context, 0, fmt::format("found rank {}, expected 2 or 3", x->size()));
  const std::int64_t parts = x->size() == 2 ? 1 : x->back().value;
  if (parts < 0 || parts == 1 || (parts == 2 && !onesided)) return {};
  return ops::input_error(context, 0, fmt::format("found {} in axis 2, expected 1{}", parts, onesided ? "" : " or 2"));
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t onesided, int_attribute(context.node(), "onesided", 1));
  MORU_RETURN_IF_ERROR(check_types(context, onesided != 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const Dim samples = x == nullptr ? Dim{} : (*x)[1];
  MORU_ASSIGN_OR_RETURN(const Dim length, frame_length_of(context, samples));
  MORU_ASSIGN_OR_RETURN(const auto step, ops::constant_index(context, 1));
  if (step && *step < 1) return ops::input_error(context, 1, fmt::format("found {}, expected 1 or more", *step));
  SymbolicShape y(4);
  y[3].value = 2;
  if (x != nullptr) y[0] = (*x)[0];
  if (samples.known() && length.known() && step) y[1].value = 1 + (samples.value - length.value) / *step;
  if (length.known()) y[2].value = ops::bins_of(length.value, onesided != 0);
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& signal = context.input(0);
  const std::int64_t samples = signal.dims()[1];
  const std::int64_t parts = signal.rank() == 2 ? 1 : signal.dims()[2];
  const std::int64_t step = ops::to_ints(context.input(1))[0];
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(signal));
  std::optional<Tensor> window;
  if (context.has_input(2)) {
    MORU_ASSIGN_OR_RETURN(window, ops::to_float64(context.input(2)));
  }
  const std::int64_t length = context.has_input(3) ? ops::to_ints(context.input(3))[0] : (window ? window->count() : samples);
  const Dims& dims = context.outputs[0].dims();
  const ops::Transform transform(length, false);
  std::vector<ops::Complex> frame(static_cast<std::size_t>(length));
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::kFloat64, dims));
  double* to = y.mutable_data<double>().data();
  for (std::int64_t i = 0; i < dims[0] * dims[1]; ++i) {
    const double* from = x.data<double>().data() + (i / dims[1] * samples + i % dims[1] * step) * parts;
    for (std::size_t t = 0; t < frame.size(); ++t, from += parts) {
      const double weight = window ? window->data<double>()[t] : 1;
      frame[t] = {from[0] * weight, parts == 2 ? from[1] * weight : 0};
    }
    for (std::int64_t k = 0; k < dims[2]; ++k) {
      const ops::Complex result = transform.at(frame, k);
      *to++ = result.real;
      *to++ = result.imaginary;
    }
  }
  return ops::round_into(y.data<double>(), context.outputs[0]);
}

}  // namespace

extern const OpSpec kOp_stft;
const OpSpec kOp_stft{
    .name = "STFT",
    .domain = "",
    .since = 17,
    .doc =
        "Fourier transforms of frames of a signal: output[n, f, k] = sum over t of signal[n, f * frame_step + t] * window[t] * "
        "exp(-2 pi i k t / frame_length).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
