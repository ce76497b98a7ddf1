// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/recurrent.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/rewrite.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {
namespace {

enum Input : std::size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeephole };

struct Options {
  std::int64_t directions = 1;
  bool reverse = false;      ///< the only direction is the reverse one
  bool batch_first = false;  ///< X [N, T, I], Y [N, T, D, H], states [N, D, H]
};

Result<Options> read_options(const Node& node) {
  Options options;
  MORU_ASSIGN_OR_RETURN(const std::string direction, string_attribute(node, "direction", "forward"));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'direction': found '{:.40}', expected forward, reverse or bidirectional", direction));
  }
  options.directions = direction == "bidirectional" ? 2 : 1;
  options.reverse = direction == "reverse";
  MORU_ASSIGN_OR_RETURN(const std::int64_t layout, int_attribute(node, "layout", 0));
  options.batch_first = layout != 0;
  return options;
}

/// H, by hidden_size or R.
Result<Dim> hidden_extent(const InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "hidden_size", 0));
  if (given < 0 || given > kMaxExtent / 8)
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'hidden_size': found {}, expected 1 or more", given));
  MORU_RETURN_IF_ERROR(expect_rank(context, kR, 3, "[D, G * H, H]"));
  const SymbolicShape* r = shape_of(context, kR);
  Dim hidden = given > 0 ? Dim{given, {}} : Dim{};
  if (r == nullptr) return hidden;
  if (given > 0) MORU_RETURN_IF_ERROR(expect_extent(context, kR, 2, hidden, "hidden_size"));
  if (!hidden.known()) hidden = (*r)[2];
  if (hidden.known() && hidden.value > kMaxExtent / 8) return input_error(context, kR, "found more than 2^37 hidden units, expected less");
  return hidden;
}

Status expect_shape(const InferContext& context, std::size_t index, const SymbolicShape& expected, std::string_view what) {
  if (!context.has_input(index)) return {};
  MORU_RETURN_IF_ERROR(expect_rank(context, index, expected.size(), what));
  for (std::size_t axis = 0; axis < expected.size(); ++axis)
    MORU_RETURN_IF_ERROR(expect_extent(context, index, axis, expected[axis], what));
  return {};
}

Dim times(std::int64_t factor, const Dim& dim) { return dim.known() ? Dim{factor * dim.value, {}} : Dim{}; }

SymbolicShape state_shape(const Options& options, const Dim& batch, const Dim& hidden) {
  const Dim directions{options.directions, {}};
  return options.batch_first ? SymbolicShape{batch, directions, hidden} : SymbolicShape{directions, batch, hidden};
}

/// Known extents and data of a node, in double.
struct Problem {
  Options options;
  std::int64_t steps = 0;
  std::int64_t batch = 0;
  std::int64_t inputs = 0;
  std::int64_t hidden = 0;
  std::vector<Tensor> data;  ///< an entry an input; empty for one left out
  std::vector<std::int64_t> lengths;

  std::span<const double> of(std::size_t input) const {
    return input < data.size() && data[input].dtype() == DType::kFloat64 ? data[input].data<double>() : std::span<const double>();
  }
  /// Where the state of direction d and batch n begins.
  std::size_t state(std::int64_t d, std::int64_t n) const {
    return static_cast<std::size_t>((options.batch_first ? n * options.directions + d : d * batch + n) * hidden);
  }
  std::size_t x_at(std::int64_t t, std::int64_t n) const {
    return static_cast<std::size_t>((options.batch_first ? n * steps + t : t * batch + n) * inputs);
  }
  std::size_t y_at(std::int64_t t, std::int64_t d, std::int64_t n) const {
    const std::int64_t row = options.batch_first ? (n * steps + t) * options.directions + d : (t * options.directions + d) * batch + n;
    return static_cast<std::size_t>(row * hidden);
  }
};

