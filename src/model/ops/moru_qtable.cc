// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "model/ops/support/loops.h"
#include "model/ops/support/quantized.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "int8 or uint8, any shape"},
                                {"table", "int8 or uint8 [256]: what each level becomes, from x's lowest on"}};
constexpr PortSpec kOutputs[] = {{"y", "as x, of table's type"}};
constexpr OpExample kExamples[] = {{"Each level by its negative", R"(graph "qtable" {
  init x = int8[3] {-1, 0, 2}
  init table = int8[256] {127, 127, 126, 125, 124, 123, 122, 121, 120, 119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101, 100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88, 87, 86, 85, 84, 83, 82, 81, 80, 79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 69, 68, 67, 66, 65, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -14, -15, -16, -17, -18, -19, -20, -21, -22, -23, -24, -25, -26, -27, -28, -29, -30, -31, -32, -33, -34, -35, -36, -37, -38, -39, -40, -41, -42, -43, -44, -45, -46, -47, -48, -49, -50, -51, -52, -53, -54, -55, -56, -57, -58, -59, -60, -61, -62, -63, -64, -65, -66, -67, -68, -69, -70, -71, -72, -73, -74, -75, -76, -77, -78, -79, -80, -81, -82, -83, -84, -85, -86, -87, -88, -89, -90, -91, -92, -93, -94, -95, -96, -97, -98, -99, -100, -101, -102, -103, -104, -105, -106, -107, -108, -109, -110, -111, -112, -113, -114, -115, -116, -117, -118, -119, -120, -121, -122, -123, -124, -125, -126, -127}
  y = moru::QTable(x, table)
  output y
})",
                                    "int8[3] {1, 0, -2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 1, "[256]"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, {256, {}}, "an entry a level"));
  context.set_output(0, {context.input(1).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  return ops::for_dtype<std::int8_t, std::uint8_t>(context.input(0).dtype(), [&]<class X>() {
    return ops::for_dtype<std::int8_t, std::uint8_t>(context.input(1).dtype(), [&]<class Y>() -> Status {
      const auto table = context.input(1).data<Y>();
      std::ranges::transform(context.input(0).data<X>(), context.outputs[0].mutable_data<Y>().begin(), [&](X level) {
        return table[static_cast<std::size_t>(static_cast<int>(level) - static_cast<int>(std::numeric_limits<X>::min()))];
      });
      return {};
    });
  });
}

}  // namespace

extern const OpSpec kOp_moru_qtable;
const OpSpec kOp_moru_qtable{.name = "QTable",
                             .domain = "moru",
                             .since = 1,
                             .doc = "Any function of one level, any shape: y = table[x - lowest level of x].",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
