// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/recurrent.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

using model::Node;
using model::Tensor;

enum Input : std::size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeephole };

struct Shape {
  int steps = 0;
  int batch = 0;
  int inputs = 0;
  int hidden = 0;
  int directions = 1;
  bool reverse = false;      ///< the only direction is the reverse one
  bool batch_first = false;  ///< X [N, T, I], Y [N, T, D, H], states [N, D, H]

  // Rows, and how many there are from one sequence to the next.
  std::ptrdiff_t x_row(int t, int n) const { return batch_first ? std::ptrdiff_t{n} * steps + t : std::ptrdiff_t{t} * batch + n; }
  std::ptrdiff_t x_step() const { return batch_first ? steps : 1; }
  std::ptrdiff_t y_row(int t, int d, int n) const {
    return batch_first ? x_row(t, n) * directions + d : (std::ptrdiff_t{t} * directions + d) * batch + n;
  }
  std::ptrdiff_t state_row(int d, int n) const { return batch_first ? std::ptrdiff_t{n} * directions + d : std::ptrdiff_t{d} * batch + n; }
};

/// Sequences that lie side by side and are equally long.
struct Segment {
  int first = 0;
  int count = 0;
  int length = 0;
};

struct RecurrentBuffers {
  BufferId projected = -1;  ///< [T * N or N * T, G * H]
  BufferId h = -1;          ///< [N, H]
  BufferId c = -1;
  BufferId initial_h = -1;  ///< -1: 0
  BufferId initial_c = -1;
  BufferId y = -1;  ///< -1: not asked for
  BufferId last_h = -1;
  BufferId last_c = -1;
};

class RecurrentStep final : public Step {
 public:
  RecurrentStep(const Shape& shape, int direction, int gates, std::vector<Segment> segments, const RecurrentBuffers& buffers,
                std::unique_ptr<const Cell> cell)
      : it_(shape), d_(direction), gates_(gates), segments_(std::move(segments)), buffers_(buffers), cell_(std::move(cell)) {}

  void run(const Frame& frame) const noexcept override {
    for (const Segment& segment : segments_) run_segment(frame, segment);
  }

 private:
  std::size_t row_bytes() const { return static_cast<std::size_t>(it_.hidden) * sizeof(float); }
  float* row_of(const Frame& frame, BufferId buffer, std::ptrdiff_t row) const { return frame.at<float>(buffer) + row * it_.hidden; }

  void run_segment(const Frame& frame, const Segment& segment) const noexcept {
    begin(frame, segment, buffers_.initial_h, buffers_.h);
    begin(frame, segment, buffers_.initial_c, buffers_.c);
    const std::ptrdiff_t width = std::ptrdiff_t{gates_} * it_.hidden;
    const bool reverse = it_.reverse || d_ == 1;
    for (int i = 0; i < segment.length; ++i) {
      const int t = reverse ? segment.length - 1 - i : i;
      CellRows rows{.count = segment.count,
                    .projected = frame.at<const float>(buffers_.projected) + it_.x_row(t, segment.first) * width,
                    .projected_stride = it_.x_step() * width,
                    .h = row_of(frame, buffers_.h, segment.first)};
      if (buffers_.c >= 0) rows.c = row_of(frame, buffers_.c, segment.first);
      cell_->step(frame, rows);
      for (int n = segment.first; buffers_.y >= 0 && n < segment.first + segment.count; ++n) {
        std::memcpy(row_of(frame, buffers_.y, it_.y_row(t, d_, n)), row_of(frame, buffers_.h, n), row_bytes());
      }
    }
    for (int t = segment.length; buffers_.y >= 0 && t < it_.steps; ++t) {
      for (int n = segment.first; n < segment.first + segment.count; ++n) {
        std::memset(row_of(frame, buffers_.y, it_.y_row(t, d_, n)), 0, row_bytes());
      }
    }
    end(frame, segment, buffers_.h, buffers_.last_h);
    end(frame, segment, buffers_.c, buffers_.last_c);
  }

  void begin(const Frame& frame, const Segment& segment, BufferId from, BufferId state) const noexcept {
    for (int n = segment.first; state >= 0 && n < segment.first + segment.count; ++n) {
      float* to = row_of(frame, state, n);
      if (from < 0) {
        std::memset(to, 0, row_bytes());
      } else {
        std::memcpy(to, row_of(frame, from, it_.state_row(d_, n)), row_bytes());
      }
    }
  }
  void end(const Frame& frame, const Segment& segment, BufferId state, BufferId to) const noexcept {
    for (int n = segment.first; state >= 0 && to >= 0 && n < segment.first + segment.count; ++n) {
      std::memcpy(row_of(frame, to, it_.state_row(d_, n)), row_of(frame, state, n), row_bytes());
    }
  }

  Shape it_;
  int d_;
  int gates_;
  std::vector<Segment> segments_;
  RecurrentBuffers buffers_;
  std::unique_ptr<const Cell> cell_;
};

