// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <functional>
#include <map>
#include <queue>
#include <set>

#include "core/text.h"
#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using namespace onnx;

constexpr std::int64_t kMinIrVersion = 3;
constexpr std::int64_t kMaxIrVersion = pb::IR_VERSION;

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// "node 3 (Conv 'conv1')", by the node's place in the file.
std::string describe(const pb::NodeProto& node, int index) {
  return fmt::format("node {} ({} {})", index, node.op_type().empty() ? "without op" : in_quotes(node.op_type()), in_quotes(node.name()));
}

/// ONNX's own domain has two names.
std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

Result<std::int64_t> read_opset(const pb::ModelProto& model) {
  std::optional<std::int64_t> opset;
  for (const auto& import : model.opset_import()) {
    if (!domain_of(import.domain()).empty()) continue;  // whether its ops are known is seen when one is used
    if (opset && *opset != import.version()) return corrupt(fmt::format("found opsets {} and {}, expected one", *opset, import.version()));
    opset = import.version();
  }
  if (!opset) {
    const auto code = model.opset_import_size() == 0 ? ErrorCode::kCorrupt : ErrorCode::kUnsupported;  // all ops are of another domain
    return fail(code, "found no opset of ONNX's own ops, expected one");
  }
  if (*opset < 1 || *opset > kMaxOpset) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found opset {}, expected 1 to {}; export the model with an opset in that range", *opset, kMaxOpset));
  }
  return *opset;
}

Status check_model(const pb::ModelProto& model) {
  if (!model.has_ir_version() || !model.has_graph()) return corrupt("found no ONNX graph, expected a model in ONNX's format");
  if (model.ir_version() < kMinIrVersion || model.ir_version() > kMaxIrVersion) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found IR version {}, expected {} to {}", model.ir_version(), kMinIrVersion, kMaxIrVersion));
  }
  if (model.functions_size() > 0) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found the function {}, expected none; inline the model's functions", in_quotes(model.functions(0).name())));
  }
  if (model.graph().sparse_initializer_size() > 0) {
    return fail(ErrorCode::kUnsupported, "found a sparse initializer, expected dense ones");
  }
  return {};
}

/// Makes our graph of ONNX's, in the order inputs, initializers, nodes, outputs.
class GraphReader {
 public:
  GraphReader(const pb::GraphProto& proto, std::int64_t opset) : proto_(proto) {
    graph_.opset = opset;
    graph_.name = proto.name().empty() ? "graph" : proto.name();  // the format wants one; the writer does the same
  }

  Result<Graph> read() {
    for (const auto& initializer : proto_.initializer()) initializer_names_.insert(initializer.name());
    MORU_RETURN_IF_ERROR(read_inputs());
    MORU_RETURN_IF_ERROR(read_initializers());
    MORU_ASSIGN_OR_RETURN(const std::vector<int> order, node_order());
    for (const int index : order) {
      MORU_RETURN_IF_ERROR_IN(describe(proto_.node(index), index), read_node(proto_.node(index)));
    }
    MORU_RETURN_IF_ERROR(read_outputs());
    for (const auto& info : proto_.value_info()) {
      // Tools leave the types of values that they removed; they mean nothing.
      if (const auto id = graph_.find_value(info.name()))
        MORU_RETURN_IF_ERROR_IN("value " + in_quotes(info.name()), declare(*id, info.type()));
    }
    return std::move(graph_);
  }

 private:
  Status check_new(std::string_view name) const {
    if (name.empty()) return corrupt("found an empty name, expected one");
    if (graph_.find_value(name)) return corrupt("found a name that another value has, expected a new one");
    return {};
  }

  Status read_inputs() {
    for (const auto& input : proto_.input()) {
      // Until IR version 4 every initializer is an input too. Later that makes it a default that a caller may replace;
      // here it is a constant in both cases.
      if (initializer_names_.contains(input.name())) continue;
      const auto where = "input " + in_quotes(input.name());
      MORU_RETURN_IF_ERROR_IN(where, check_new(input.name()));
      MORU_ASSIGN_OR_RETURN_IN(where, ValueType type, type_from_proto(input.type()));
      if (!type.dtype) return corrupt(where + ": found no element type, expected one");
      graph_.inputs.push_back(graph_.add_value(input.name(), std::move(type)));
    }
    return {};
  }

