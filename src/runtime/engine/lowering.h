// SPDX-License-Identifier: Apache-2.0
// From a graph to a plan: where each value lies, and which steps make it. One file an op in lower/ adds its steps here.
#pragma once

#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "runtime/engine/arena.h"
#include "runtime/engine/plan.h"

namespace moru::runtime::engine {

enum class Layout : std::uint8_t { kPlain, kChannelsLast };

/// A value as it lies in memory: floats, levels as uint8 whatever the graph's type (int8 is 128 higher here), or other integers and truth
/// values (a byte, 0 or 1) as they are.
struct Stored {
  BufferId buffer = -1;
  model::DType dtype = model::DType::kFloat32;  ///< the graph's
  model::Dims dims = {};                        ///< the graph's
  Layout layout = Layout::kPlain;
  bool is_float() const { return dtype == model::DType::kFloat32; }
  bool is_levels() const { return dtype == model::DType::kInt8 || dtype == model::DType::kUInt8; }
  std::size_t element_bytes() const { return model::bits_of(dtype) / 8; }
  std::size_t count() const;
  /// Extents in the order they lie in.
  model::Dims physical_dims() const;
};

/// Elements from one to the next along each axis of the graph's.
model::Dims logical_strides(const Stored& stored);

/// Of the graph's type, what is added to it to be a level here.
inline std::int32_t level_shift(model::DType dtype) { return dtype == model::DType::kInt8 ? 128 : 0; }

/// Bounds that a step can apply to what it makes.
struct Bounds {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

class Lowering {
 public:
  Lowering(const model::Graph& graph, const kernels::Kernels& kernels);
  Result<std::shared_ptr<const Plan>> run();

  const model::Graph& graph() const { return graph_; }
  const kernels::Kernels& kernels() const { return plan_->kernels_; }

  // What a node asks for.

  /// An input in a layout; nullopt takes it as it lies. Adds a step when it has to be moved. kUnsupported for a type that no value has
  /// here, and for one that is left out.
  Result<Stored> input(const model::Node& node, std::size_t index, std::optional<Layout> layout = std::nullopt);
  /// The value of an input that must be a constant; kUnsupported for one that is not.
  Result<const model::Tensor*> constant(const model::Node& node, std::size_t index);
  /// The value where it is known before any run: an initializer, or what nodes make of known values alone, which is computed when it is
  /// asked for. Null where it is not. Borrowed from the lowering.
  Result<const model::Tensor*> known(model::ValueId value);
  /// The node that makes a value; null for inputs and initializers.
  const model::Node* producer(model::ValueId value) const;
  bool has_input(const model::Node& node, std::size_t index) const;
  /// Memory for a value that the node makes. kUnsupported as input().
  Result<Stored> output(model::ValueId value, Layout layout);
  /// Extents of a value. kUnsupported for one that does not know them.
  Result<model::Dims> dims(model::ValueId value) const;
  /// The value lies where another does.
  void alias(model::ValueId value, Stored stored);
  /// Floats that live as long as the plan, as a value of these extents.
  Result<Stored> kept_value(const std::vector<float>& values, model::Dims dims);
  /// Memory that only the next step uses; each worker has its own.
  BufferId scratch(std::size_t bytes);
  /// Memory that goes from one step of the node to others.
  BufferId between(std::size_t bytes);
  /// Numbers that live as long as the plan, aligned, with slack behind them.
  template <class T>
  Result<const T*> keep(const std::vector<T>& values) {
    MORU_ASSIGN_OR_RETURN(std::byte * memory, keep_bytes(values.size() * sizeof(T)));
    std::memcpy(memory, values.data(), values.size() * sizeof(T));
    return reinterpret_cast<const T*>(memory);
  }
  Result<std::byte*> keep_bytes(std::size_t bytes);

  /// `uses` are all buffers that the step reads or writes. A step that leaves parts of a value alone says what it moves.
  void add(std::unique_ptr<Step> step, const std::vector<BufferId>& uses, std::optional<Traffic> traffic = std::nullopt);

  /// The last step may write `to` where `from` lies, of as many bytes: what it writes in a place is made of what it has read there, and it
  /// reads that place no more. Nothing where `from` is none, -1. So they share memory where nothing uses `from` afterwards.
  void may_overwrite(BufferId from, BufferId to);

