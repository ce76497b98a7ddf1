// SPDX-License-Identifier: Apache-2.0
// What an op is: its schema, its shapes, a plain reference implementation, its documentation and examples.
// One file an op; CMake makes the table from the file names (src/model/ops/softmax.cc defines kOp_softmax).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/ops/versions.h"
#include "model/tensor/tensor.h"

namespace moru::model {

enum class AttributeKind : std::uint8_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor, kGraph };

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind;
  std::string_view doc;
  bool required = false;
};

struct PortSpec {
  std::string_view name;
  std::string_view doc;
  bool optional = false;
};

struct OpSpec;

/// What an op's infer() sees of its node. It is used twice: on a graph, where types may be unknown and only initializers
/// are constants, and just before reference(), where every type is known and every input is a constant. So what infer()
/// checks, reference() need not check again.
class InferContext {
 public:
  /// Borrows everything. `inputs` and `constants` have one entry an input of the node; a left-out input has an empty
  /// ValueType, and an input whose value is not known has a null constant.
  /// `declared` has one entry an output, what is known of it already, or is empty.
  InferContext(const OpSpec& spec, const Node& node, std::span<const ValueType> inputs, std::span<const Tensor* const> constants,
               std::span<const ValueType> declared = {});
  const OpSpec& spec() const { return spec_; }
  const Node& node() const { return node_; }
  std::size_t input_count() const { return inputs_.size(); }
  bool has_input(std::size_t index) const;
  /// Type of an input; an empty ValueType for one that is left out.
  const ValueType& input(std::size_t index) const;
  /// The value of an input where it is known, else null.
  const Tensor* constant(std::size_t index) const;
  /// What the graph says of an output before it is inferred: TFLite's results have types of their own. Empty when nothing.
  const ValueType& declared_output(std::size_t index) const;
  void set_output(std::size_t index, ValueType type);
  std::span<const ValueType> outputs() const { return outputs_; }
  /// The value of an output that follows from types alone, such as the shape of a known shape: later nodes see it as a constant.
  void set_value(std::size_t index, Tensor value);
  std::span<const std::optional<Tensor>> values() const { return values_; }

 private:
  const OpSpec& spec_;
  const Node& node_;
  std::span<const ValueType> inputs_;
  std::span<const Tensor* const> constants_;
  std::span<const ValueType> declared_;
  std::vector<ValueType> outputs_;
  std::vector<std::optional<Tensor>> values_;
};

/// What an op's reference() sees: `inputs[i]` is null for one that is left out. infer() has accepted the inputs' types
/// and shapes; each output whose type it knew is made already (zeroed), and the others are set here.
struct EvalContext {
  const Node& node;
  std::span<const Tensor* const> inputs;
  std::span<Tensor> outputs;
  std::span<const ValueType> input_types = {};   ///< one an input: element type and shape of the tensor, quantisation of the graph
  std::span<const ValueType> output_types = {};  ///< one an output, as far as inferred; quantisation of the graph

  bool has_input(std::size_t index) const { return index < inputs.size() && inputs[index] != nullptr; }
  const Tensor& input(std::size_t index) const { return *inputs[index]; }
};

/// One worked example: a graph that needs no inputs, since its data are initializers. `moru ops NAME` prints it, and a
/// test runs it.
struct OpExample {
  std::string_view title;
  std::string_view graph;     ///< text form
  std::string_view expected;  ///< the graph's outputs, one a line, as the text form writes a tensor
};

/// Cases of ONNX's own tests that the reference does not pass, and why. `moru ops` and docs/ops.md print it; a test checks
/// that each case is really there and really does not pass.
struct OpGap {
  std::string_view cases;   ///< name of the case, "test_cast_FLOAT_to_STRING"; a * at the end stands for any rest
  std::string_view reason;  ///< "strings have no arithmetic here"
};

struct OpSpec {
  std::string_view name;    ///< "Softmax"
  std::string_view domain;  ///< "" is ONNX's own
  std::int64_t since;       ///< first opset that has the op; its meaning here is that of kNewestOpset (versions.h)
  std::string_view doc;     ///< one or two sentences with shapes, then the formula
  std::span<const PortSpec> inputs;
  std::span<const PortSpec> outputs;
  std::span<const AttributeSpec> attributes;
  bool variadic_inputs = false;   ///< the last input may repeat
  bool variadic_outputs = false;  ///< the last output may repeat
  /// Checks the inputs' types and shapes as far as they are known and sets the outputs' types. Called with a node that
  /// fits the schema. Errors: kInvalidArgument (breaks the op's rules), kUnsupported (a type or mode not built).
  Status (*infer)(InferContext& context);
  /// Plain loops, no tricks: the oracle for every engine. Sums are made in double and rounded once. Errors: what only the
  /// values show, such as a division by zero of integers. Null for an op that is read, shown and written but that only a
  /// foreign backend can run (If, Loop); `gaps` then says why.
  Status (*reference)(EvalContext& context);
  std::span<const OpExample> examples;
  std::span<const OpGap> gaps = {};
  /// Brings a node of an older opset to the meaning here (null: only types were added since). It sees the node before its
  /// schema is checked, so it checks what it reads. An op that the newest opset does not have (Upsample) becomes another.
  Status (*upgrade)(NodeRewrite& rewrite) = nullptr;
  /// The way back, to an opset of kOldestWritten or newer. kUnsupported for what that opset cannot say.
  Status (*downgrade)(NodeRewrite& rewrite) = nullptr;
  /// Multiply-accumulates of one run, from the types of inputs and outputs (all are in the context). Null: none that matter.
  /// Nothing when an extent that counts is unknown; ends at the largest number instead of overflowing (ops::macs_of).
  std::optional<std::int64_t> (*macs)(const InferContext& context) = nullptr;
};

/// All ops in name order (generated).
std::span<const OpSpec* const> all_ops();
/// Null when there is none of that name.
const OpSpec* find_op(std::string_view name, std::string_view domain = "");

/// Multiply-accumulates of one node, without its bodies'. Nothing when it multiplies and its extents are not known.
std::optional<std::int64_t> macs_of(const Graph& graph, const Node& node);

/// What a graph says about the values of a node; each list is empty or has one entry a value.
struct NodeTypes {
  std::span<const ValueType> inputs = {};
  std::span<const ValueType> outputs = {};
};

/// Runs one node by its reference. `inputs` as in EvalContext; `types` matter to ops whose integers stand for reals. Errors: as infer() and
/// reference(), and kUnsupported or kInvalidArgument for a node that does not fit the schema.
Result<std::vector<Tensor>> evaluate_node(const Node& node, std::span<const Tensor* const> inputs, const NodeTypes& types = {});

/// Runs a whole graph by reference implementations. `inputs` in the order of graph.inputs; they must fit its types. The
/// result is in the order of graph.outputs. `observe`, if set, sees the inputs and then each node's outputs as they are
/// made (no initializers); the tensor is borrowed for the call, a copy of it is cheap. Values that nobody needs any more
/// are let go. A result may share its memory with an input or an initializer: clone() it before writing into it.
/// Threads: several may run one const graph. Cost: about 1 ns a multiplication; for tests, calibration and small data.
using Observer = void (*)(void* user, ValueId id, const Tensor& tensor);
Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs, Observer observe = nullptr, void* user = nullptr);

}  // namespace moru::model
