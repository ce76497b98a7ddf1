// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/resample.h"

#include <algorithm>
#include <limits>

namespace moru::runtime::engine {
namespace {

/// An element of the input that goes into one of the output.
struct Tap {
  std::int64_t index;
  float weight;
};

/// [outer, in, inner] to [outer, out, inner].
struct AxisShape {
  std::int64_t outer = 1;
  std::int64_t in = 1;
  std::int64_t out = 1;
  std::int64_t inner = 1;
};

class ResampleStep final : public Step {
 public:
  /// `places` has where the taps of each element of the output begin, and where the last ones end; one without any is `outside`.
  ResampleStep(BufferId x, BufferId y, BufferId work, const AxisShape& shape, std::vector<Tap> taps, std::vector<std::size_t> places,
               float outside, const kernels::Kernels& kernels)
      : x_(x),
        y_(y),
        work_(work),
        it_(shape),
        taps_(std::move(taps)),
        places_(std::move(places)),
        outside_(outside),
        mul_(kernels.map->mul),
        add_(kernels.map->add) {}

  void run(const Frame& frame) const noexcept override {
    const float* x = frame.at<const float>(x_);
    float* y = frame.at<float>(y_);
    auto* work = frame.at<float>(work_);
    for (std::int64_t i = 0; i < it_.outer; ++i, x += it_.in * it_.inner) {
      for (std::size_t place = 0; place + 1 < places_.size(); ++place, y += it_.inner) {
        const std::span<const Tap> taps(taps_.data() + places_[place], places_[place + 1] - places_[place]);
        if (taps.empty()) {
          std::fill_n(y, it_.inner, outside_);
        } else if (it_.inner == 1) {
          *y = one(x, taps);
        } else {
          line(x, taps, y, work);
        }
      }
    }
  }

 private:
  static float one(const float* x, std::span<const Tap> taps) noexcept {
    float sum = 0;
    for (const Tap& tap : taps) sum += tap.weight * x[tap.index];
    return sum;
  }
  void line(const float* x, std::span<const Tap> taps, float* y, float* work) const noexcept {
    weigh(x, taps.front(), y);
    for (const Tap& tap : taps.subspan(1)) {
      weigh(x, tap, work);
      call(add_, y, work, 1, y);
    }
  }
  void weigh(const float* x, const Tap& tap, float* y) const noexcept { call(mul_, x + tap.index * it_.inner, &tap.weight, 0, y); }
  void call(kernels::BinaryMap map, const float* a, const float* b, std::size_t b_step, float* y) const noexcept {
    map({.a = a,
         .b = b,
         .a_step = 1,
         .b_step = b_step,
         .y = y,
         .count = static_cast<std::size_t>(it_.inner),
         .low = -std::numeric_limits<float>::infinity(),
         .high = std::numeric_limits<float>::infinity()});
  }

  BufferId x_;
  BufferId y_;
  BufferId work_;
  AxisShape it_;
  std::vector<Tap> taps_;
  std::vector<std::size_t> places_;
  float outside_;
  kernels::BinaryMap mul_;
  kernels::BinaryMap add_;
};

/// Taps that weigh nothing are left out, unless all do.
void add_taps(const model::ops::Taps& all, std::size_t place, std::vector<Tap>& taps) {
  const std::size_t before = taps.size();
  for (std::size_t i = place * all.per_place; i < (place + 1) * all.per_place; ++i) {
    const double weight = all.weight.empty() ? 1.0 : all.weight[i];
    if (weight != 0) taps.push_back({all.index[i], static_cast<float>(weight)});
  }
  if (taps.size() == before) taps.push_back({all.index[place * all.per_place], 0.0F});
}

}  // namespace

Status add_resample(Lowering& lowering, const Stored& x, const Stored& y, std::span<const model::ops::AxisResize> resizes,
                    const model::ops::Resampling& how) {
  std::vector<model::ops::AxisResize> axes(resizes.begin(), resizes.end());
  if (x.layout == Layout::kChannelsLast) std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  std::vector<model::ops::Taps> taps;
  std::size_t left = 0;
  for (const auto& axis : axes) {
    taps.push_back(model::ops::taps_of(axis, how));
    left += taps.back().is_identity ? 0 : 1;
  }
  model::Dims dims = x.physical_dims();
  BufferId from = x.buffer;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (taps[i].is_identity && !(left == 0 && i + 1 == axes.size())) continue;
    AxisShape shape{.in = axes[i].in, .out = axes[i].out};
    for (std::size_t j = 0; j < dims.size(); ++j) {
      if (j != i) (j < i ? shape.outer : shape.inner) *= dims[j];
    }
    std::vector<Tap> kept;
    std::vector<std::size_t> places = {0};
    for (std::size_t place = 0; place < static_cast<std::size_t>(axes[i].out); ++place) {
      if (!taps[i].outside[place]) add_taps(taps[i], place, kept);
      places.push_back(kept.size());
    }
    dims[i] = axes[i].out;
    std::int64_t count = 1;
    for (const std::int64_t extent : dims) count *= extent;
    const BufferId to = left <= 1 ? y.buffer : lowering.between(static_cast<std::size_t>(count) * sizeof(float));
    const BufferId work = lowering.scratch(static_cast<std::size_t>(shape.inner) * sizeof(float));
    lowering.add(
        std::make_unique<ResampleStep>(from, to, work, shape, std::move(kept), std::move(places), how.extrapolation, lowering.kernels()),
        {from, to, work});
    from = to;
    left -= left > 0 ? 1 : 0;
  }
  return {};
}

}  // namespace moru::runtime::engine
