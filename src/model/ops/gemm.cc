// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/matrix.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"A", "[M, K], or [K, M] with transA"}, {"B", "[K, N], or [N, K] with transB"}, {"C", "stretches to [M, N]", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[M, N]"}};
constexpr AttributeSpec kAttributes[] = {
    {"alpha", AttributeKind::kFloat, "factor of the product; 1"},
    {"beta", AttributeKind::kFloat, "factor of C; 1"},
    {"transA", AttributeKind::kInt, "1: A is given transposed; 0"},
    {"transB", AttributeKind::kInt, "1: B is given transposed; 0"},
};
constexpr OpExample kExamples[] = {{"A layer of two outputs with bias", R"(graph "linear" {
  init x = float32[1, 3] {1, 2, 3}
  init w = float32[2, 3] {1, 0, 0, 0, 1, 1}
  init b = float32[2] {0.5, -0.5}
  y = Gemm(x, w, b) {transB = 1}
  output y
})",
                                    "float32[1, 2] {1.5, 4.5}"}};

struct Options {
  std::size_t transpose_a = 0;
  std::size_t transpose_b = 0;
  double alpha = 1;
  double beta = 1;
};

Result<Options> read_options(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t a, int_attribute(node, "transA", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t b, int_attribute(node, "transB", 0));
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(node, "alpha", 1));
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(node, "beta", 1));
  return Options{a != 0 ? 1U : 0U, b != 0 ? 1U : 0U, static_cast<double>(alpha), static_cast<double>(beta)};
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumbers));
  MORU_ASSIGN_OR_RETURN(const Options options, read_options(context.node()));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 2, "[M, K]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 2, "[K, N]"));
  const SymbolicShape* a = ops::shape_of(context, 0);
  const SymbolicShape* b = ops::shape_of(context, 1);
  if (a != nullptr)
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, options.transpose_b, (*a)[1 - options.transpose_a], "K of input 0 (A)"));
  SymbolicShape y{a != nullptr ? (*a)[options.transpose_a] : Dim{}, b != nullptr ? (*b)[1 - options.transpose_b] : Dim{}};
  if (const SymbolicShape* c = ops::shape_of(context, 2)) {
    // C stretches to Y, never the other way.
    const auto both = ops::broadcast(y, *c);
    const bool fits = both && both->size() == 2 && ops::merge((*both)[0], y[0]) && ops::merge((*both)[1], y[1]);
    if (!fits)
      return ops::input_error(context, 2, fmt::format("found {}, expected a shape that stretches to {}", to_string(*c), to_string(y)));
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

/// alpha * sum + beta * c. Integers are scaled in double, where there is anything to scale, and cut towards 0.
template <class W>
W combine(W sum, W c, const Options& options) {
  if constexpr (std::is_same_v<W, double>) {
    return options.alpha * sum + options.beta * c;
  } else {
    if (options.alpha == 1 && options.beta == 1) return ops::wrap_add(sum, c);
    return ops::from_real<W>(options.alpha * static_cast<double>(sum) + options.beta * static_cast<double>(c));
  }
}

template <class T>
void multiply(EvalContext& context, const Options& options) {
  const Tensor& a = context.input(0);
  const Tensor& b = context.input(1);
  Tensor& y = context.outputs[0];
  const auto view = [](const Tensor& tensor, bool transposed) {
    const std::int64_t width = tensor.dims()[1];
    return ops::MatrixView<T>{tensor.data<T>().data(), transposed ? 1 : width, transposed ? width : 1};
  };
  const auto left = view(a, options.transpose_a != 0);
  const auto right = view(b, options.transpose_b != 0);
  const std::int64_t depth = a.dims()[1 - options.transpose_a];
  const T* c = context.has_input(2) ? context.input(2).data<T>().data() : nullptr;
  const auto c_strides = c != nullptr ? ops::broadcast_strides(context.input(2).dims(), y.dims()) : std::vector<std::int64_t>{0, 0};
  std::vector<ops::Wide<T>> sum(static_cast<std::size_t>(y.dims()[1]));
  T* to = y.mutable_data<T>().data();
  for (std::int64_t i = 0; i < y.dims()[0]; ++i) {
    std::ranges::fill(sum, ops::Wide<T>{0});
    ops::add_row_product<T>(left, right, i, depth, sum);
    for (std::int64_t j = 0; j < y.dims()[1]; ++j) {
      const auto bias = c != nullptr ? ops::widen(c[i * c_strides[0] + j * c_strides[1]]) : ops::Wide<T>{0};
      *to++ = ops::narrow<T>(combine(sum[static_cast<std::size_t>(j)], bias, options));
    }
  }
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Options options, read_options(context.node));
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    multiply<T>(context, options);
    return {};
  });
}

/// Before opset 7 C stretched only when asked; ours always may.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 7) ops::drop_attribute(rewrite, "broadcast");
  return {};
}

std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* a = ops::shape_of(context, 0);
  const auto options = read_options(context.node());
  if (a == nullptr || a->size() != 2 || !options) return std::nullopt;
  return ops::macs_of(context, std::span<const Dim>(*a).subspan(1 - options->transpose_a, 1));
}

}  // namespace

extern const OpSpec kOp_gemm;
const OpSpec kOp_gemm{
    .name = "Gemm",
    .domain = "",
    .since = 1,
    .doc =
        "A product of matrices with bias: the fully connected layer. A [M, K], B [K, N], C -> Y [M, N]: Y = alpha * A B + beta * C, "
        "where A and B are transposed first if so asked.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .gaps = {},
    .upgrade = upgrade,
    .downgrade = nullptr,
    .macs = macs};

}  // namespace moru::model
