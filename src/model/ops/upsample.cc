// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/resample.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape; numbers, or any type in mode nearest"}, {"scales", "float32 [rank], output per input"}};
constexpr PortSpec kOutputs[] = {{"Y", "extents floor(extent * scale)"}};
constexpr AttributeSpec kAttributes[] = {{"mode", AttributeKind::kString, "nearest or linear; nearest"}};
constexpr OpExample kExamples[] = {{"Each pixel twice", R"(graph "upsample" {
  init x = float32[1, 1, 1, 2] {1, 2}
  init scales = float32[4] {1, 1, 1, 2}
  y = Upsample(x, scales)
  output y
})",
                                    "float32[1, 1, 1, 4] {1, 1, 2, 2}"}};

Result<ops::Resampling> resampling_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(ops::Resampling how, ops::read_resampling(node));
  if (how.interpolation == ops::Interpolation::kCubic) {
    return fail(ErrorCode::kInvalidArgument, "attribute 'mode': found 'cubic', expected nearest or linear");
  }
  how.coordinates = ops::Coordinates::kAsymmetric;
  how.rounding = ops::Rounding::kFloor;
  return how;
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const ops::Resampling how, resampling_of(context.node()));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 1, "[rank]"));
  MORU_RETURN_IF_ERROR(how.interpolation == ops::Interpolation::kNearest ? ops::expect_movable(context, 0)
                                                                         : ops::expect_dtype(context, 0, ops::kNumbers));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const Tensor* scales = context.constant(1);
  std::optional<SymbolicShape> y;
  if (x != nullptr) {
    MORU_RETURN_IF_ERROR(
        ops::shape_of(context, 1) == nullptr ? Status() : ops::expect_extent(context, 1, 0, Dim{std::ssize(*x), {}}, "a scale an axis"));
    y = SymbolicShape(x->size());
    for (std::size_t axis = 0; scales != nullptr && axis < x->size(); ++axis) {
      const float scale = scales->data<float>()[axis];
      MORU_ASSIGN_OR_RETURN(const std::int64_t extent, ops::scaled_extent((*x)[axis].known() ? (*x)[axis].value : 1, scale));
      if ((*x)[axis].known()) (*y)[axis].value = extent;
      if (scale == 1) (*y)[axis] = (*x)[axis];
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const ops::Resampling how, resampling_of(context.node));
  const auto scales = context.input(1).data<float>();
  std::vector<ops::AxisResize> axes;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const auto scale = static_cast<double>(scales[axis]);
    axes.push_back({.in = x.dims()[axis],
                    .out = context.outputs[0].dims()[axis],
                    .scale = scale,
                    .length = scale * static_cast<double>(x.dims()[axis])});
  }
  return ops::resample(x, axes, how, context.outputs[0]);
}

/// Opset 1 had a scale for height and one for width, 7 and 8 had them as an attribute.
Status scales_to_input(NodeRewrite& rewrite) {
  if (rewrite.opset >= 9) return {};
  std::vector<float> scales;
  if (rewrite.opset >= 7) {
    const auto it = rewrite.node.attributes.find("scales");
    const auto* given = it == rewrite.node.attributes.end() ? nullptr : std::get_if<std::vector<float>>(&it->second);
    if (given == nullptr) return fail(ErrorCode::kInvalidArgument, "attribute 'scales': found none, expected floats");
    scales = *given;
  } else {
    MORU_ASSIGN_OR_RETURN(const float height, float_attribute(rewrite.node, "height_scale", 1.0F));
    MORU_ASSIGN_OR_RETURN(const float width, float_attribute(rewrite.node, "width_scale", 1.0F));
    scales = {1.0F, 1.0F, height, width};
  }
  for (const std::string_view name : {"scales", "height_scale", "width_scale"}) ops::drop_attribute(rewrite, name);
  ops::set_input(rewrite, 1, ops::add_constant(rewrite, "scales", Tensor::of<float>({std::ssize(scales)}, std::span<const float>(scales))));
  return {};
}

/// Since opset 10 it is Resize that rounds i / scale down.
Status to_resize(NodeRewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "nearest"));
  MORU_RETURN_IF_ERROR(scales_to_input(rewrite));
  Node& node = rewrite.node;
  node.op = "Resize";
  const ValueId scales = ops::input_of(rewrite, 1);
  ops::set_input(rewrite, 1, kNoValue);
  ops::set_input(rewrite, 2, scales);
  if (mode == "bilinear") node.attributes.insert_or_assign("mode", std::string("linear"));
  node.attributes.insert_or_assign("coordinate_transformation_mode", std::string("asymmetric"));
  node.attributes.insert_or_assign("nearest_mode", std::string("floor"));
  return {};
}

}  // namespace

extern const OpSpec kOp_upsample;
const OpSpec kOp_upsample{
    .name = "Upsample",
    .domain = "",
    .since = 1,
    .doc =
        "Another size by resampling; Resize has replaced it in opset 10, and it becomes that when it is read from ONNX or "
        "written to it. Place i of Y is place i / scale of X, rounded down or interpolated.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = to_resize,
    .downgrade = to_resize};

}  // namespace moru::model