Result<Shape> read_shape(Lowering& lowering, const Node& node, const Stored& x) {
  MORU_ASSIGN_OR_RETURN(const std::string direction, model::string_attribute(node, "direction", "forward"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t layout, model::int_attribute(node, "layout", 0));
  MORU_ASSIGN_OR_RETURN(const Tensor* r, lowering.constant(node, kR));
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 16;
  const std::int64_t hidden = r->dims().back();
  for (const std::int64_t extent : {x.dims[0], x.dims[1], x.dims[2], hidden}) {
    if (extent >= 1 && extent <= kMost) continue;
    return fail(ErrorCode::kUnsupported, fmt::format("found extent {}, expected 1 to {}", extent, kMost));
  }
  Shape shape;
  shape.batch_first = layout != 0;
  shape.steps = static_cast<int>(x.dims[shape.batch_first ? 1 : 0]);
  shape.batch = static_cast<int>(x.dims[shape.batch_first ? 0 : 1]);
  shape.inputs = static_cast<int>(x.dims[2]);
  shape.hidden = static_cast<int>(hidden);
  shape.directions = direction == "bidirectional" ? 2 : 1;
  shape.reverse = direction == "reverse";
  return shape;
}

Result<std::vector<Segment>> read_segments(Lowering& lowering, const Node& node, const Shape& shape) {
  if (!lowering.has_input(node, kLengths)) return std::vector<Segment>{{0, shape.batch, shape.steps}};
  MORU_ASSIGN_OR_RETURN(const Tensor* lengths, lowering.constant(node, kLengths));
  std::vector<Segment> segments;
  for (int n = 0; n < shape.batch; ++n) {
    const std::int32_t length = lengths->data<std::int32_t>()[static_cast<std::size_t>(n)];
    if (length < 0 || length > shape.steps) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("found a sequence of {} steps, expected 0 to {}", length, shape.steps));
    }
    if (!segments.empty() && segments.back().length == length) {
      ++segments.back().count;
    } else {
      segments.push_back({n, 1, length});
    }
  }
  return segments;
}

/// Entries of direction d of a constant [D, count]; empty for one that is left out.
Result<std::span<const float>> part(Lowering& lowering, const Node& node, std::size_t input, int d, std::size_t count) {
  if (!lowering.has_input(node, input)) return std::span<const float>();
  MORU_ASSIGN_OR_RETURN(const Tensor* tensor, lowering.constant(node, input));
  return tensor->data<float>().subspan(static_cast<std::size_t>(d) * count, count);
}

/// What the products with the input begin with.
std::vector<float> input_bias(std::span<const float> both, const Recurrence& recurrence, std::size_t hidden, std::int64_t option) {
  const std::size_t rows = hidden * static_cast<std::size_t>(recurrence.gates);
  std::vector<float> bias(rows, 0.0F);
  for (std::size_t i = 0; i < rows && !both.empty(); ++i) {
    const bool takes = recurrence.takes_r_bias == nullptr || recurrence.takes_r_bias(static_cast<int>(i / hidden), option);
    bias[i] = both[i] + (takes ? both[rows + i] : 0.0F);
  }
  return bias;
}

/// X by W of one direction, for all steps.
Result<BufferId> add_projection(Lowering& lowering, const Node& node, const Shape& shape, int d, const Stored& x,
                                std::span<const float> bias) {
  const auto rows = bias.size();
  MORU_ASSIGN_OR_RETURN(const auto w, part(lowering, node, kW, d, rows * static_cast<std::size_t>(shape.inputs)));
  const std::size_t places = static_cast<std::size_t>(shape.steps) * static_cast<std::size_t>(shape.batch);
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max() / 4;
  if (places > kMost / rows) {
    return fail(ErrorCode::kUnsupported, "found a sequence too long to be projected at once, expected a shorter one");
  }
  const MatrixShape product{.n = static_cast<int>(rows), .k = shape.inputs, .m = static_cast<int>(places)};
  MORU_ASSIGN_OR_RETURN(const MatrixF32 matrix, make_matrix(lowering, w, product, bias, {}));
  const BufferId projected = lowering.between(places * rows * sizeof(float));
  MORU_RETURN_IF_ERROR(add_product(lowering, matrix, x.buffer, projected));
  return projected;
}

Status expect_floats(Lowering& lowering, const Node& node) {
  for (const model::ValueId id : node.inputs) {
    if (id == model::kNoValue || id == (node.inputs.size() > kLengths ? node.inputs[kLengths] : model::kNoValue)) continue;
    if (lowering.graph().value(id).type.dtype != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  }
  return {};
}

/// The buffers of the node's own values; those of a direction are left to be set.
Result<RecurrentBuffers> value_buffers(Lowering& lowering, const Node& node, const Recurrence& recurrence, std::vector<BufferId>& uses) {
  RecurrentBuffers buffers;
  const auto input = [&](std::size_t index, BufferId& to) -> Status {
    if (!lowering.has_input(node, index)) return {};
    MORU_ASSIGN_OR_RETURN(const Stored stored, lowering.input(node, index, Layout::kPlain));
    to = stored.buffer;
    uses.push_back(to);
    return {};
  };
  MORU_RETURN_IF_ERROR(input(kInitialH, buffers.initial_h));
  if (recurrence.has_cell_state) MORU_RETURN_IF_ERROR(input(kInitialC, buffers.initial_c));
  BufferId* outputs[] = {&buffers.y, &buffers.last_h, &buffers.last_c};
  for (std::size_t i = 0; i < node.outputs.size() && i < std::size(outputs); ++i) {
    if (node.outputs[i] == model::kNoValue) continue;
    MORU_ASSIGN_OR_RETURN(const Stored stored, lowering.output(node.outputs[i], Layout::kPlain));
    *outputs[i] = stored.buffer;
    uses.push_back(stored.buffer);
  }
  return buffers;
}

}  // namespace

