// SPDX-License-Identifier: Apache-2.0
// Sparse constants are stored as a tree: a level for each axis in traversal order (behind the tensor's own axes stand those of
// blocks), where a level is dense or keeps only some indices ("compressed sparse row", one level of it). Known as the TACO
// format: Kjolstad et al., "The Tensor Algebra Compiler", OOPSLA 2017.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "model/formats/tflite/convert.h"

namespace moru::model::tflite {
namespace {

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// One level of the tree.
struct Level {
  std::int64_t extent = 0;  ///< how many indices the axis has
  std::int64_t stride = 0;  ///< what one step of it is in the dense tensor
  bool dense = true;
  std::vector<std::int64_t> segments;  ///< of a compressed one: where the indices of each parent begin
  std::vector<std::int64_t> indices;
};

template <class Vector>
std::vector<std::int64_t> widen(const Vector* table) {
  if (table == nullptr || table->values() == nullptr) return {};
  return {table->values()->begin(), table->values()->end()};
}

std::vector<std::int64_t> numbers(fb::SparseIndexVector type, const void* table) {
  switch (type) {
    case fb::SparseIndexVector::Int32Vector: return widen(static_cast<const fb::Int32Vector*>(table));
    case fb::SparseIndexVector::Uint16Vector: return widen(static_cast<const fb::Uint16Vector*>(table));
    case fb::SparseIndexVector::Uint8Vector: return widen(static_cast<const fb::Uint8Vector*>(table));
    default: return {};
  }
}

class Tree {
 public:
  Tree(const fb::SparsityParameters& sparsity, const Dims& dims) : sparsity_(sparsity), dims_(dims) {}

  Status read() {
    const auto* order = sparsity_.traversal_order();
    const auto* metadata = sparsity_.dim_metadata();
    const std::size_t blocks = sparsity_.block_map() == nullptr ? 0 : sparsity_.block_map()->size();
    if (blocks > kMaxRank) return corrupt(fmt::format("found {} block axes, expected at most {}", blocks, kMaxRank));
    const std::size_t count = dims_.size() + blocks;
    if (order == nullptr || metadata == nullptr || order->size() != count || metadata->size() != count)
      return corrupt(fmt::format("found a sparse layout without {} axes in order, expected one a level", count));
    MORU_RETURN_IF_ERROR(find_axes(*order, *metadata));
    for (std::size_t i = 0; i < count; ++i) {
      const auto* one = metadata->Get(static_cast<flatbuffers::uoffset_t>(i));
      const auto axis = static_cast<std::size_t>(order->Get(static_cast<flatbuffers::uoffset_t>(i)));
      MORU_RETURN_IF_ERROR_IN(fmt::format("level {}", i), add_level(*one, axis));
    }
    return {};
  }

  /// Calls put(place in the dense tensor, number of the stored element) for each of `stored` elements.
  template <class F>
  Status walk(std::int64_t stored, F put) const {
    // Each level is gone through as long as indices are left; a path down the tree is the state.
    struct Place {
      std::int64_t at, end, offset;
    };
    std::vector<Place> path;
    std::int64_t visited = 0;
    if (levels_.empty()) {
      if (stored != 1) return corrupt(fmt::format("found {} elements, expected 1", stored));
      put(0, 0);
      return {};
    }
    const auto enter = [&](std::int64_t parent, std::int64_t offset) -> Status {
      const Level& level = levels_[path.size()];
      if (level.dense) {
        path.push_back({parent * level.extent, (parent + 1) * level.extent, offset});
        return {};
      }
      if (parent + 1 >= std::ssize(level.segments))
        return corrupt(fmt::format("level {}: found no segment {}, expected one", path.size(), parent));
      path.push_back({level.segments[static_cast<std::size_t>(parent)], level.segments[static_cast<std::size_t>(parent) + 1], offset});
      return {};
    };
    MORU_RETURN_IF_ERROR(enter(0, 0));
    while (!path.empty()) {
      Place& place = path.back();
      if (place.at >= place.end) {
        path.pop_back();
        continue;
      }
      const Level& level = levels_[path.size() - 1];
      const std::int64_t here = place.at++;
      const std::int64_t index = level.dense ? here % level.extent : level.indices[static_cast<std::size_t>(here)];
      const std::int64_t offset = place.offset + index * level.stride;
      if (path.size() < levels_.size()) {
        MORU_RETURN_IF_ERROR(enter(here, offset));
        continue;
      }
      if (here >= stored) return corrupt(fmt::format("found {} elements, expected more than {}", stored, here));
      if (++visited > stored) return corrupt("found an element that is used twice, expected each once");
      put(offset, here);
    }
    return {};
  }

