// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/signal.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[..., 1] of real or [..., 2] of complex numbers"},
                                {"dft_length",
                                 "int32 or int64 scalar; the extent of axis is filled up with zeros, or cut; of a one-sided inverse the "
                                 "output's, else twice the input's less 2",
                                 true},
                                {"axis", "int64 scalar, the axis that is transformed; -2", true}};
constexpr PortSpec kOutputs[] = {{"output", "[..., 2], complex; [..., 1] of a one-sided inverse"}};
constexpr AttributeSpec kAttributes[] = {
    {"inverse", AttributeKind::kInt, "1: the inverse transform; 0"},
    {"onesided", AttributeKind::kInt,
     "1: only the half up to the middle, of the results of real input, or of the input of a real inverse; 0"}};
constexpr OpExample kExamples[] = {{"A step", R"(graph "dft" {
  init x = float32[1, 4, 1] {1, 1, 0, 0}
  y = DFT(x) {onesided = 1}
  output y
})",
                                    "float32[1, 3, 2] {2, 0, 1, -1, 0, 0}"},
                                   {"And back", R"(graph "dft_back" {
  init x = float32[1, 3, 2] {2, 0, 1, -1, 0, 0}
  y = DFT(x) {inverse = 1, onesided = 1}
  output y
})",
                                    "float32[1, 4, 1] {1, 1, 0, 0}"}};

struct Settings {
  bool inverse = false;
  bool onesided = false;

  /// The input is the half up to the middle of what a real signal gave.
  bool to_real() const { return inverse && onesided; }
  /// The output is that half.
  bool to_half() const { return !inverse && onesided; }
};

Result<Settings> settings_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t inverse, int_attribute(node, "inverse", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t onesided, int_attribute(node, "onesided", 0));
  return Settings{inverse != 0, onesided != 0};
}

Result<std::size_t> checked_axis(std::int64_t given, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, rank));
  if (axis + 1 < rank) return axis;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("input 2 (axis): found {}, the axis of the numbers' parts, expected another one", given));
}

Status check_length(const InferContext& context, const Dim& length) {
  if (!length.known() || (length.value >= 1 && length.value <= ops::kLongestTransform)) return {};
  return ops::input_error(context, 1, fmt::format("found a length of {}, expected 1 to {}", length.value, ops::kLongestTransform));
}

Status check_parts(const InferContext& context, const Dim& parts, const Settings& settings) {
  const bool real = !settings.to_real();
  const bool complex = !settings.to_half();
  if (!parts.known() || (real && parts.value == 1) || (complex && parts.value == 2)) return {};
  const std::string_view expected = real && complex ? "1 or 2" : real ? "1" : "2";
  return ops::input_error(context, 0, fmt::format("found {} in the last axis, expected {}", parts.value, expected));
}

/// The length of the whole transform, when none is given.
Dim whole_length(const Dim& extent, const Settings& settings) {
  if (!settings.to_real()) return extent;
  if (!extent.known()) return {};
  return {2 * (std::clamp<std::int64_t>(extent.value, 1, ops::kLongestTransform) - 1), {}};  // too long stays too long
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(context.node()));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kReals));
  MORU_ASSIGN_OR_RETURN(const auto length, ops::constant_index(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto given_axis, ops::constant_index(context, 2));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  if (x->size() < 2) return ops::input_error(context, 0, fmt::format("found rank {}, expected 2 or more", x->size()));
  MORU_RETURN_IF_ERROR(check_parts(context, x->back(), settings));
  SymbolicShape y = *x;
  y.back() = Dim{settings.to_real() ? 1 : 2, {}};
  if (context.has_input(2) && !given_axis) {
    for (std::size_t axis = 0; axis + 1 < y.size(); ++axis) y[axis] = {};
  } else {
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, checked_axis(given_axis.value_or(-2), x->size()));
    Dim& extent = y[axis];
    extent = whole_length(extent, settings);
    if (context.has_input(1)) extent = length ? Dim{*length, {}} : Dim{};
    MORU_RETURN_IF_ERROR(check_length(context, extent));
    if (settings.to_half()) extent = extent.known() ? Dim{ops::bins_of(extent.value, true), {}} : Dim{};
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

/// The other half of what a real signal gave is the mirrored first, with the imaginary parts turned round.
void complete(std::vector<ops::Complex>& half, std::int64_t length) {
  const auto whole = static_cast<std::size_t>(length);
  half.resize(whole / 2 + 1);
  half.resize(whole);
  for (std::size_t k = whole / 2 + 1; k < whole; ++k) half[k] = {half[whole - k].real, -half[whole - k].imaginary};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(context.node));
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, checked_axis(context.has_input(2) ? ops::to_ints(context.input(2))[0] : -2, dims.size()));
  const std::int64_t length = context.has_input(1) ? ops::to_ints(context.input(1))[0] : whole_length(Dim{dims[axis], {}}, settings).value;
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  const double* from = x.data<double>().data();
  const ops::Transform transform(length, settings.inverse);
  const std::int64_t parts = dims.back();
  const std::int64_t parts_out = settings.to_real() ? 1 : 2;
  const std::int64_t inner = ops::product_of(std::span(dims).subspan(axis + 1, dims.size() - axis - 2));
  const std::int64_t bins = context.outputs[0].dims()[axis];
  MORU_ASSIGN_OR_RETURN(Tensor buffer, Tensor::create(DType::kFloat64, context.outputs[0].dims()));
  const auto y = buffer.mutable_data<double>();
  std::vector<ops::Complex> signal;
  for (std::int64_t i = 0; i < ops::product_of(std::span(dims).first(axis)) * inner; ++i) {
    signal.assign(static_cast<std::size_t>(dims[axis]), {});
    for (std::int64_t t = 0; t < dims[axis]; ++t) {
      const double* at = from + ((i / inner * dims[axis] + t) * inner + i % inner) * parts;
      signal[static_cast<std::size_t>(t)] = {at[0], parts == 2 ? at[1] : 0};
    }
    if (settings.to_real()) complete(signal, length);
    for (std::int64_t k = 0; k < bins; ++k) {
      const ops::Complex result = transform.at(signal, k);
      const auto to = static_cast<std::size_t>(((i / inner * bins + k) * inner + i % inner) * parts_out);
      y[to] = result.real;
      if (parts_out == 2) y[to + 1] = result.imaginary;
    }
  }
  return ops::round_into(y, context.outputs[0]);
}

/// Before opset 20 axis was an attribute, 1 when left out.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 20) return {};
  rewrite.node.attributes.try_emplace("axis", std::int64_t{1});
  return ops::attribute_to_input(rewrite, "axis", 2);
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 20) return {};
  std::int64_t axis = -2;
  if (ops::input_of(rewrite, 2) != kNoValue) {
    const Tensor* given = ops::constant_of(rewrite, 2);
    if (given == nullptr || given->dtype() != DType::kInt64 || given->count() != 1) {
      return ops::not_in_opset(rewrite, "DFT with an axis that is computed");
    }
    axis = given->data<std::int64_t>()[0];
  }
  ops::set_input(rewrite, 2, kNoValue);
  rewrite.node.attributes.insert_or_assign("axis", axis);
  return {};
}

}  // namespace

extern const OpSpec kOp_dft;
const OpSpec kOp_dft{
    .name = "DFT",
    .domain = "",
    .since = 17,
    .doc =
        "The discrete Fourier transform along an axis of n: output[k] = sum over t of input[t] * exp(-2 pi i k t / n); the "
        "inverse has the other sign and divides by n. A one-sided inverse takes the half that a real signal gave, and gives it back.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