  Status read_initializers() {
    for (const auto& proto : proto_.initializer()) {
      const auto where = "initializer " + in_quotes(proto.name());
      MORU_RETURN_IF_ERROR_IN(where, check_new(proto.name()));
      MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, tensor_from_proto(proto));
      graph_.add_initializer(proto.name(), std::move(tensor));
    }
    for (const auto& input : proto_.input()) {
      if (!initializer_names_.contains(input.name())) continue;
      MORU_RETURN_IF_ERROR_IN("input " + in_quotes(input.name()), declare(*graph_.find_value(input.name()), input.type()));
    }
    return {};
  }

  /// Which node makes each value. Errors: a value that is made twice.
  Result<std::map<std::string_view, int>> find_producers() const {
    std::map<std::string_view, int> producers;
    for (int i = 0; i < proto_.node_size(); ++i) {
      for (const std::string& output : proto_.node(i).output()) {
        if (output.empty()) continue;
        if (graph_.find_value(output) || !producers.emplace(output, i).second) {
          return corrupt(fmt::format("{}: found output {}, which something else makes too, expected one producer",
                                     describe(proto_.node(i), i), in_quotes(output)));
        }
      }
    }
    return producers;
  }

  /// The order of the file where that is right (the format says it is), else the nearest order that is.
  Result<std::vector<int>> node_order() const {
    MORU_ASSIGN_OR_RETURN(const auto producers, find_producers());
    const auto count = static_cast<std::size_t>(proto_.node_size());
    std::vector<std::vector<int>> users(count);
    std::vector<int> waiting(count, 0);
    for (int i = 0; i < proto_.node_size(); ++i) {
      for (const std::string& input : proto_.node(i).input()) {
        if (input.empty() || graph_.find_value(input)) continue;
        const auto it = producers.find(input);
        if (it == producers.end()) {
          return corrupt(fmt::format("{}: found input {}, which nothing makes, expected an input, an initializer or a node's output",
                                     describe(proto_.node(i), i), in_quotes(input)));
        }
        users[static_cast<std::size_t>(it->second)].push_back(i);
        ++waiting[static_cast<std::size_t>(i)];
      }
    }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < proto_.node_size(); ++i) {
      if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      order.push_back(ready.top());
      ready.pop();
      for (const int user : users[static_cast<std::size_t>(order.back())]) {
        if (--waiting[static_cast<std::size_t>(user)] == 0) ready.push(user);
      }
    }
    for (int i = 0; i < proto_.node_size() && order.size() < count; ++i) {
      if (waiting[static_cast<std::size_t>(i)] > 0) {
        return corrupt(describe(proto_.node(i), i) + ": found a cycle through or before it, expected nodes without cycles");
      }
    }
    return order;
  }

  Status read_node(const pb::NodeProto& proto) {
    if (proto.op_type() == "Constant" && domain_of(proto.domain()).empty()) return read_constant(proto);
    Node node;
    node.name = proto.name();
    node.op = proto.op_type();
    node.domain = domain_of(proto.domain());
    if (const OpSpec* op = find_op(node.op, node.domain); op != nullptr && node.domain.empty() && graph_.opset < op->since) {
      return fail(ErrorCode::kUnsupported, fmt::format("found opset {}, expected at least {}, since which {} means what it means here; "
                                                       "convert the model to that opset",
                                                       graph_.opset, op->since, node.op));
    }
    for (const auto& attribute : proto.attribute()) {
      const auto where = "attribute " + in_quotes(attribute.name());
      MORU_ASSIGN_OR_RETURN_IN(where, Attribute read, attribute_from_proto(attribute));
      if (!node.attributes.emplace(attribute.name(), std::move(read)).second) return corrupt(where + ": found twice, expected once");
    }
    for (const std::string& input : proto.input()) node.inputs.push_back(input.empty() ? kNoValue : *graph_.find_value(input));
    for (const std::string& output : proto.output()) node.outputs.push_back(output.empty() ? kNoValue : graph_.add_value(output));
    graph_.nodes().push_back(std::move(node));
    return {};
  }

  /// A Constant is an initializer that stands among the nodes.
  Status read_constant(const pb::NodeProto& proto) {
    if (proto.input_size() != 0 || proto.output_size() != 1 || proto.output(0).empty() || proto.attribute_size() != 1) {
      return corrupt(fmt::format("found {} inputs, {} outputs and {} attributes, expected one output and one attribute", proto.input_size(),
                                 proto.output_size(), proto.attribute_size()));
    }
    const auto where = "attribute " + in_quotes(proto.attribute(0).name());
    MORU_ASSIGN_OR_RETURN_IN(where, Attribute attribute, attribute_from_proto(proto.attribute(0)));
    MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, constant_tensor(proto.attribute(0).name(), attribute));
    graph_.add_initializer(proto.output(0), std::move(tensor));
    return {};
  }

  static Result<Tensor> constant_tensor(std::string_view name, const Attribute& attribute) {
    if (const auto* tensor = std::get_if<Tensor>(&attribute); tensor != nullptr && name == "value") return *tensor;
    if (const auto* value = std::get_if<float>(&attribute); value != nullptr && name == "value_float") return Tensor::scalar(*value);
    if (const auto* value = std::get_if<std::int64_t>(&attribute); value != nullptr && name == "value_int") return Tensor::scalar(*value);
    if (const auto* values = std::get_if<std::vector<float>>(&attribute); values != nullptr && name == "value_floats") {
      return Tensor::of<float>({static_cast<std::int64_t>(values->size())}, std::span<const float>(*values));
    }
    if (const auto* values = std::get_if<std::vector<std::int64_t>>(&attribute); values != nullptr && name == "value_ints") {
      return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values->size())}, std::span<const std::int64_t>(*values));
    }
    return fail(ErrorCode::kUnsupported,
                "found another kind of constant, expected value, value_float, value_int, value_floats or value_ints");
  }

  Status read_outputs() {
    std::set<ValueId> seen;
    for (const auto& output : proto_.output()) {
      const auto where = "output " + in_quotes(output.name());
      const auto id = graph_.find_value(output.name());
      if (!id) return corrupt(where + ": found no value of that name, expected one that a node makes");
      if (!seen.insert(*id).second) return corrupt(where + ": found twice, expected once");
      MORU_RETURN_IF_ERROR_IN(where, declare(*id, output.type()));
      graph_.outputs.push_back(*id);
    }
    if (graph_.outputs.empty()) return corrupt("found no outputs, expected at least one");
    return {};
  }

  /// What the file says about a value's type, joined with what is known of it.
  Status declare(ValueId id, const pb::TypeProto& proto) {
    MORU_ASSIGN_OR_RETURN(ValueType type, type_from_proto(proto));
    const ValueType& known = graph_.value(id).type;
    if (!type.dtype) type.dtype = known.dtype;
    if (known.dtype && known.dtype != type.dtype) {
      return corrupt(fmt::format("found type {}, expected {} as elsewhere in the file", to_string(*type.dtype), to_string(*known.dtype)));
    }
    if (!type.shape) type.shape = known.shape;
    if (known.shape && !join(*known.shape, *type.shape)) {
      return corrupt(fmt::format("found shape {}, expected {} as elsewhere in the file", to_string(*type.shape), to_string(*known.shape)));
    }
    graph_.set_type(id, std::move(type));
    return {};
  }

  /// Puts what `known` knows into `shape`; false where they cannot both be right.
  static bool join(const SymbolicShape& known, SymbolicShape& shape) {
    if (known.size() != shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (known[i].known() && shape[i].known() && known[i] != shape[i]) return false;
      if (!shape[i].known() && (known[i].known() || shape[i].symbol.empty())) shape[i] = known[i];
    }
    return true;
  }

  const pb::GraphProto& proto_;
  std::set<std::string_view> initializer_names_;
  Graph graph_;
};

