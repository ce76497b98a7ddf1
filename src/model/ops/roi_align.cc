// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, H, W]"},
                                {"rois", "X's type, [R, 4]: x1, y1, x2, y2 in the coordinates of the image"},
                                {"batch_indices", "int64 [R]: which of N each is about"}};
constexpr PortSpec kOutputs[] = {{"Y", "[R, C, output_height, output_width]"}};
constexpr AttributeSpec kAttributes[] = {
    {"coordinate_transformation_mode", AttributeKind::kString,
     "half_pixel: a pixel's value stands in its middle; output_half_pixel: at its corner, and regions are at least one pixel; half_pixel"},
    {"mode", AttributeKind::kString, "avg or max of the samples of a bin; avg"},
    {"output_height", AttributeKind::kInt, "bins from top to bottom; 1"},
    {"output_width", AttributeKind::kInt, "bins from left to right; 1"},
    {"sampling_ratio", AttributeKind::kInt, "samples of a bin on each axis; 0: as many as it has pixels; 0"},
    {"spatial_scale", AttributeKind::kFloat, "pixels of X per pixel of the image; 1"}};
constexpr OpExample kExamples[] = {{"The mean of four samples", R"(graph "roi_align" {
  init x = float32[1, 1, 2, 2] {1, 2, 3, 4}
  init rois = float32[1, 4] {0, 0, 2, 2}
  init batch = int64[1] {0}
  y = RoiAlign(x, rois, batch) {sampling_ratio = 2}
  output y
})",
                                    "float32[1, 1, 1, 1] {2.5}"}};

constexpr std::int64_t kMostSamples = 1 << 16;
constexpr std::int64_t kMostSamplesOfAxis = 1 << 22;

struct Settings {
  bool half_pixel = true;
  bool is_max = false;
  std::int64_t bins[2] = {1, 1};
  std::int64_t samples = 0;
  double scale = 1;
};

Result<bool> is_first(const Node& node, std::string_view name, std::string_view first, std::string_view second) {
  MORU_ASSIGN_OR_RETURN(const std::string word, string_attribute(node, name, std::string(first)));
  if (word == first || word == second) return word == first;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found '{:.40}', expected {} or {}", name, word, first, second));
}

Result<Settings> settings_of(const Node& node) {
  Settings settings;
  MORU_ASSIGN_OR_RETURN(settings.half_pixel, is_first(node, "coordinate_transformation_mode", "half_pixel", "output_half_pixel"));
  MORU_ASSIGN_OR_RETURN(const bool is_mean, is_first(node, "mode", "avg", "max"));
  settings.is_max = !is_mean;
  MORU_ASSIGN_OR_RETURN(settings.bins[0], int_attribute(node, "output_height", 1));
  MORU_ASSIGN_OR_RETURN(settings.bins[1], int_attribute(node, "output_width", 1));
  MORU_ASSIGN_OR_RETURN(settings.samples, int_attribute(node, "sampling_ratio", 0));
  MORU_ASSIGN_OR_RETURN(const float scale, float_attribute(node, "spatial_scale", 1.0F));
  settings.scale = static_cast<double>(scale);
  if (settings.bins[0] < 1 || settings.bins[1] < 1 || settings.bins[0] > kMostSamples || settings.bins[1] > kMostSamples) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attributes 'output_height' and 'output_width': found {} and {}, expected 1 to {}",
                                                         settings.bins[0], settings.bins[1], kMostSamples));
  }
  if (settings.samples < 0 || settings.samples > kMostSamples) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'sampling_ratio': found {}, expected 0 to {}", settings.samples, kMostSamples));
  }
  return settings;
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(context.node()));
  for (const std::size_t i : {0U, 1U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, C, H, W]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 2, "[R, 4]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[R]"));
  SymbolicShape y{Dim{}, Dim{}, Dim{settings.bins[0], {}}, Dim{settings.bins[1], {}}};
  if (const SymbolicShape* rois = ops::shape_of(context, 1)) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 1, Dim{4, {}}, "the numbers of a region"));
    if (ops::shape_of(context, 2) != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, (*rois)[0], "one a region"));
    y[0] = (*rois)[0];
  }
  if (const SymbolicShape* x = ops::shape_of(context, 0)) y[1] = (*x)[1];
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

/// Where a sample lies between two pixels of an axis.
struct Sample {
  std::int64_t low = 0;
  std::int64_t high = 0;
  double weight_low = 0;  ///< both are 0 for a sample more than a pixel outside
  double weight_high = 0;
};

/// All samples of all bins of an axis, [bins, samples].
struct Axis {
  std::int64_t samples = 0;
  std::vector<Sample> of_bins;
};

Sample sample_at(double at, std::int64_t extent) {
  if (!(at >= -1 && at <= static_cast<double>(extent))) return {};
  const double inside = std::clamp(at, 0.0, static_cast<double>(extent - 1));
  const auto low = static_cast<std::int64_t>(inside);
  const double rest = inside - static_cast<double>(low);
  return {low, std::min(low + 1, extent - 1), 1 - rest, rest};
}