Result<Problem> read_problem(const EvalContext& context) {
  Problem problem;
  MORU_ASSIGN_OR_RETURN(problem.options, read_options(context.node));
  const Dims& x = context.input(kX).dims();
  problem.steps = x[problem.options.batch_first ? 1 : 0];
  problem.batch = x[problem.options.batch_first ? 0 : 1];
  problem.inputs = x[2];
  problem.hidden = context.input(kR).dims()[2];
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    Tensor tensor;
    if (i != kLengths && context.has_input(i)) {
      MORU_ASSIGN_OR_RETURN(tensor, to_float64(context.input(i)));
    }
    problem.data.push_back(std::move(tensor));
  }
  problem.lengths.assign(static_cast<std::size_t>(problem.batch), problem.steps);
  if (!context.has_input(kLengths)) return problem;
  std::ranges::copy(context.input(kLengths).data<std::int32_t>(), problem.lengths.begin());
  for (const std::int64_t length : problem.lengths) {
    if (length >= 0 && length <= problem.steps) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 4 (sequence_lens): found {}, expected 0 to {}", length, problem.steps));
  }
  return problem;
}

CellWeights weights_of(const Problem& problem, std::int64_t gates, std::int64_t d) {
  const std::int64_t rows = gates * problem.hidden;
  const auto part = [&](std::size_t input, std::int64_t size, std::int64_t offset, std::int64_t count) {
    const auto all = problem.of(input);
    return all.empty() ? all : all.subspan(static_cast<std::size_t>(d * size + offset), static_cast<std::size_t>(count));
  };
  return {.hidden = problem.hidden,
          .w = part(kW, rows * problem.inputs, 0, rows * problem.inputs),
          .r = part(kR, rows * problem.hidden, 0, rows * problem.hidden),
          .w_bias = part(kB, 2 * rows, 0, rows),
          .r_bias = part(kB, 2 * rows, rows, rows),
          .peephole = part(kPeephole, 3 * problem.hidden, 0, 3 * problem.hidden),
          .activations = {}};
}

/// The outputs in double: Y, Y_h, Y_c.
struct States {
  std::vector<double> y;
  std::vector<double> last_h;
  std::vector<double> last_c;
};

void run_sequence(const Problem& problem, const CellWeights& weights, CellStep step, std::int64_t option, std::int64_t d, std::int64_t n,
                  States& states) {
  const auto hidden = static_cast<std::size_t>(problem.hidden);
  const auto initial = [&](std::size_t input) {
    const auto all = problem.of(input);
    if (all.empty()) return std::vector<double>(hidden, 0.0);
    const auto from = all.subspan(problem.state(d, n), hidden);
    return std::vector<double>(from.begin(), from.end());
  };
  std::vector<double> h = initial(kInitialH);
  std::vector<double> c = initial(kInitialC);
  const std::int64_t length = problem.lengths[static_cast<std::size_t>(n)];
  const bool reverse = problem.options.reverse || d == 1;
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t t = reverse ? length - 1 - i : i;
    step(weights, option, problem.of(kX).subspan(problem.x_at(t, n), static_cast<std::size_t>(problem.inputs)), h, c);
    std::ranges::copy(h, states.y.begin() + static_cast<std::ptrdiff_t>(problem.y_at(t, d, n)));
  }
  std::ranges::copy(h, states.last_h.begin() + static_cast<std::ptrdiff_t>(problem.state(d, n)));
  std::ranges::copy(c, states.last_c.begin() + static_cast<std::ptrdiff_t>(problem.state(d, n)));
}

double row_product(std::span<const double> matrix, std::span<const double> bias, std::int64_t row, std::span<const double> x) {
  const auto at = static_cast<std::size_t>(row);
  const auto from = matrix.subspan(at * x.size(), x.size());
  double sum = bias.empty() ? 0.0 : bias[at];
  for (std::size_t i = 0; i < x.size(); ++i) sum += from[i] * x[i];
  return sum;
}

}  // namespace

double CellWeights::from_input(std::int64_t row, std::span<const double> x) const { return row_product(w, w_bias, row, x); }
double CellWeights::from_hidden(std::int64_t row, std::span<const double> h) const { return row_product(r, r_bias, row, h); }

