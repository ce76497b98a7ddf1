// SPDX-License-Identifier: Apache-2.0
// A region: neighbouring nodes that can work on transposed data together.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/passes/layout/permutation.h"
#include "model/passes/layout/rules.h"

namespace moru::model::layout {

/// What transposes cost: elements moved, then their number.
struct Cost {
  double elements = 0;
  std::int64_t count = 0;
  auto operator<=>(const Cost&) const = default;
  Cost& operator+=(const Cost& other) {
    elements += other.elements;
    count += other.count;
    return *this;
  }
};

/// How far a region grows.
enum class Growth { kAround, kDown, kUp };

/// Looks at one state of a graph; good until the graph changes.
class RegionFinder {
 public:
  explicit RegionFinder(Graph& graph);

  /// Grows a region from `seed`, which is to be the transpose by `perm` of what is made instead, and re-lays it when transposes
  /// cost less afterwards. True when the graph was changed: then this finder is of no use any more. `renames` collects
  /// {new name, name that it should have}.
  bool try_region(ValueId seed, const Perm& perm, Growth growth, std::vector<std::pair<std::string, std::string>>& renames);

 private:
  struct Region {
    std::map<ValueId, Perm> tags;  ///< value = transpose(new value, tag)
    std::map<std::size_t, PermuteContext> nodes;
    std::vector<ValueId> open;
  };
  /// A use of a tagged value by somebody outside of the region.
  struct OutsideUses {
    std::vector<std::size_t> transposes;
    bool others = false;
  };

  bool add_node(Region& region, std::size_t index, const Perm& perm, bool from_output, ValueId via) const;
  Region grow(ValueId seed, const Perm& perm, Growth growth) const;
  OutsideUses uses_outside(const Region& region, ValueId id) const;
  bool made_inside(const Region& region, ValueId id) const;
  std::pair<Cost, Cost> costs(const Region& region) const;
  std::pair<Cost, Cost> costs_of(const Region& region, ValueId id, const Perm& tag) const;
  Cost cost_of(ValueId from, const Perm& perm) const;
  bool commit(const Region& region, std::vector<std::pair<std::string, std::string>>& renames);
  Result<ValueId> bring_in(ValueId id, const Perm& tag, std::vector<Node>& added);
  std::int32_t producer(ValueId id) const { return producers_[static_cast<std::size_t>(id)]; }
  bool is_output(ValueId id) const { return is_output_[static_cast<std::size_t>(id)]; }
  const std::optional<Perm>& transpose(std::size_t node) const { return transposes_[node]; }

  Graph& graph_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
  std::vector<bool> is_output_;
  std::vector<std::optional<Perm>> transposes_;  ///< one a node
};

}  // namespace moru::model::layout
