// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/parity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/json.h"
#include "runtime/measure/compare.h"

namespace moru::runtime {
namespace {

using model::Tensor;

/// The elements as doubles, where they have an order.
std::optional<std::vector<double>> ordered_values(const Tensor& tensor) {
  if (bits_of(tensor.dtype()) == 4) return ordered_values(model::unpack_4bit(tensor));
  std::optional<std::vector<double>> values;
  model::visit_element_type(tensor.dtype(), [&]<class T>() {
    if constexpr (std::is_convertible_v<T, double> || model::kIsFloat<T>) {
      values.emplace();
      for (const T& value : tensor.data<T>()) values->push_back(static_cast<double>(value));
    }
  });
  return values;
}

/// NaN is larger than nothing.
std::size_t largest(std::span<const double> values) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[best] || std::isnan(values[best])) best = i;
  }
  return best;
}

void add_choices(const Tensor& expected, const Tensor& found, Parity* parity) {
  const auto a = ordered_values(expected);
  const auto b = ordered_values(found);
  if (!a || !b || a->empty()) return;
  const std::size_t samples = expected.rank() >= 2 ? static_cast<std::size_t>(expected.dims()[0]) : 1;
  const std::size_t size = a->size() / samples;
  if (size < 2) return;
  const auto [low, high] = std::ranges::minmax(*a);
  bool levels = true;
  model::visit_element_type(expected.dtype(), [&]<class T>() { levels = !model::kIsFloat<T>; });
  const double near = std::max(levels ? kNearLevels : 0.0, kNearShare * (high - low));
  for (std::size_t i = 0; i < samples; ++i) {
    const auto of_a = std::span(*a).subspan(i * size, size);
    const auto of_b = std::span(*b).subspan(i * size, size);
    const std::size_t choice_a = largest(of_a);
    const std::size_t choice_b = largest(of_b);
    ++parity->samples;
    const bool same = choice_a == choice_b || of_a[choice_a] == of_a[choice_b] || of_b[choice_a] == of_b[choice_b];
    if (same) ++parity->agreements;
    if (same || of_a[choice_a] - of_a[choice_b] <= near) ++parity->near_agreements;
  }
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json("inf"); }

}  // namespace

Status add_run(const Tensor& expected, const Tensor& found, Parity* parity) {
  MORU_ASSIGN_OR_RETURN(const Difference difference, compare(expected, found));
  const double error_squares = difference.rms_error * difference.rms_error * static_cast<double>(difference.count);
  const double errors_so_far = parity->rms_error * parity->rms_error * static_cast<double>(parity->count);
  parity->squares += difference.squares;
  ++parity->runs;
  parity->count += difference.count;
  parity->max_error = std::max(parity->max_error, difference.max_error);
  const double errors = errors_so_far + error_squares;
  parity->rms_error = parity->count == 0 ? 0.0 : std::sqrt(errors / static_cast<double>(parity->count));
  parity->nmse = errors == 0.0 ? 0.0 : parity->squares > 0.0 ? errors / parity->squares : std::numeric_limits<double>::infinity();
  parity->same_bits = parity->same_bits && same_bits(expected, found);
  add_choices(expected, found, parity);
  return {};
}

Json to_json(const Parity& parity) {
  return {{"output", parity.output},
          {"runs", parity.runs},
          {"elements", parity.count},
          {"max_error", number(parity.max_error)},
          {"rms_error", number(parity.rms_error)},
          {"nmse", number(parity.nmse)},
          {"same_bits", parity.same_bits},
          {"samples", parity.samples},
          {"argmax_agreement",
           parity.samples == 0 ? Json() : Json(static_cast<double>(parity.agreements) / static_cast<double>(parity.samples))}};
}

}  // namespace moru::runtime