 private:
  /// What an axis is in the dense tensor: of a blocked axis the outer part steps over blocks.
  Status find_axes(const flatbuffers::Vector<std::int32_t>& order,
                   const flatbuffers::Vector<flatbuffers::Offset<fb::DimensionMetadata>>& metadata) {
    extents_ = dims_;
    strides_.assign(dims_.size(), 1);
    for (std::size_t axis = dims_.size(); axis-- > 1;) strides_[axis - 1] = strides_[axis] * dims_[axis];
    std::vector<bool> seen(order.size(), false);
    for (const std::int32_t axis : order) {
      if (axis < 0 || std::cmp_greater_equal(axis, order.size()) || seen[static_cast<std::size_t>(axis)])
        return corrupt(fmt::format("found axis {} in the traversal order, expected each of {} once", axis, order.size()));
      seen[static_cast<std::size_t>(axis)] = true;
    }
    for (std::size_t block = 0; block + dims_.size() < order.size(); ++block) {
      const std::int32_t axis = sparsity_.block_map()->Get(static_cast<flatbuffers::uoffset_t>(block));
      const auto level = std::find(order.begin(), order.end(), static_cast<std::int32_t>(dims_.size() + block)) - order.begin();
      const std::int64_t size = metadata.Get(static_cast<flatbuffers::uoffset_t>(level))->dense_size();
      if (axis < 0 || std::cmp_greater_equal(axis, dims_.size()) || size < 1 || extents_[static_cast<std::size_t>(axis)] % size != 0 ||
          extents_[static_cast<std::size_t>(axis)] != dims_[static_cast<std::size_t>(axis)]) {
        return corrupt(fmt::format("found blocks of {} on axis {}, expected a divisor of its extent, once", size, axis));
      }
      extents_.push_back(size);
      strides_.push_back(strides_[static_cast<std::size_t>(axis)]);
      extents_[static_cast<std::size_t>(axis)] /= size;
      strides_[static_cast<std::size_t>(axis)] *= size;
    }
    return {};
  }

  Status add_level(const fb::DimensionMetadata& metadata, std::size_t axis) {
    Level level{extents_[axis], strides_[axis], metadata.format() == fb::DimensionType::DENSE, {}, {}};
    if (level.dense) {
      if (metadata.dense_size() != level.extent)
        return corrupt(fmt::format("found {} indices, expected {}", metadata.dense_size(), level.extent));
    } else {
      if (metadata.format() != fb::DimensionType::SPARSE_CSR || axis >= dims_.size())
        return corrupt("found another kind of level, expected a dense one or one of the tensor's axes");
      level.segments = numbers(metadata.array_segments_type(), metadata.array_segments());
      level.indices = numbers(metadata.array_indices_type(), metadata.array_indices());
      if (level.segments.empty() || level.segments.front() != 0 || !std::ranges::is_sorted(level.segments) ||
          level.segments.back() != std::ssize(level.indices)) {
        return corrupt("found segments that do not cover the indices, expected ascending ones from 0 to their number");
      }
      for (const std::int64_t index : level.indices) {
        if (index < 0 || index >= level.extent) return corrupt(fmt::format("found index {}, expected 0 to {}", index, level.extent - 1));
      }
    }
    levels_.push_back(std::move(level));
    return {};
  }

  const fb::SparsityParameters& sparsity_;
  const Dims& dims_;
  Dims extents_;  ///< of the tensor's axes, in blocks, and of the blocks
  Dims strides_;
  std::vector<Level> levels_;
};

}  // namespace

Result<Tensor> densify(const fb::SparsityParameters& sparsity, DType dtype, const Dims& dims, std::span<const std::byte> values) {
  MORU_ASSIGN_OR_RETURN(const std::size_t size, element_size(dtype));
  MORU_ASSIGN_OR_RETURN(Tensor dense, Tensor::create(dtype, dims));
  if (values.size() % size != 0) return corrupt(fmt::format("found {} bytes, expected elements of {}", values.size(), size));
  Tree tree(sparsity, dense.dims());
  MORU_RETURN_IF_ERROR(tree.read());
  if (dense.count() == 0) return dense;
  std::byte* const to = dense.mutable_bytes().data();
  const auto stored = static_cast<std::int64_t>(values.size() / size);
  MORU_RETURN_IF_ERROR(tree.walk(stored, [&](std::int64_t place, std::int64_t element) {
    std::memcpy(to + static_cast<std::size_t>(place) * size, values.data() + static_cast<std::size_t>(element) * size, size);
  }));
  return dense;
}

}  // namespace moru::model::tflite