  /// The node that alone uses `value`, when it is of this op of ONNX's own; else null, and for an output of the graph.
  const model::Node* only_user(model::ValueId value, std::string_view op) const;
  /// The step of the node that is being lowered does the work of the only user of `value`, too: `value` becomes its output.
  void absorb_user(model::ValueId& value);
  /// While `value` is used by one Relu or Clip only, takes that node's work over: `value` becomes its output.
  Bounds absorb_bounds(model::ValueId& value);
  /// When `value` is used by one float Add only, with a constant that has one number at all or one an index of `axis`, takes that node over
  /// and gives one number an index; empty otherwise.
  std::vector<float> absorb_bias(model::ValueId& value, std::size_t axis);
  /// When `value` is used by one float Add only, of the same shape as it, whose other operand lies somewhere already: takes the node over,
  /// and gives that operand in `layout`.
  Result<std::optional<Stored>> absorb_residual(model::ValueId& value, Layout layout);

 private:
  Status lower_node(std::size_t index);
  Status import_inputs();
  Status export_outputs();
  Result<Stored> stored_value(model::ValueId value);
  Result<Stored> stored_constant(model::ValueId value, const model::Tensor& tensor);
  Result<Stored> moved(const Stored& from, Layout layout);
  /// A step that moves a value to where and as `to` says.
  void add_layout(std::string_view what, const Stored& from, const Stored& to);
  /// Floats that nothing else wants: their layout can be that of the convolutions at once.
  bool goes_into_convolutions(model::ValueId value) const;
  void add_move(std::string_view what, std::unique_ptr<Step> step, BufferId from, BufferId to);
  void add_step(std::unique_ptr<Step> step, const std::vector<BufferId>& uses, StepWork work);
  /// A value that no step has used before is written, the others are read.
  Traffic traffic_of(const std::vector<BufferId>& uses) const;
  void take_on(const model::Node& node);
  /// Whether all that the node makes is known before a run, and small enough to be kept.
  bool makes_known(const model::Node& node) const;
  /// Those nodes are done.
  void find_known();
  /// Computes what the node makes, whose inputs are there. Nothing when they are not: `missing` then says what must be made first.
  Status make_known(const model::Node& node, std::vector<const model::Node*>& missing);
  const model::Tensor* tensor_of(model::ValueId value) const;
  Result<model::Tensor> extents_of(const model::Node& node) const;
  BufferId new_buffer(Buffer buffer, std::size_t value_bytes);
  /// Puts steps whose rows can be made in turn into one step (chain.cc).
  void chain_rows();
  /// Whether step `index` and the next one can be in one chain.
  bool links_rows(std::size_t index) const;
  /// Of steps [begin, end), which could be one chain: behind which of them it is best cut, since what lies there is the smallest.
  std::size_t weakest_link(std::size_t begin, std::size_t end) const;
  /// Steps [begin, end) become one, if that pays.
  bool chain_steps(std::size_t begin, std::size_t end);
  void place_buffers();
  /// By buffer, the one whose place it takes: its own, or that of one that is overwritten.
  std::vector<std::size_t> shared_places() const;

  const model::Graph& graph_;
  std::shared_ptr<Plan> plan_;
  std::vector<std::optional<Stored>> stored_;  ///< by value
  std::vector<std::vector<std::int32_t>> consumers_;
  std::vector<std::int32_t> producers_;
  std::vector<bool> is_output_;                    ///< by value
  std::vector<bool> is_known_;                     ///< by value
  std::map<model::ValueId, model::Tensor> known_;  ///< those of is_known_ that were asked for
  std::vector<bool> done_;                         ///< by node
  std::vector<Lifetime> lifetimes_;                ///< by buffer
  struct Overwrite {
    int step;
    BufferId from;
    BufferId to;
  };
  std::vector<Overwrite> overwrites_;     ///< that may be, in the order of steps
  std::vector<std::size_t> value_bytes_;  ///< by buffer: of the value in it; 0 where there is none
  std::string current_;                   ///< the node that is being lowered
  StepWork work_;                         ///< what of it no step has taken yet
};

/// An op that the engine runs: a file in lower/.
struct LowerSpec {
  std::string_view name;    ///< "Conv"
  std::string_view domain;  ///< "" is ONNX's own
  Status (*lower)(Lowering& lowering, const model::Node& node);
};
std::span<const LowerSpec* const> all_lowerings();
const LowerSpec* find_lowering(std::string_view name, std::string_view domain);

}  // namespace moru::runtime::engine
