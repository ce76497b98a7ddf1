// SPDX-License-Identifier: Apache-2.0
// What every session must check before it trusts a caller's tensors.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

/// Checks tensors against ports. Symbolic extents of one name must be equal in all inputs and outputs of a call.
/// Threads: one owner. Cost: check() allocates nothing unless it fails.
class PortChecker {
 public:
  PortChecker(std::span<const Port> inputs, std::span<const Port> outputs);
  /// Errors: kInvalidArgument with the port's name, what was found and what was expected.
  Status check(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs);
  /// The same for inputs alone.
  Status check_inputs(std::span<const model::ConstTensorView> inputs);
  /// The same before there is any memory: their extents.
  Status check_inputs(std::span<const model::Dims> inputs);
  /// check_inputs(), then the shapes that the outputs must have. kUnsupported for an output extent that no
  /// input binds.
  Result<std::vector<model::Dims>> output_dims(std::span<const model::ConstTensorView> inputs);
  Result<std::vector<model::Dims>> output_dims(std::span<const model::Dims> inputs);

 private:
  struct Extent {
    std::int64_t value;  ///< >= 0 when fixed
    int symbol;          ///< index into bound_; -1 for an extent that may be anything
  };
  struct Rule {
    const char* role;
    Port port;
    std::vector<Extent> extents;
  };
  Rule make_rule(const char* role, const Port& port);
  Status check_count(const char* role, std::size_t found, std::size_t expected) const;
  Status check_shape(const Rule& rule, model::DType dtype, std::span<const std::int64_t> dims);
  Status check_one(const Rule& rule, model::DType dtype, std::span<const std::int64_t> dims, std::size_t bytes);
  Result<std::vector<model::Dims>> bound_outputs() const;

  std::vector<std::string> symbols_;
  std::vector<std::int64_t> bound_;  ///< extent of each symbol in this call; -1: not known yet
  std::vector<Rule> inputs_;
  std::vector<Rule> outputs_;
};

/// The ports that a graph's inputs or outputs are. kUnsupported for one without type and shape, and for strings.
Result<std::vector<Port>> ports_of(const model::Graph& graph, std::span<const model::ValueId> values);

/// "image: float32 [N, 1, 28, 28]"
std::string describe(const Port& port);

}  // namespace moru::runtime