Status infer_recurrence(InferContext& context, const Recurrence& recurrence) {
  MORU_ASSIGN_OR_RETURN(const Options options, read_options(context.node()));
  MORU_RETURN_IF_ERROR(read_activations(context.node(), recurrence.activations, static_cast<std::size_t>(options.directions)));
  std::optional<DType> dtype;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    MORU_RETURN_IF_ERROR(i == kLengths ? expect_dtype(context, i, {DType::kInt32}) : expect_dtype(context, i, kReals));
    const auto found = context.input(i).dtype;
    if (i == kLengths || !found) continue;
    if (dtype && *dtype != *found)
      return input_error(context, i, fmt::format("found {}, expected {} as X", to_string(*found), to_string(*dtype)));
    dtype = found;
  }
  MORU_ASSIGN_OR_RETURN(const Dim hidden, hidden_extent(context));
  MORU_RETURN_IF_ERROR(expect_rank(context, kX, 3, options.batch_first ? "[N, T, I]" : "[T, N, I]"));
  const SymbolicShape* x = shape_of(context, kX);
  const Dim batch = x == nullptr ? Dim{} : (*x)[options.batch_first ? 0 : 1];
  const Dim steps = x == nullptr ? Dim{} : (*x)[options.batch_first ? 1 : 0];
  const Dim directions{options.directions, {}};
  const Dim rows = times(recurrence.gates, hidden);
  const SymbolicShape state = state_shape(options, batch, hidden);
  MORU_RETURN_IF_ERROR(expect_shape(context, kW, {directions, rows, x == nullptr ? Dim{} : (*x)[2]}, "[D, G * H, I]"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kR, {directions, rows, hidden}, "[D, G * H, H]"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kB, {directions, times(2, rows)}, "[D, 2 * G * H]"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kLengths, {batch}, "[N]"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kInitialH, state, "the states, D, N and H"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kInitialC, state, "the states, D, N and H"));
  MORU_RETURN_IF_ERROR(expect_shape(context, kPeephole, {directions, times(3, hidden)}, "[D, 3 * H]"));
  context.set_output(
      0, {dtype, options.batch_first ? SymbolicShape{batch, steps, directions, hidden} : SymbolicShape{steps, directions, batch, hidden}});
  context.set_output(1, {dtype, state});
  context.set_output(2, {dtype, state});
  return {};
}

Status reference_recurrence(EvalContext& context, const Recurrence& recurrence) {
  MORU_ASSIGN_OR_RETURN(const Problem problem, read_problem(context));
  const std::int64_t directions = problem.options.directions;
  MORU_ASSIGN_OR_RETURN(const auto activations,
                        read_activations(context.node, recurrence.activations, static_cast<std::size_t>(directions)));
  std::int64_t option = 0;
  if (!recurrence.option.empty()) {
    MORU_ASSIGN_OR_RETURN(option, int_attribute(context.node, recurrence.option, 0));
  }
  const auto states_size = static_cast<std::size_t>(directions * problem.batch * problem.hidden);
  States states{std::vector<double>(states_size * static_cast<std::size_t>(problem.steps)), std::vector<double>(states_size),
                std::vector<double>(states_size)};
  for (std::int64_t d = 0; d < directions; ++d) {
    CellWeights weights = weights_of(problem, recurrence.gates, d);
    const auto own =
        std::span(activations).subspan(static_cast<std::size_t>(d) * recurrence.activations.size(), recurrence.activations.size());
    weights.activations.assign(own.begin(), own.end());
    for (std::int64_t n = 0; n < problem.batch; ++n) run_sequence(problem, weights, recurrence.step, option, d, n, states);
  }
  const std::vector<double>* results[] = {&states.y, &states.last_h, &states.last_c};
  for (std::size_t i = 0; i < context.outputs.size(); ++i) MORU_RETURN_IF_ERROR(round_into(*results[i], context.outputs[i]));
  return {};
}

Status upgrade_recurrence(NodeRewrite& rewrite) {
  if (rewrite.opset < 7) drop_attribute(rewrite, "output_sequence");
  return {};
}

Status downgrade_recurrence(NodeRewrite& rewrite) { return rewrite.opset < 14 ? drop_int(rewrite, "layout", 0) : Status(); }

}  // namespace moru::model::ops
