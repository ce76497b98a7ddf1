// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/window.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/shape.h"

namespace moru::model::ops {
namespace {

constexpr std::int64_t kMaxNumber = std::int64_t{1} << 20U;

Result<AutoPad> read_auto_pad(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::string word, string_attribute(node, "auto_pad", "NOTSET"));
  if (word == "NOTSET") return AutoPad::kExplicit;
  if (word == "SAME_UPPER") return AutoPad::kSameUpper;
  if (word == "SAME_LOWER") return AutoPad::kSameLower;
  if (word == "VALID") return AutoPad::kValid;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attribute 'auto_pad': found '{:.40}', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", word));
}

Result<std::vector<std::int64_t>> read_numbers(const Node& node, std::string_view name, std::size_t count, std::int64_t fallback,
                                               std::int64_t least) {
  MORU_ASSIGN_OR_RETURN(auto numbers, ints_attribute(node, name, std::vector<std::int64_t>(count, fallback)));
  if (numbers.size() != count) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {} numbers, expected {}", name, numbers.size(), count));
  }
  for (const std::int64_t number : numbers) {
    if (number < least || number > kMaxNumber) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {}, expected {} to {}", name, number, least, kMaxNumber));
    }
  }
  return numbers;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

bool is_same(AutoPad auto_pad) { return auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower; }

}  // namespace

Result<Window> read_window(const Node& node, std::span<const std::int64_t> kernel) {
  const std::size_t rank = kernel.size();
  Window window;
  MORU_ASSIGN_OR_RETURN(window.auto_pad, read_auto_pad(node));
  MORU_ASSIGN_OR_RETURN(const std::int64_t ceil_mode, int_attribute(node, "ceil_mode", 0));
  window.ceil_mode = ceil_mode != 0;
  if (node.attributes.contains("kernel_shape")) {
    MORU_ASSIGN_OR_RETURN(window.kernel, read_numbers(node, "kernel_shape", rank, 1, 1));
  } else {
    window.kernel.assign(kernel.begin(), kernel.end());
    if (std::ranges::any_of(kernel, [](std::int64_t k) { return k < 1 || k > kMaxNumber; })) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("kernel: found {}, expected extents of 1 to {}", to_string(kernel), kMaxNumber));
    }
  }
  MORU_ASSIGN_OR_RETURN(window.strides, read_numbers(node, "strides", rank, 1, 1));
  MORU_ASSIGN_OR_RETURN(window.dilations, read_numbers(node, "dilations", rank, 1, 1));
  MORU_ASSIGN_OR_RETURN(const auto pads, read_numbers(node, "pads", 2 * rank, 0, 0));
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  window.pads_begin.assign(pads.begin(), middle);
  window.pads_end.assign(middle, pads.end());
  if (window.auto_pad != AutoPad::kExplicit && std::ranges::any_of(pads, [](std::int64_t p) { return p != 0; })) {
    return fail(ErrorCode::kInvalidArgument, "attribute 'pads': found it beside auto_pad, expected only one of them");
  }
  return window;
}

Result<std::vector<std::int64_t>> required_kernel(const Node& node) {
  MORU_ASSIGN_OR_RETURN(auto kernel, ints_attribute(node, "kernel_shape", {}));
  if (kernel.empty()) return fail(ErrorCode::kInvalidArgument, "attribute 'kernel_shape': found no number, expected one a spatial axis");
  return kernel;
}

Result<std::vector<Dim>> output_extents(const Window& window, std::span<const Dim> input) {
  std::vector<Dim> output(input.size());
  for (std::size_t axis = 0; axis < input.size(); ++axis) {
    if (!input[axis].known()) continue;
    const std::int64_t extent = input[axis].value;
    const std::int64_t stride = window.strides[axis];
    if (is_same(window.auto_pad)) {
      output[axis].value = ceil_div(extent, stride);
      continue;
    }
    const std::int64_t slack = extent + window.pads_begin[axis] + window.pads_end[axis] - window.reach(axis);
    if (slack < 0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("spatial axis {}: found extent {} with pads {} and {}, expected at least {} for the kernel", axis, extent,
                              window.pads_begin[axis], window.pads_end[axis], window.reach(axis)));
    }
    std::int64_t count = (window.ceil_mode ? ceil_div(slack, stride) : slack / stride) + 1;
    // A window that begins behind the data sees nothing: it is left out, as PyTorch does.
    if (window.ceil_mode && (count - 1) * stride >= extent + window.pads_begin[axis]) --count;
    output[axis].value = count;
  }
  return output;
}

void resolve_padding(Window& window, std::span<const std::int64_t> input) {
  if (!is_same(window.auto_pad)) return;
  for (std::size_t axis = 0; axis < input.size(); ++axis) {
    const std::int64_t output = ceil_div(input[axis], window.strides[axis]);
    const std::int64_t total = std::max<std::int64_t>((output - 1) * window.strides[axis] + window.reach(axis) - input[axis], 0);
    const std::int64_t less = total / 2;
    window.pads_begin[axis] = window.auto_pad == AutoPad::kSameUpper ? less : total - less;
    window.pads_end[axis] = total - window.pads_begin[axis];
  }
}

}  // namespace moru::model::ops
