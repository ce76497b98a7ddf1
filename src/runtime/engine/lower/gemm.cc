// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "runtime/engine/copy.h"
#include "runtime/engine/mixed.h"
#include "runtime/engine/pair.h"
#include "runtime/engine/product.h"
#include "runtime/engine/stretch.h"

namespace moru::runtime::engine {
namespace {

enum Input : std::size_t { kA, kBMatrix, kC };

struct Options {
  bool trans_a = false;
  bool trans_b = false;
  float alpha = 1;
  float beta = 1;
};

Result<Options> read_options(const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_a, model::int_attribute(node, "transA", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_b, model::int_attribute(node, "transB", 0));
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  MORU_ASSIGN_OR_RETURN(const float beta, model::float_attribute(node, "beta", 1.0F));
  return Options{trans_a != 0, trans_b != 0, alpha, beta};
}

/// C as one number a column where it is a constant of that shape or left out (then empty); nothing otherwise.
Result<std::optional<std::vector<float>>> bias_of(Lowering& lowering, const model::Node& node, int n, float beta) {
  std::vector<float> bias;
  if (!lowering.has_input(node, kC)) return bias;
  MORU_ASSIGN_OR_RETURN(const model::Tensor* c, lowering.known(node.inputs[kC]));
  if (c == nullptr) return std::nullopt;
  const bool is_row = c->rank() == 1 || (c->rank() == 2 && c->dims()[0] == 1);
  if (c->count() != 1 && (!is_row || c->count() != n)) return std::nullopt;
  for (int o = 0; o < n; ++o) bias.push_back(beta * c->data<float>()[c->count() == 1 ? 0 : static_cast<std::size_t>(o)]);
  return bias;
}

class ScaleStep final : public ElementsStep {
 public:
  ScaleStep(BufferId x, BufferId y, std::size_t count, float factor, const kernels::Kernels& kernels)
      : ElementsStep(count), x_(x), y_(y), factor_(factor), scale_(kernels.elementwise->scale_f32) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    constexpr Bounds kNone;
    scale_(frame.at<const float>(x_) + first, frame.at<float>(y_) + first, count, factor_, kNone.low, kNone.high);
  }

 private:
  BufferId x_;
  BufferId y_;
  float factor_;
  void (*scale_)(const float* x, float* y, std::size_t count, float factor, float low, float high);
};

BufferId scaled(Lowering& lowering, BufferId x, std::size_t count, float factor) {
  if (factor == 1.0F) return x;
  const BufferId y = lowering.between(count * sizeof(float));
  lowering.add(std::make_unique<ScaleStep>(x, y, count, factor, lowering.kernels()), {x, y});
  return y;
}

/// Any A, B and C: A is turned where it must be, C is written out to the size of Y.
Status lower_any(Lowering& lowering, const model::Node& node, const Options& options) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kBMatrix, Layout::kPlain));
  if (!a.is_float() || !b.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  const model::Dims a_dims = options.trans_a ? model::Dims{a.dims[1], a.dims[0]} : a.dims;
  const model::Dims b_dims = options.trans_b ? model::Dims{b.dims[1], b.dims[0]} : b.dims;
  MORU_ASSIGN_OR_RETURN(const PairShape shape, read_pair(a_dims, b_dims));
  BufferId left = a.buffer;
  if (options.trans_a) {
    left = lowering.between(a.count() * sizeof(float));
    const Copy turn{.dims = a_dims, .from_strides = {1, a.dims[1]}, .to_strides = dense_strides(a_dims)};
    lowering.add(make_copy(a.buffer, left, turn, sizeof(float)), {a.buffer, left});
  }
  left = scaled(lowering, left, a.count(), options.alpha);
  const Stored y_like{.dtype = model::DType::kFloat32, .dims = {shape.m, shape.n}};
  BufferId residual = -1;
  if (lowering.has_input(node, kC)) {
    MORU_ASSIGN_OR_RETURN(const Stored c, lowering.input(node, kC, Layout::kPlain));
    residual = lowering.between(y_like.count() * sizeof(float));
    const Copy spread{.dims = y_like.dims, .from_strides = stretched_strides(c, y_like), .to_strides = dense_strides(y_like.dims)};
    lowering.add(make_copy(c.buffer, residual, spread, sizeof(float)), {c.buffer, residual});
    residual = scaled(lowering, residual, y_like.count(), options.beta);
  }
  model::ValueId value = node.outputs.front();
  const Bounds bounds = lowering.absorb_bounds(value);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(value, Layout::kPlain));
  const MatrixSteps steps = options.trans_b ? MatrixSteps{.k_step = 1, .n_step = shape.k} : MatrixSteps{.k_step = shape.n, .n_step = 1};
  return add_pair(lowering, shape, steps, {left, b.buffer, y.buffer, residual}, bounds);
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Options options, read_options(node));
  MORU_ASSIGN_OR_RETURN(const model::Dims b_dims, lowering.dims(node.inputs[kBMatrix]));
  const auto n = static_cast<int>(std::min<std::int64_t>(b_dims[options.trans_b ? 0 : 1], std::numeric_limits<int>::max()));
  if (lowering.graph().value(node.inputs[kBMatrix]).type.dtype != model::DType::kFloat32) {
    return fail(ErrorCode::kUnsupported, "expected float32");
  }
  MORU_ASSIGN_OR_RETURN(const auto bias, bias_of(lowering, node, n, options.beta));
  if (options.trans_a || !bias) return lower_any(lowering, node, options);
  MORU_ASSIGN_OR_RETURN(auto mixed, mixed_weights(lowering, node.inputs[kBMatrix], options.trans_b));
  const model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA, Layout::kPlain));
  if (mixed) {
    MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, b_dims, options.trans_b));
    for (float& scale : mixed->scale) scale *= options.alpha;
    return lower_product(lowering, a, y, *bias, [&](std::span<const float> numbers, Bounds bounds) {
      return make_matrix(lowering, *mixed, shape.m, numbers, bounds);
    });
  }
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.known(node.inputs[kBMatrix]));
  if (b == nullptr) return lower_any(lowering, node, options);
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, b_dims, options.trans_b));
  auto rows = rows_of_matrix(b->data<float>(), shape.n, shape.k, options.trans_b);
  for (float& weight : rows) weight *= options.alpha;
  return lower_product(lowering, a, y, *bias, [&](std::span<const float> numbers, Bounds bounds) {
    return make_matrix(lowering, rows, {.n = shape.n, .k = shape.k, .m = shape.m}, numbers, bounds);
  });
}

}  // namespace

extern const LowerSpec kLower_gemm;
const LowerSpec kLower_gemm{.name = "Gemm", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
