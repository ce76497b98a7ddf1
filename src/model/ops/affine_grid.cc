// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/body.h"
#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"theta", "[N, 2, 3], or [N, 3, 4] of volumes"}, {"size", "int64 [4]: N, C, H, W, or [5]: N, C, D, H, W"}};
constexpr PortSpec kOutputs[] = {{"grid", "[N, H, W, 2] or [N, D, H, W, 3]: places as GridSample takes them"}};
constexpr AttributeSpec kAttributes[] = {
    {"align_corners", AttributeKind::kInt, "1: -1 and 1 are the middles of the outer pixels; 0: their outer edges; 0"}};
constexpr OpExample kExamples[] = {{"Two pixels, moved", R"(graph "affine_grid" {
  init theta = float32[1, 2, 3] {1, 0, 0.25, 0, 1, 0}
  init size = int64[4] {1, 1, 1, 2}
  y = AffineGrid(theta, size)
  output y
})",
                                    "float32[1, 1, 2, 2] {-0.25, 0, 0.75, 0}"}};

constexpr OpGap kGaps[] = {
    {"test_affine_grid_2d_expanded", ops::kBodyReason},
    {"test_affine_grid_2d_align_corners_expanded", ops::kBodyReason},
    {"test_affine_grid_3d_expanded", "what the test puts in its place cuts, in the half that is for images, 5 numbers into 4 equal parts"},
    {"test_affine_grid_3d_align_corners_expanded", "as test_affine_grid_3d_expanded"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 3, "[N, r, r + 1]"));
  MORU_ASSIGN_OR_RETURN(const auto size, ops::constant_ints(context, 1));
  const auto length = ops::list_length(context, 1);
  if (length && *length != 4 && *length != 5)
    return ops::input_error(context, 1, fmt::format("found {} extents, expected 4 or 5", *length));
  if (!length) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  const auto rank = static_cast<std::int64_t>(*length - 2);
  SymbolicShape grid(*length);
  if (size) {
    MORU_RETURN_IF_ERROR(ops::check_extents(*size, ops::input_label(context, 1)));
    grid[0].value = (*size)[0];
    for (std::size_t axis = 2; axis < size->size(); ++axis) grid[axis - 1].value = (*size)[axis];
  }
  grid.back().value = rank;
  if (ops::shape_of(context, 0) != nullptr) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 0, grid[0], "N of size"));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 1, Dim{rank, {}}, "a row an axis"));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 2, Dim{rank + 1, {}}, "a column an axis, and one more"));
    grid[0] = *ops::merge((*ops::shape_of(context, 0))[0], grid[0]);
  }
  context.set_output(0, {context.input(0).dtype, std::move(grid)});
  return {};
}

/// The middle of a pixel, from -1 to 1. A single pixel is in the middle.
double place_of(std::int64_t index, std::int64_t extent, bool align_corners) {
  const auto i = static_cast<double>(index);
  const auto n = static_cast<double>(extent);
  if (!align_corners) return (2 * i + 1) / n - 1;
  return extent == 1 ? 0 : 2 * i / (n - 1) - 1;
}

Status reference(EvalContext& context) {
  Tensor& grid = context.outputs[0];
  if (grid.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t align_corners, int_attribute(context.node, "align_corners", 0));
  MORU_ASSIGN_OR_RETURN(const Tensor theta, ops::to_float64(context.input(0)));
  const auto rank = static_cast<std::size_t>(grid.dims().back());
  const auto places = std::span(grid.dims()).subspan(0, rank + 1);  // [N, spatial...]
  std::vector<std::int64_t> index(places.size(), 0);
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::kFloat64, grid.dims()));
  double* to = y.mutable_data<double>().data();
  do {
    const double* row = theta.data<double>().data() + static_cast<std::size_t>(index[0]) * rank * (rank + 1);
    for (std::size_t i = 0; i < rank; ++i, row += rank + 1) {
      double sum = row[rank];
      // Column k goes with the k-th axis from the end: x first.
      for (std::size_t k = 0; k < rank; ++k) sum += row[k] * place_of(index[rank - k], places[rank - k], align_corners != 0);
      *to++ = sum;
    }
  } while (ops::next_index(index, places));
  return ops::round_into(y.data<double>(), grid);
}

}  // namespace

extern const OpSpec kOp_affine_grid;
const OpSpec kOp_affine_grid{
    .name = "AffineGrid",
    .domain = "",
    .since = 20,
    .doc =
        "The places where GridSample looks to move, turn or scale images: grid[n, p] = theta[n] (x, y, 1), where (x, y) is "
        "the middle of pixel p, from -1 to 1.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .gaps = kGaps};

}  // namespace moru::model