Result<Axis> axis_of(double start, double end, std::int64_t bins, std::int64_t extent, const Settings& settings) {
  const double offset = settings.half_pixel ? 0.5 : 0;
  const double begin = start * settings.scale - offset;
  double length = end * settings.scale - offset - begin;
  if (!settings.half_pixel) length = std::max(length, 1.0);
  const double bin = length / static_cast<double>(bins);
  if (!(std::abs(begin) < 1e12) || !(std::ceil(bin) <= static_cast<double>(kMostSamples))) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input 1 (rois): found a region from {} to {}, expected a smaller one", start, end));
  }
  Axis axis;
  axis.samples = settings.samples > 0 ? settings.samples : std::max<std::int64_t>(static_cast<std::int64_t>(std::ceil(bin)), 0);
  if (axis.samples * bins > kMostSamplesOfAxis) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("found {} bins of {} samples, expected at most {} samples on an axis", bins, axis.samples, kMostSamplesOfAxis));
  }
  for (std::int64_t i = 0; i < bins; ++i) {
    for (std::int64_t k = 0; k < axis.samples; ++k) {
      const double place = (static_cast<double>(k) + 0.5) / static_cast<double>(axis.samples);
      axis.of_bins.push_back(sample_at(begin + (static_cast<double>(i) + place) * bin, extent));
    }
  }
  return axis;
}

/// The four weighted pixels of a sample.
std::array<double, 4> pixels(const double* plane, std::int64_t width, const Sample& y, const Sample& x) {
  const double* low = plane + y.low * width;
  const double* high = plane + y.high * width;
  return {y.weight_low * x.weight_low * low[x.low], y.weight_low * x.weight_high * low[x.high], y.weight_high * x.weight_low * high[x.low],
          y.weight_high * x.weight_high * high[x.high]};
}

/// As ONNX defines it, max is over the weighted pixels of the samples, not over the samples.
double pooled(const double* plane, std::int64_t width, std::span<const Sample> rows, std::span<const Sample> columns, bool is_max) {
  double sum = 0;
  std::optional<double> most;
  for (const Sample& row : rows) {
    for (const Sample& column : columns) {
      const auto weighted = pixels(plane, width, row, column);
      sum += weighted[0] + weighted[1] + weighted[2] + weighted[3];
      most = std::max(most.value_or(weighted[0]), std::ranges::max(weighted));
    }
  }
  if (is_max) return most.value_or(0);
  return sum / static_cast<double>(std::max<std::size_t>(rows.size() * columns.size(), 1));
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(context.node));
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const auto images, ops::read_indices(context.input(2), dims[0], "input 2 (batch_indices)"));
  if (context.outputs[0].count() == 0) return {};
  if (dims[2] == 0 || dims[3] == 0) return fail(ErrorCode::kInvalidArgument, "input 0 (X): found no pixels, expected some");
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor rois, ops::to_float64(context.input(1)));
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::kFloat64, context.outputs[0].dims()));
  double* to = y.mutable_data<double>().data();
  for (std::size_t r = 0; r < images.size(); ++r) {
    const auto roi = rois.data<double>().subspan(4 * r, 4);
    MORU_ASSIGN_OR_RETURN(const Axis rows, axis_of(roi[1], roi[3], settings.bins[0], dims[2], settings));
    MORU_ASSIGN_OR_RETURN(const Axis columns, axis_of(roi[0], roi[2], settings.bins[1], dims[3], settings));
    for (std::int64_t c = 0; c < dims[1]; ++c) {
      const double* plane = x.data<double>().data() + (images[r] * dims[1] + c) * dims[2] * dims[3];
      for (std::int64_t i = 0; i < settings.bins[0] * settings.bins[1]; ++i) {
        const auto of_bin = [](const Axis& axis, std::int64_t bin) {
          return std::span(axis.of_bins).subspan(static_cast<std::size_t>(bin * axis.samples), static_cast<std::size_t>(axis.samples));
        };
        *to++ = pooled(plane, dims[3], of_bin(rows, i / settings.bins[1]), of_bin(columns, i % settings.bins[1]), settings.is_max);
      }
    }
  }
  return ops::round_into(y.data<double>(), context.outputs[0]);
}

/// Before opset 16 values stood at the pixels' corners.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 16) rewrite.node.attributes.try_emplace("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 16) return {};
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(rewrite.node));
  if (settings.half_pixel) return ops::not_in_opset(rewrite, "RoiAlign with half_pixel");
  ops::drop_attribute(rewrite, "coordinate_transformation_mode");
  return {};
}

}  // namespace

extern const OpSpec kOp_roi_align;
const OpSpec kOp_roi_align{
    .name = "RoiAlign",
    .domain = "",
    .since = 10,
    .doc =
        "Regions of images in one size (He et al., \"Mask R-CNN\", 2017): each region is cut into bins, and a bin is the mean "
        "or the maximum of samples that are interpolated between pixels.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
