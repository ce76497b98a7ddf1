// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <type_traits>

#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

using model::DType;

/// Those of the op's definition: cut towards 0, what does not fit becomes the nearest that does, and what is no number becomes 0.
template <class To>
To whole(float x) {
  constexpr auto kLeast = std::numeric_limits<To>::min();
  constexpr auto kMost = std::numeric_limits<To>::max();
  if (x != x) return 0;
  if (x <= static_cast<float>(kLeast)) return kLeast;
  return x >= static_cast<float>(kMost) ? kMost : static_cast<To>(x);
}

/// The C++ type of the graph's numbers, not of those that lie in memory: int8 lies 128 higher.
template <class T>
struct Kept {
  using Type = T;
  static T of(Type x) { return x; }
  static Type back(T x) { return x; }
};
template <>
struct Kept<std::int8_t> {
  using Type = std::uint8_t;
  static std::int8_t of(Type x) { return static_cast<std::int8_t>(x - 128); }
  static Type back(std::int8_t x) { return static_cast<Type>(x + 128); }
};
template <>
struct Kept<bool> {
  using Type = std::uint8_t;
  static bool of(Type x) { return x != 0; }
  static Type back(bool x) { return x ? 1 : 0; }
};

template <class From, class To>
Status lower_cast(Lowering& lowering, const model::Node& node) {
  using Out = typename Kept<To>::Type;
  using In = typename Kept<From>::Type;
  return lower_elements<Out, In>(lowering, node, [](In x) {
    const From from = Kept<From>::of(x);
    if constexpr (std::is_same_v<From, float> && std::is_integral_v<To> && !std::is_same_v<To, bool>) {
      return Kept<To>::back(whole<To>(from));
    } else {
      return Kept<To>::back(static_cast<To>(from));
    }
  });
}

template <class F>
Status with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kFloat32: return f.template operator()<float>();
    case DType::kInt8: return f.template operator()<std::int8_t>();
    case DType::kUInt8: return f.template operator()<std::uint8_t>();
    case DType::kInt16: return f.template operator()<std::int16_t>();
    case DType::kInt32: return f.template operator()<std::int32_t>();
    case DType::kInt64: return f.template operator()<std::int64_t>();
    case DType::kBool: return f.template operator()<bool>();
    default:
      return fail(ErrorCode::kUnsupported,
                  "found a cast of " + std::string(model::to_string(dtype)) + ", expected float32, bool or signed integers");
  }
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const DType from, dtype_of(lowering, node, 0));
  const auto to = lowering.graph().value(node.outputs.front()).type.dtype;
  if (!to) return fail(ErrorCode::kUnsupported, "found an output of no known type, expected one");
  if (from == *to) {
    MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
    lowering.alias(node.outputs.front(), x);
    return {};
  }
  return with_type(from, [&]<class From>() { return with_type(*to, [&]<class To>() { return lower_cast<From, To>(lowering, node); }); });
}

}  // namespace

extern const LowerSpec kLower_cast;
const LowerSpec kLower_cast{.name = "Cast", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
