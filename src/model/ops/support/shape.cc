// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace moru::model::ops {

std::string input_label(const InferContext& context, std::size_t index) {
  const auto ports = context.spec().inputs;
  return fmt::format("input {} ({})", index, ports[std::min(index, ports.size() - 1)].name);
}

std::unexpected<Error> input_error(const InferContext& context, std::size_t index, std::string_view message) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", input_label(context, index), message));
}

const SymbolicShape* shape_of(const InferContext& context, std::size_t index) {
  const ValueType& type = context.input(index);
  return type.shape ? &*type.shape : nullptr;
}

Status expect_dtype(const InferContext& context, std::size_t index, std::initializer_list<DType> allowed) {
  const auto dtype = context.input(index).dtype;
  if (!dtype || std::ranges::find(allowed, *dtype) != allowed.end()) return {};
  std::string names;
  for (const DType one : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(one));
  return fail(ErrorCode::kUnsupported, fmt::format("{}: found {}, expected {}{}", input_label(context, index), to_string(*dtype),
                                                   allowed.size() > 1 ? "one of " : "", names));
}

Result<std::optional<DType>> common_dtype(const InferContext& context, std::initializer_list<DType> allowed, std::size_t first) {
  std::optional<DType> common;
  for (std::size_t i = first; i < context.input_count(); ++i) {
    MORU_RETURN_IF_ERROR(expect_dtype(context, i, allowed));
    const auto dtype = context.input(i).dtype;
    if (common && dtype && *common != *dtype) {
      return input_error(context, i, fmt::format("found {}, expected {} as the input before it", to_string(*dtype), to_string(*common)));
    }
    if (dtype) common = dtype;
  }
  return common;
}

Status expect_rank(const InferContext& context, std::size_t index, std::size_t rank, std::string_view why) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || shape->size() == rank) return {};
  return input_error(context, index, fmt::format("found rank {} {}, expected {} {}", shape->size(), to_string(*shape), rank, why));
}

std::optional<Dim> merge(const Dim& a, const Dim& b) {
  if (a.known() && b.known()) return a.value == b.value ? std::optional(a) : std::nullopt;
  if (a.known() || b.known()) return a.known() ? a : b;
  return a.symbol.empty() ? b : a;
}

Status expect_extent(const InferContext& context, std::size_t index, std::size_t axis, const Dim& expected, std::string_view what) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || merge((*shape)[axis], expected)) return {};
  return input_error(
      context, index,
      fmt::format("found {} in axis {} of {}, expected {} ({})", (*shape)[axis].value, axis, to_string(*shape), expected.value, what));
}

Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("axis: found {}, expected {} to {} for rank {}", axis, -signed_rank, signed_rank - 1, rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

Result<Dim> product(std::span<const Dim> dims) {
  std::int64_t known = 1;
  const Dim* open = nullptr;
  std::size_t open_count = 0;
  for (const Dim& dim : dims) {
    if (!dim.known()) {
      open = &dim;
      ++open_count;
    } else if (dim.value == 0) {
      return Dim{0, {}};
    } else if (known > kMaxExtent / dim.value) {
      return fail(ErrorCode::kResourceExhausted, fmt::format("shape {}: found more than 2^40 elements, expected less",
                                                             to_string(SymbolicShape(dims.begin(), dims.end()))));
    } else {
      known *= dim.value;
    }
  }
  if (open_count == 0) return Dim{known, {}};
  return open_count == 1 && known == 1 ? *open : Dim{};
}

Result<SymbolicShape> broadcast(const SymbolicShape& a, const SymbolicShape& b) {
  SymbolicShape out(std::max(a.size(), b.size()));
  const Dim one{1, {}};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Dim& x = i < a.size() ? a[a.size() - 1 - i] : one;
    const Dim& y = i < b.size() ? b[b.size() - 1 - i] : one;
    Dim& z = out[out.size() - 1 - i];
    if (x == one || y == one) {
      z = x == one ? y : x;
    } else if (x.known() || y.known()) {
      // An unknown extent beside one that is not 1 must be that, or 1.
      const auto both = merge(x, y);
      if (!both) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("shapes {} and {}: found {} beside {}, expected equal extents or 1",
                                                             to_string(a), to_string(b), x.value, y.value));
      }
      z = *both;
    } else if (x.symbol == y.symbol) {
      z = x;
    }
  }
  return out;
}

Result<std::optional<std::vector<std::int64_t>>> constant_ints(const InferContext& context, std::size_t index) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, index, {DType::kInt64}));
  const Tensor* tensor = context.constant(index);
  if (tensor == nullptr) return std::nullopt;
  if (tensor->rank() > 1) return input_error(context, index, fmt::format("found rank {}, expected a list of numbers", tensor->rank()));
  const auto values = tensor->data<std::int64_t>();
  return std::vector<std::int64_t>(values.begin(), values.end());
}

std::optional<std::int64_t> macs_of(const InferContext& context, std::span<const Dim> depth) {
  const auto outputs = context.outputs();
  if (outputs.empty() || !outputs[0].shape) return std::nullopt;
  std::int64_t macs = 1;
  for (const std::span<const Dim> dims : {std::span<const Dim>(*outputs[0].shape), depth}) {
    for (const Dim& dim : dims) {
      if (!dim.known()) return std::nullopt;
      if (__builtin_mul_overflow(macs, dim.value, &macs)) macs = std::numeric_limits<std::int64_t>::max();
    }
  }
  return macs;
}

Status infer_like_input(InferContext& context, std::initializer_list<DType> allowed) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, allowed));
  context.set_output(0, context.input(0));
  return {};
}

}  // namespace moru::model::ops