Status lower_recurrence(Lowering& lowering, const Node& node, const Recurrence& recurrence) {
  MORU_RETURN_IF_ERROR(expect_floats(lowering, node));
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const Shape shape, read_shape(lowering, node, x));
  MORU_ASSIGN_OR_RETURN(const auto segments, read_segments(lowering, node, shape));
  const auto directions = static_cast<std::size_t>(shape.directions);
  MORU_ASSIGN_OR_RETURN(const auto functions, GateFunction::read(node, recurrence.functions, directions, lowering.kernels()));
  std::int64_t option = 0;
  if (!recurrence.option.empty()) {
    MORU_ASSIGN_OR_RETURN(option, model::int_attribute(node, recurrence.option, 0));
  }
  std::vector<BufferId> value_uses;
  MORU_ASSIGN_OR_RETURN(RecurrentBuffers buffers, value_buffers(lowering, node, recurrence, value_uses));
  const auto hidden = static_cast<std::size_t>(shape.hidden);
  const std::size_t rows = hidden * static_cast<std::size_t>(recurrence.gates);
  const std::size_t state_bytes = static_cast<std::size_t>(shape.batch) * hidden * sizeof(float);
  for (int d = 0; d < shape.directions; ++d) {
    MORU_ASSIGN_OR_RETURN(const auto both, part(lowering, node, kB, d, 2 * rows));
    MORU_ASSIGN_OR_RETURN(buffers.projected, add_projection(lowering, node, shape, d, x, input_bias(both, recurrence, hidden, option)));
    Direction direction{.hidden = shape.hidden, .rows_at_once = shape.batch, .option = option};
    MORU_ASSIGN_OR_RETURN(direction.r, part(lowering, node, kR, d, rows * hidden));
    MORU_ASSIGN_OR_RETURN(direction.peephole, part(lowering, node, kPeephole, d, 3 * hidden));
    direction.r_bias = both.empty() ? both : both.subspan(rows);
    direction.functions =
        std::span(functions).subspan(static_cast<std::size_t>(d) * recurrence.functions.size(), recurrence.functions.size());
    std::vector<BufferId> uses = value_uses;
    MORU_ASSIGN_OR_RETURN(std::unique_ptr<Cell> cell, recurrence.make_cell(lowering, direction, uses));
    buffers.h = lowering.scratch(state_bytes);
    if (recurrence.has_cell_state) buffers.c = lowering.scratch(state_bytes);
    for (const BufferId own : {buffers.projected, buffers.h, buffers.c}) {
      if (own >= 0) uses.push_back(own);
    }
    lowering.add(std::make_unique<RecurrentStep>(shape, d, recurrence.gates, segments, buffers, std::move(cell)), uses);
  }
  return {};
}

Result<std::vector<GateFunction>> GateFunction::read(const Node& node, std::span<const std::string_view> usual, std::size_t directions,
                                                     const kernels::Kernels& kernels) {
  MORU_ASSIGN_OR_RETURN(const auto activations, model::ops::read_activations(node, usual, directions));
  std::vector<std::string> names;
  const auto given = node.attributes.find("activations");
  if (given != node.attributes.end()) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&given->second)) names = *list;
  }
  std::vector<GateFunction> functions;
  for (std::size_t i = 0; i < activations.size(); ++i) {
    const std::string_view name = names.empty() ? usual[i % usual.size()] : std::string_view(names[i]);
    GateFunction function;
    function.definition_ = activations[i];
    if (name == "Sigmoid") function.map_ = kernels.map->sigmoid;
    if (name == "Tanh") function.map_ = kernels.map->tanh;
    function.clip_ = static_cast<float>(activations[i].clip);
    function.clamp_ = kernels.elementwise->clamp_f32;
    functions.push_back(function);
  }
  return functions;
}

void GateFunction::run(float* x, std::size_t count) const noexcept {
  if (map_ == nullptr) {
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(definition_(double{x[i]}));
    return;
  }
  if (clip_ > 0) clamp_(x, x, count, -clip_, clip_);
  map_(x, x, count, 0, 0);
}

void RowKernels::run(kernels::BinaryMap map, const float* a, const float* b, float* y) const noexcept {
  map({.a = a,
       .b = b,
       .a_step = 1,
       .b_step = 1,
       .y = y,
       .count = width_,
       .low = -std::numeric_limits<float>::infinity(),
       .high = std::numeric_limits<float>::infinity()});
}

}  // namespace moru::runtime::engine
