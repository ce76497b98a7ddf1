// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime/engine/lines.h"
#include "runtime/engine/movement.h"

namespace moru::runtime::engine {
namespace {

/// Indices that a run computes. Those behind an end stand for that end: a run cannot fail.
template <class Index>
class GatherStep final : public Step {
 public:
  struct Buffers {
    BufferId x;
    BufferId indices;
    BufferId y;
  };
  GatherStep(const Buffers& buffers, const LineShape& shape, std::size_t count, std::size_t element_bytes)
      : buffers_(buffers), it_(shape), count_(count), slice_(shape.inner * element_bytes) {}

  void run(const Frame& frame) const noexcept override {
    const auto* x = frame.at<const std::byte>(buffers_.x);
    const auto* indices = frame.at<const Index>(buffers_.indices);
    auto* y = frame.at<std::byte>(buffers_.y);
    for (std::size_t i = 0; i < it_.outer; ++i, x += it_.extent * slice_) {
      for (std::size_t j = 0; j < count_; ++j, y += slice_) std::memcpy(y, x + place(indices[j]) * slice_, slice_);
    }
  }

 private:
  std::size_t place(Index index) const noexcept {
    const auto extent = static_cast<std::int64_t>(it_.extent);
    const std::int64_t at = index < 0 ? std::int64_t{index} + extent : std::int64_t{index};
    return static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, extent - 1));
  }

  Buffers buffers_;
  LineShape it_;
  std::size_t count_;
  std::size_t slice_;
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const model::Tensor* known, lowering.known(node.inputs[1]));
  if (known != nullptr) return lower_movement(lowering, node);
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const Stored indices, lowering.input(node, 1, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const LineShape shape, read_lines(node, x.dims, 0));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (y.count() == 0) return {};
  if (shape.extent == 0) return fail(ErrorCode::kUnsupported, "found no elements to gather, expected some");
  const std::vector<BufferId> uses = {x.buffer, indices.buffer, y.buffer};
  const Traffic traffic{.read = y.count() * y.element_bytes() + indices.count() * indices.element_bytes(),
                        .written = y.count() * y.element_bytes()};
  if (indices.dtype == model::DType::kInt32) {
    lowering.add(std::make_unique<GatherStep<std::int32_t>>(GatherStep<std::int32_t>::Buffers{x.buffer, indices.buffer, y.buffer}, shape,
                                                            indices.count(), x.element_bytes()),
                 uses, traffic);
    return {};
  }
  if (indices.dtype != model::DType::kInt64) return fail(ErrorCode::kUnsupported, "expected indices of int32 or int64");
  lowering.add(std::make_unique<GatherStep<std::int64_t>>(GatherStep<std::int64_t>::Buffers{x.buffer, indices.buffer, y.buffer}, shape,
                                                          indices.count(), x.element_bytes()),
               uses, traffic);
  return {};
}

}  // namespace

extern const LowerSpec kLower_gather;
const LowerSpec kLower_gather{.name = "Gather", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
