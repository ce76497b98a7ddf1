// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "model/ops/op.h"
#include "runtime/engine/copy.h"

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Tensor;

constexpr std::int64_t kFiller = -1;
/// Elements that are moved: each takes some bytes while the model is loaded, and a model says how many there are.
constexpr std::size_t kMostElements = std::size_t{1} << 26U;
/// So many are moved sooner than a function is called.
constexpr std::int64_t kFewElements = 4;

/// Elements that lie side by side on both sides; from is kFiller for such as are filled.
struct Run {
  std::int64_t from;
  std::int64_t to;
  std::int64_t count;
};

template <class T>
class MovementStep final : public SplitStep {
 public:
  MovementStep(BufferId x, BufferId y, std::vector<Run> runs, T filler)
      : SplitStep(static_cast<int>((runs.size() + kRuns - 1) / kRuns)), x_(x), y_(y), runs_(std::move(runs)), filler_(filler) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const T* x = frame.at<const T>(x_);
    T* y = frame.at<T>(y_);
    const std::size_t first = static_cast<std::size_t>(begin) * kRuns;
    for (const Run& run : std::span(runs_).subspan(first, std::min(static_cast<std::size_t>(end) * kRuns, runs_.size()) - first)) {
      if (run.from == kFiller) {
        std::fill_n(y + run.to, run.count, filler_);
      } else if (run.count <= kFewElements) {
        for (std::int64_t i = 0; i < run.count; ++i) y[run.to + i] = x[run.from + i];
      } else {
        std::memcpy(y + run.to, x + run.from, static_cast<std::size_t>(run.count) * sizeof(T));
      }
    }
  }

 private:
  BufferId x_;
  BufferId y_;
  std::vector<Run> runs_;
  T filler_;
  static constexpr std::size_t kRuns = 256;  ///< of a piece
};

/// Each logical index tuple of a tensor in order, with the place it lies at.
template <class F>
void for_each_place(const Stored& stored, F visit) {
  const model::Dims strides = logical_strides(stored);
  model::Dims index(stored.dims.size(), 0);
  std::int64_t place = 0;
  for (std::size_t i = 0; i < stored.count(); ++i) {
    visit(i, place);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      place += strides[axis];
      if (++index[axis] < stored.dims[axis]) break;
      place -= strides[axis] * stored.dims[axis];
      index[axis] = 0;
    }
  }
}

/// Where each element of the outputs comes from, by the op's own definition.
Result<std::vector<Tensor>> sources(Lowering& lowering, const model::Node& node, const Stored& x, std::optional<std::size_t> filler) {
  MORU_ASSIGN_OR_RETURN(Tensor places, Tensor::create(DType::kInt64, x.dims));
  const auto numbers = places.mutable_data<std::int64_t>();
  for_each_place(x, [&](std::size_t i, std::int64_t place) { numbers[i] = place; });
  const Tensor nowhere = Tensor::scalar<std::int64_t>(kFiller);
  std::vector<const Tensor*> inputs = {&places};
  for (std::size_t i = 1; i < std::max(node.inputs.size(), filler.value_or(0) + 1); ++i) {
    if (i == filler) {
      inputs.push_back(&nowhere);
    } else if (!lowering.has_input(node, i)) {
      inputs.push_back(nullptr);
    } else {
      MORU_ASSIGN_OR_RETURN(const Tensor* constant, lowering.constant(node, i));
      inputs.push_back(constant);
    }
  }
  model::Node moved = node;
  moved.inputs.resize(inputs.size(), 0);
  for (std::size_t i = 0; i < inputs.size(); ++i) moved.inputs[i] = inputs[i] == nullptr ? model::kNoValue : static_cast<model::ValueId>(i);
  return model::evaluate_node(moved, inputs);
}

/// `from` by the place in the output that it goes to.
std::vector<Run> runs_of(const std::vector<std::int64_t>& from) {
  std::vector<Run> runs;
  for (std::size_t to = 0; to < from.size(); ++to) {
    if (!runs.empty()) {
      Run& last = runs.back();
      if (from[to] == (last.from == kFiller ? kFiller : last.from + last.count)) {
        ++last.count;
        continue;
      }
    }
    runs.push_back({from[to], static_cast<std::int64_t>(to), 1});
  }
  return runs;
}

/// The bits of the element that is filled in, as it lies here.
Result<std::uint64_t> filler_bits(Lowering& lowering, const model::Node& node, std::size_t filler, const Stored& x) {
  std::uint64_t bits = 0;
  if (lowering.has_input(node, filler)) {
    MORU_ASSIGN_OR_RETURN(const Tensor* constant, lowering.constant(node, filler));
    if (constant->count() > 0) std::memcpy(&bits, constant->bytes().data(), x.element_bytes());
  }
  return x.dtype == DType::kInt8 ? bits ^ 0x80U : bits;
}

std::unique_ptr<Step> make_movement(BufferId x, BufferId y, std::vector<Run> runs, std::uint64_t filler, std::size_t element_bytes) {
  switch (element_bytes) {
    case 1: return std::make_unique<MovementStep<std::uint8_t>>(x, y, std::move(runs), static_cast<std::uint8_t>(filler));
    case 2: return std::make_unique<MovementStep<std::uint16_t>>(x, y, std::move(runs), static_cast<std::uint16_t>(filler));
    case 4: return std::make_unique<MovementStep<std::uint32_t>>(x, y, std::move(runs), static_cast<std::uint32_t>(filler));
    default: return std::make_unique<MovementStep<std::uint64_t>>(x, y, std::move(runs), filler);
  }
}

Status check_counts(Lowering& lowering, const model::Node& node, const Stored& x) {
  std::size_t most = x.count();
  for (const model::ValueId id : node.outputs) {
    if (id == model::kNoValue) continue;
    MORU_ASSIGN_OR_RETURN(const model::Dims dims, lowering.dims(id));
    MORU_ASSIGN_OR_RETURN(const std::int64_t count, model::element_count(dims, DType::kInt64));
    most = std::max(most, static_cast<std::size_t>(count));
  }
  if (most <= kMostElements) return {};
  return fail(ErrorCode::kResourceExhausted, fmt::format("found {} elements to move, expected at most {}", most, kMostElements));
}

}  // namespace

Status lower_movement(Lowering& lowering, const model::Node& node, std::optional<std::size_t> filler) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  MORU_RETURN_IF_ERROR(check_counts(lowering, node, x));
  MORU_ASSIGN_OR_RETURN(const auto moved, sources(lowering, node, x, filler));
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == model::kNoValue) continue;
    MORU_ASSIGN_OR_RETURN(const model::Dims dims, lowering.dims(node.outputs[i]));
    MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs[i], dims.size() == x.dims.size() ? x.layout : Layout::kPlain));
    const auto numbers = moved[i].data<std::int64_t>();
    std::vector<std::int64_t> from(numbers.size());
    for_each_place(y, [&](std::size_t at, std::int64_t place) { from[static_cast<std::size_t>(place)] = numbers[at]; });
    const Traffic traffic{.read = std::min(x.count(), y.count()) * x.element_bytes(), .written = y.count() * y.element_bytes()};
    MORU_ASSIGN_OR_RETURN(const std::uint64_t bits, filler_bits(lowering, node, filler.value_or(node.inputs.size()), x));
    lowering.add(make_movement(x.buffer, y.buffer, runs_of(from), bits, x.element_bytes()), {x.buffer, y.buffer}, traffic);
  }
  return {};
}

}  // namespace moru::runtime::engine