Result<Graph> parse_model(std::string_view bytes) {
  if (bytes.size() > kMaxFileBytes) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes, expected less than 2 GiB", bytes.size()));
  }
  pb::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt(fmt::format("found {} bytes that are not ONNX, expected a model in ONNX's format", bytes.size()));
  }
  MORU_RETURN_IF_ERROR(check_model(model));
  MORU_ASSIGN_OR_RETURN(const std::int64_t opset, read_opset(model));
  MORU_ASSIGN_OR_RETURN(Graph graph, GraphReader(model.graph(), opset).read());
  for (const auto& entry : model.metadata_props()) graph.metadata.emplace_back(entry.key(), entry.value());
  MORU_RETURN_IF_ERROR(verify(graph));
  MORU_RETURN_IF_ERROR(infer_shapes(graph));
  return graph;
}

}  // namespace

Result<Graph> read_onnx(std::string_view bytes, std::string_view where) {
  MORU_ASSIGN_OR_RETURN_IN(where, Graph graph, parse_model(bytes));
  return graph;
}

Result<Graph> load_onnx(const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, kMaxFileBytes));
  return read_onnx(bytes, path.string());
}

Result<Tensor> read_onnx_tensor(std::string_view bytes, std::string_view where) {
  pb::TensorProto proto;
  if (bytes.size() > kMaxFileBytes || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt(fmt::format("{}: found {} bytes that are not ONNX, expected a tensor in ONNX's format", where, bytes.size()));
  }
  MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, tensor_from_proto(proto));
  return tensor;
}

}  // namespace moru::model
