// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <type_traits>

#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"start", "scalar of float32, float64, int16, int32 or int64"},
                                {"limit", "scalar: the numbers stop before it"},
                                {"delta", "scalar, the step; not 0"}};
constexpr PortSpec kOutputs[] = {{"output", "[max(ceil((limit - start) / delta), 0)]"}};
constexpr OpExample kExamples[] = {{"Down from 10", R"(graph "range" {
  init start = int64[] {10}
  init limit = int64[] {4}
  init delta = int64[] {-2}
  y = Range(start, limit, delta)
  output y
})",
                                    "int64[3] {10, 8, 6}"}};

constexpr std::initializer_list<DType> kTypes = {DType::kFloat32, DType::kFloat64, DType::kInt16, DType::kInt32, DType::kInt64};

template <class F>
Status for_type(DType dtype, F f) {
  return ops::for_dtype<float, double, std::int16_t, std::int32_t, std::int64_t>(dtype, f);
}

Result<std::int64_t> too_many() { return fail(ErrorCode::kResourceExhausted, "found more than 2^40 numbers, expected less"); }

Result<std::int64_t> count_of(double start, double limit, double delta) {
  const double count = std::ceil((limit - start) / delta);
  if (std::isnan(count)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} to {} by {}, expected finite numbers", start, limit, delta));
  }
  if (count > static_cast<double>(ops::kMaxExtent)) return too_many();
  return count <= 0 ? 0 : static_cast<std::int64_t>(count);
}

Result<std::int64_t> count_of(std::int64_t start, std::int64_t limit, std::int64_t delta) {
  if (delta > 0 ? limit <= start : limit >= start) return 0;
  // Differences of int64 fit into uint64, whichever way they go.
  const auto from = static_cast<std::uint64_t>(delta > 0 ? start : limit);
  const auto to = static_cast<std::uint64_t>(delta > 0 ? limit : start);
  const std::uint64_t step = delta > 0 ? static_cast<std::uint64_t>(delta) : 0 - static_cast<std::uint64_t>(delta);
  const std::uint64_t count = (to - from - 1) / step + 1;
  if (count > static_cast<std::uint64_t>(ops::kMaxExtent)) return too_many();
  return static_cast<std::int64_t>(count);
}

template <class T>
Result<std::int64_t> count_in(const InferContext& context) {
  using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  const auto at = [&](std::size_t index) { return static_cast<Wide>(context.constant(index)->data<T>()[0]); };
  if (at(2) == Wide{0}) return ops::input_error(context, 2, "found 0, expected another number");
  return count_of(at(0), at(1), at(2));
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, kTypes));
  bool all_known = true;
  for (std::size_t i = 0; i < 3; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_single_element(context, i));
    all_known = all_known && context.constant(i) != nullptr;
  }
  Dim count;
  if (all_known) {
    MORU_RETURN_IF_ERROR(for_type(*dtype, [&]<class T>() -> Status {
      MORU_ASSIGN_OR_RETURN(count.value, count_in<T>(context));
      return {};
    }));
  }
  context.set_output(0, {dtype, SymbolicShape{count}});
  return {};
}

Status reference(EvalContext& context) {
  return for_type(context.input(0).dtype(), [&]<class T>() -> Status {
    const T start = context.input(0).data<T>()[0];
    const T delta = context.input(2).data<T>()[0];
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = ops::narrow<T>(ops::wrap_add(ops::widen(start), ops::wrap_multiply(static_cast<ops::Wide<T>>(i), ops::widen(delta))));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_range;
const OpSpec kOp_range{.name = "Range",
                       .domain = "",
                       .since = 11,
                       .doc = "Numbers at equal distances: output[i] = start + i * delta, as long as they lie before limit.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attributes = {},
                       .infer = infer,
                       .reference = reference,
                       .examples = kExamples};

}  // namespace moru::model
