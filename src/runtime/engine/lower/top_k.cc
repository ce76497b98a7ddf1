// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/engine/lines.h"

namespace moru::runtime::engine {
namespace {

class TopKStep final : public Step {
 public:
  struct Buffers {
    BufferId x;
    BufferId values;   ///< -1: not asked for
    BufferId indices;  ///< -1: not asked for
    BufferId order;    ///< an int32 an element of a line
  };
  TopKStep(const Buffers& buffers, const LineShape& shape, std::size_t count, bool largest)
      : buffers_(buffers), it_(shape), count_(count), largest_(largest) {}

  void run(const Frame& frame) const noexcept override {
    const float* x = frame.at<const float>(buffers_.x);
    auto* order = frame.at<std::int32_t>(buffers_.order);
    for (std::size_t i = 0; i < it_.outer; ++i) {
      for (std::size_t j = 0; j < it_.inner; ++j) {
        sort(x + i * it_.extent * it_.inner + j, order);
        write(frame, x + i * it_.extent * it_.inner + j, order, i * count_ * it_.inner + j);
      }
    }
  }

 private:
  /// The best first; of equal ones the first, and what is no number behind all: an order whatever there is.
  void sort(const float* line, std::int32_t* order) const noexcept {
    std::iota(order, order + it_.extent, 0);
    std::partial_sort(order, order + count_, order + it_.extent, [&](std::int32_t a, std::int32_t b) {
      const float left = line[static_cast<std::size_t>(a) * it_.inner];
      const float right = line[static_cast<std::size_t>(b) * it_.inner];
      if (std::isnan(left) != std::isnan(right)) return std::isnan(right);
      if (left == right || std::isnan(left)) return a < b;
      return largest_ ? left > right : left < right;
    });
  }
  void write(const Frame& frame, const float* line, const std::int32_t* order, std::size_t at) const noexcept {
    for (std::size_t i = 0; i < count_; ++i, at += it_.inner) {
      if (buffers_.values >= 0) frame.at<float>(buffers_.values)[at] = line[static_cast<std::size_t>(order[i]) * it_.inner];
      if (buffers_.indices >= 0) frame.at<std::int64_t>(buffers_.indices)[at] = order[i];
    }
  }

  Buffers buffers_;
  LineShape it_;
  std::size_t count_;
  bool largest_;
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const LineShape shape, read_lines(node, x.dims, -1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t largest, model::int_attribute(node, "largest", 1));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* k, lowering.constant(node, 1));
  const std::int64_t count = k->data<std::int64_t>()[0];
  if (count < 0 || static_cast<std::size_t>(count) > shape.extent || shape.extent > std::numeric_limits<std::int32_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found K {}, expected 0 to {}", count, shape.extent));
  }
  TopKStep::Buffers buffers{x.buffer, -1, -1, lowering.scratch(shape.extent * sizeof(std::int32_t))};
  std::vector<BufferId> uses = {x.buffer, buffers.order};
  BufferId* outputs[] = {&buffers.values, &buffers.indices};
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == model::kNoValue) continue;
    MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs[i], Layout::kPlain));
    *outputs[i] = y.buffer;
    uses.push_back(y.buffer);
  }
  lowering.add(std::make_unique<TopKStep>(buffers, shape, static_cast<std::size_t>(count), largest != 0), uses);
  return {};
}

}  // namespace

extern const LowerSpec kLower_top_k;
const LowerSpec kLower_top_k{.name = "TopK", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
