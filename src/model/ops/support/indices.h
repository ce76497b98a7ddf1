// SPDX-License-Identifier: Apache-2.0
// Axes and indices that come from a model or from its data: every one is checked, and the error names it and the extent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/ops/op.h"

namespace moru::model::ops {

/// The types that ONNX's indices have.
inline constexpr std::initializer_list<DType> kIndexTypes = {DType::kInt32, DType::kInt64};

/// The elements of an int32 or int64 tensor; another type is a bug here.
std::vector<std::int64_t> to_ints(const Tensor& tensor);

/// The elements of a constant int32 or int64 input of rank 0 or 1; nullopt when it is not known. Errors: another type, another
/// rank.
Result<std::optional<std::vector<std::int64_t>>> constant_indices(const InferContext& context, std::size_t index);
/// The same for a single number: a scalar, or [1].
Result<std::optional<std::int64_t>> constant_index(const InferContext& context, std::size_t index);
/// Input `index` must be a scalar or [1], where its shape is known.
Status expect_single_element(const InferContext& context, std::size_t index);
/// How many numbers the list has that input `index` is, where that is known and reasonable for a rank (at most 64).
std::optional<std::size_t> list_length(const InferContext& context, std::size_t index);

/// Each of `axes` counted from the front. kInvalidArgument outside [-rank, rank) and for one that is there twice.
Result<std::vector<std::size_t>> normalize_axes(std::span<const std::int64_t> axes, std::size_t rank);
/// 0, 1, ... rank - 1.
std::vector<std::int64_t> all_axes(std::size_t rank);

/// The index counted from the front. kInvalidArgument "`name`: found 7 at element 3, expected -5 to 4" when it is out of range.
Result<std::int64_t> checked_index(std::int64_t index, std::int64_t extent, std::string_view name, std::size_t element);
/// All elements of an int32 or int64 tensor as indices of an axis of `extent`.
Result<std::vector<std::int64_t>> read_indices(const Tensor& tensor, std::int64_t extent, std::string_view name);

/// A list of extents that a model asks for: each 0 to 2^40.
Status check_extents(std::span<const std::int64_t> extents, std::string_view name);
SymbolicShape to_shape(std::span<const std::int64_t> extents);
/// The extents of a shape that is wholly known.
std::optional<Dims> known_dims(const SymbolicShape& shape);

/// What a node being rewritten has at input `index`; kNoValue when it is left out or there are not so many.
ValueId input_of(const NodeRewrite& rewrite, std::size_t index);
/// The constant there; null when it is left out or computed.
const Tensor* constant_of(const NodeRewrite& rewrite, std::size_t index);
/// The shape of the value there; null when it is not known.
const SymbolicShape* shape_of(const NodeRewrite& rewrite, std::size_t index);
/// Sets input `index`, with left-out ones before it.
void set_input(NodeRewrite& rewrite, std::size_t index, ValueId value);
/// An attribute that an opset does not have is taken away when it says what that opset means anyway; else kUnsupported.
Status drop_default(NodeRewrite& rewrite, std::string_view name, const Attribute& meant);

}  // namespace moru::model::ops
