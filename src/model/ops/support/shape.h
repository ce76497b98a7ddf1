// SPDX-License-Identifier: Apache-2.0
// What the ops share about types and shapes. Errors begin with the input they are about, "input 1 (W)"; the caller of
// infer() puts the node in front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "model/ops/op.h"

namespace moru::model::ops {

/// No extent of any tensor may be larger; products of two extents, or of an extent and an attribute below 2^22, then fit.
inline constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40U;

inline constexpr std::initializer_list<DType> kFloatOnly = {DType::kFloat32};
inline constexpr std::initializer_list<DType> kNumeric = {DType::kFloat32, DType::kFloat64, DType::kInt8,   DType::kUInt8, DType::kInt16,
                                                          DType::kUInt16,  DType::kInt32,   DType::kUInt32, DType::kInt64, DType::kUInt64};

/// "input 1 (W)"
std::string input_label(const InferContext& context, std::size_t index);
/// kInvalidArgument "input 1 (W): message".
std::unexpected<Error> input_error(const InferContext& context, std::size_t index, std::string_view message);

/// The shape of an input; null when it is left out or its rank is unknown.
const SymbolicShape* shape_of(const InferContext& context, std::size_t index);

/// The element type of an input must be one of `allowed` (kUnsupported otherwise); unknown is fine.
Status expect_dtype(const InferContext& context, std::size_t index, std::initializer_list<DType> allowed);
/// The known element types of all inputs from `first` on must be equal; gives it, if any is known.
Result<std::optional<DType>> common_dtype(const InferContext& context, std::initializer_list<DType> allowed, std::size_t first = 0);
/// `why` says what the axes are: "[O, C/group, kernel...]".
Status expect_rank(const InferContext& context, std::size_t index, std::size_t rank, std::string_view why);

/// What is known of an extent from two sources; nullopt when they contradict. Of two symbols the first stays.
std::optional<Dim> merge(const Dim& a, const Dim& b);
/// The extent of axis `axis` of an input must be `expected` where both are known.
Status expect_extent(const InferContext& context, std::size_t index, std::size_t axis, const Dim& expected, std::string_view what);

/// -1 is the last axis. kInvalidArgument outside [-rank, rank).
Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank);

/// Product of extents: known only as far as it is certain (one unknown extent times 1 is that extent). kResourceExhausted
/// above kMaxExtent.
Result<Dim> product(std::span<const Dim> dims);

/// NumPy's rule: aligned at the last axis, an extent of 1 stretches.
Result<SymbolicShape> broadcast(const SymbolicShape& a, const SymbolicShape& b);

/// The elements of an int64 tensor of rank 0 or 1 that is a constant input; nullopt when it is not known.
Result<std::optional<std::vector<std::int64_t>>> constant_ints(const InferContext& context, std::size_t index);

/// For OpSpec::macs: elements of output 0 times the product of `depth`, the extents that each of them sums over.
std::optional<std::int64_t> macs_of(const InferContext& context, std::span<const Dim> depth);

/// Output 0 is as input 0.
Status infer_like_input(InferContext& context, std::initializer_list<DType> allowed);

}  // namespace moru::model::ops
