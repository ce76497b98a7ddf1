// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/graph_writer.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

namespace moru::model::onnx {
namespace {

/// The names of the graphs that a body lies in.
using Taken = std::set<std::string, std::less<>>;

class GraphWriter {
 public:
  GraphWriter(const Graph& graph, const std::set<ValueId>& dropped, const TensorWriter& write_tensor, Taken& taken)
      : graph_(graph), dropped_(dropped), write_tensor_(write_tensor), taken_(taken) {}

  /// `captured`: the outer names of the graph's last inputs.
  void write(const std::vector<std::string>& captured, pb::GraphProto* out) {
    const std::size_t own_inputs = graph_.inputs.size() - captured.size();
    name_values(captured);
    out->set_name(graph_.name.empty() ? "graph" : graph_.name);  // the format wants one
    for (std::size_t i = 0; i < own_inputs; ++i) write_value(graph_.inputs[i], out->add_input());
    for (const auto& [id, tensor] : graph_.initializers()) {
      if (dropped_.contains(id)) continue;
      auto* initializer = out->add_initializer();
      initializer->set_name(name_of(id));
      write_tensor_(tensor, initializer);
    }
    for (const Node& node : graph_.nodes()) write_node(node, out->add_node());
    for (const ValueId id : graph_.outputs) write_value(id, out->add_output());
    write_inner_types(out);
    for (const std::string& name : own_names_) taken_.erase(name);
  }

 private:
  /// Names of this graph are taken for the bodies in it, until it is written.
  void name_values(const std::vector<std::string>& captured) {
    names_.resize(graph_.value_count());
    const std::size_t own_inputs = graph_.inputs.size() - captured.size();
    for (std::size_t i = 0; i < captured.size(); ++i) names_[static_cast<std::size_t>(graph_.inputs[own_inputs + i])] = captured[i];
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (!names_[i].empty()) continue;
      names_[i] = free_name(graph_.value(static_cast<ValueId>(i)).name);
      taken_.insert(names_[i]);
      own_names_.push_back(names_[i]);
    }
  }

  /// A name that means nothing outside, and nothing else in this graph.
  std::string free_name(const std::string& name) const {
    if (!taken_.contains(name)) return name;
    for (std::size_t i = 1;; ++i) {
      std::string numbered = fmt::format("{}_inner{}", name, i);
      if (!taken_.contains(numbered) && !graph_.find_value(numbered)) return numbered;
    }
  }

  std::string name_of(ValueId id) const { return id == kNoValue ? std::string() : names_[static_cast<std::size_t>(id)]; }

  void write_value(ValueId id, pb::ValueInfoProto* proto) const {
    proto->set_name(name_of(id));
    const ValueType& type = graph_.value(id).type;
    if (type.dtype || type.shape) type_to_proto(type, proto->mutable_type());
  }

  void write_node(const Node& node, pb::NodeProto* proto) {
    proto->set_name(node.name);
    proto->set_op_type(node.op);
    proto->set_domain(node.domain);
    for (const ValueId id : node.inputs) proto->add_input(name_of(id));
    for (const ValueId id : node.outputs) proto->add_output(name_of(id));
    for (const auto& [name, attribute] : node.attributes) {
      auto* out = proto->add_attribute();
      out->set_name(name);
      attribute_to_proto(attribute, out);
      if (const auto* body = std::get_if<Subgraph>(&attribute)) write_body(*body, out->mutable_g());
    }
  }

  void write_body(const Subgraph& body, pb::GraphProto* out) {
    std::vector<std::string> captured;
    for (const ValueId id : body.captures) captured.push_back(name_of(id));
    static const std::set<ValueId> none;  // what a body does not need any more is gone from it
    GraphWriter(*body.graph, none, write_tensor_, taken_).write(captured, out);
  }

  /// Types of the values between the nodes: what inference cannot find again (it came with the file) is not lost.
  void write_inner_types(pb::GraphProto* out) const {
    std::set<ValueId> outer(graph_.inputs.begin(), graph_.inputs.end());
    outer.insert(graph_.outputs.begin(), graph_.outputs.end());
    for (const Node& node : graph_.nodes()) {
      for (const ValueId id : node.outputs) {
        if (id != kNoValue && !outer.contains(id) && graph_.value(id).type.dtype) write_value(id, out->add_value_info());
      }
    }
  }

  const Graph& graph_;
  const std::set<ValueId>& dropped_;
  const TensorWriter& write_tensor_;
  Taken& taken_;
  std::vector<std::string> names_;
  std::vector<std::string> own_names_;
};

}  // namespace

void write_graph(const Downgraded& source, const TensorWriter& write_tensor, pb::GraphProto* out) {
  Taken taken;
  GraphWriter(source.graph, source.dropped, write_tensor, taken).write({}, out);
}

}  // namespace moru::model::onnx
