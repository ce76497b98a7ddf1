// SPDX-License-Identifier: Apache-2.0
#include "model/convert/support/spatial.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::model::convert {

Result<Spatial> Spatial::open(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  if (shape.size() != 3 && shape.size() != 4)
    return rewrite.unsupported(fmt::format("{} spatial axes", std::ssize(shape) - 2), "1 or 2, since TFLite's ops have planes");
  Spatial spatial(rewrite);
  spatial.rank_ = shape.size();
  spatial.x_ = rewrite.transpose(rewrite.input(0), channels_last(shape.size()));
  if (shape.size() == 3) {
    // A row is a plane of height 1.
    const SymbolicShape row = *rewrite.type(spatial.x_).shape;
    spatial.x_ = rewrite.reshape(spatial.x_, {row[0], {1, {}}, row[1], row[2]});
  }
  return spatial;
}

ValueId Spatial::make_output() {
  ValueType type = layout::permuted(rewrite_->type(rewrite_->output()), channels_last(rank_));
  if (rank_ == 3) type.shape->insert(type.shape->begin() + 1, Dim{1, {}});
  return rewrite_->value(std::move(type));
}

void Spatial::close(ValueId made) {
  if (rank_ == 3) {
    SymbolicShape row = *rewrite_->type(made).shape;
    row.erase(row.begin() + 1);
    made = rewrite_->reshape(made, std::move(row));
  }
  rewrite_->transpose_to(made, rewrite_->output(), channels_first(rank_));
}

std::pair<std::int64_t, std::int64_t> Spatial::plane(const std::vector<std::int64_t>& per_axis, std::int64_t missing) {
  if (per_axis.size() == 1) return {missing, per_axis[0]};
  return {per_axis[0], per_axis[1]};
}

bool Padding::needs_pad() const {
  const auto some = [](std::int64_t n) { return n != 0; };
  return std::ranges::any_of(begin, some) || std::ranges::any_of(end, some);
}

Result<Padding> padding_of(const Rewrite& rewrite, const ops::Window& window, std::span<const Dim> input, std::span<const Dim> output) {
  Padding padding;
  if (window.auto_pad == ops::AutoPad::kSameUpper) {
    padding.word = "SAME";
    return padding;
  }
  std::vector<std::int64_t> extents;
  for (const Dim& dim : input) extents.push_back(dim.value);
  const bool known = std::ranges::none_of(extents, [](std::int64_t n) { return n < 0; });
  ops::Window resolved = window;
  if (window.auto_pad == ops::AutoPad::kSameLower) {
    if (!known) return rewrite.unsupported("SAME_LOWER on unknown extents", "known extents");
    ops::resolve_padding(resolved, extents);
  }
  if (window.auto_pad == ops::AutoPad::kValid) return padding;
  bool is_same = true;
  for (std::size_t i = 0; i < window.rank(); ++i) {
    const std::int64_t begin = resolved.pads_begin[i];
    std::int64_t end = resolved.pads_end[i];
    if (extents[i] >= 0 && output[i].known()) {
      // What the last window needs: more than the padding when the extent is rounded up, less when it is rounded down.
      const std::int64_t needed = (output[i].value - 1) * window.strides[i] + window.reach(i) - extents[i] - begin;
      end = std::max<std::int64_t>(needed, 0);
      const std::int64_t same_out = (extents[i] + window.strides[i] - 1) / window.strides[i];
      const std::int64_t total = std::max<std::int64_t>((same_out - 1) * window.strides[i] + window.reach(i) - extents[i], 0);
      is_same = is_same && same_out == output[i].value && begin == total / 2;
    } else {
      const std::int64_t total = window.reach(i) - 1;
      is_same = is_same && window.strides[i] == 1 && begin == total / 2 && end == total - total / 2;
      if (!is_same && window.ceil_mode) return rewrite.unsupported("ceil_mode on unknown extents", "known extents");
    }
    padding.begin.push_back(begin);
    padding.end.push_back(end);
  }
  if (is_same && padding.needs_pad()) return Padding{.word = "SAME", .begin = {}, .end = {}};
  return padding;
}

ValueId add_pad(Rewrite& rewrite, ValueId x, const Padding& padding, const Tensor* value) {
  const auto [top, left] = Spatial::plane(padding.begin, 0);
  const auto [bottom, right] = Spatial::plane(padding.end, 0);
  SymbolicShape shape = *rewrite.type(x).shape;
  if (shape[1].known()) {
    shape[1].value += top + bottom;
  } else {
    shape[1] = {};
  }
  if (shape[2].known()) {
    shape[2].value += left + right;
  } else {
    shape[2] = {};
  }
  const ValueType before = rewrite.type(x);
  const ValueId to = rewrite.value_like(x, std::move(shape));
  const std::vector<std::int32_t> pads{0,
                                       0,
                                       static_cast<std::int32_t>(top),
                                       static_cast<std::int32_t>(bottom),
                                       static_cast<std::int32_t>(left),
                                       static_cast<std::int32_t>(right),
                                       0,
                                       0};
  const ValueId around = rewrite.constant("paddings", Tensor::of<std::int32_t>({4, 2}, pads));
  if (value == nullptr) {
    rewrite.add("PAD", {x, around}, {to});
    return to;
  }
  const ValueId filling = rewrite.constant("filling", *value);
  ValueType type = rewrite.type(filling);
  type.quantization = before.quantization;
  rewrite.graph.set_type(filling, std::move(type));
  rewrite.add("PADV2", {x, around, filling}, {to});
  return to;
}

}  // namespace moru::model::convert
