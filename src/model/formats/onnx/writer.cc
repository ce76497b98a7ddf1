// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <limits>
#include <set>

#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using namespace onnx;

/// The first IR version of the releases of ONNX that brought an opset (onnx.ai, "ONNX Versioning"). Never below 4: from
/// there on initializers need not be graph inputs.
std::int64_t ir_version_for(std::int64_t opset) {
  if (opset <= 9) return 4;
  if (opset <= 10) return 5;
  if (opset <= 11) return 6;
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  return 10;
}

std::string name_of(const Graph& graph, ValueId id) { return id == kNoValue ? std::string() : graph.value(id).name; }

void write_value(const Value& value, pb::ValueInfoProto* proto) {
  proto->set_name(value.name);
  type_to_proto(value.type, proto->mutable_type());
}

void write_node(const Graph& graph, const Node& node, pb::NodeProto* proto) {
  proto->set_name(node.name);
  proto->set_op_type(node.op);
  proto->set_domain(node.domain);
  for (const ValueId id : node.inputs) proto->add_input(name_of(graph, id));
  for (const ValueId id : node.outputs) proto->add_output(name_of(graph, id));
  for (const auto& [name, attribute] : node.attributes) {
    auto* out = proto->add_attribute();
    out->set_name(name);
    attribute_to_proto(attribute, out);
  }
}

/// Types of the values between the nodes: what inference cannot find again (it came with the file) is not lost.
void write_inner_types(const Graph& graph, pb::GraphProto* proto) {
  const std::set<ValueId> outer = [&] {
    std::set<ValueId> ids(graph.inputs.begin(), graph.inputs.end());
    ids.insert(graph.outputs.begin(), graph.outputs.end());
    return ids;
  }();
  for (const Node& node : graph.nodes()) {
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && !outer.contains(id) && graph.value(id).type.dtype) write_value(graph.value(id), proto->add_value_info());
    }
  }
}

pb::ModelProto to_proto(const Graph& graph) {
  pb::ModelProto model;
  model.set_ir_version(ir_version_for(graph.opset));
  model.set_producer_name("moru");
  model.add_opset_import()->set_version(graph.opset);
  std::set<std::string> domains;
  for (const Node& node : graph.nodes()) domains.insert(node.domain);
  domains.erase("");
  for (const std::string& domain : domains) {
    auto* import = model.add_opset_import();
    import->set_domain(domain);
    import->set_version(1);
  }
  for (const auto& [key, value] : graph.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  auto* out = model.mutable_graph();
  out->set_name(graph.name.empty() ? "graph" : graph.name);  // the format wants one
  for (const ValueId id : graph.inputs) write_value(graph.value(id), out->add_input());
  for (const auto& [id, tensor] : graph.initializers()) {
    auto* initializer = out->add_initializer();
    initializer->set_name(graph.value(id).name);
    tensor_to_proto(tensor, initializer);
  }
  for (const Node& node : graph.nodes()) write_node(graph, node, out->add_node());
  for (const ValueId id : graph.outputs) write_value(graph.value(id), out->add_output());
  write_inner_types(graph, out);
  return model;
}

Status check_writable(const Graph& graph) {
  MORU_RETURN_IF_ERROR(verify(graph));
  if (graph.opset < 1 || graph.opset > kMaxOpset) {
    return fail(ErrorCode::kUnsupported, fmt::format("found opset {}, expected 1 to {}", graph.opset, kMaxOpset));
  }
  for (const ValueId id : graph.inputs) {
    if (!graph.value(id).type.dtype) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("input '{}': found no element type, expected one", graph.value(id).name));
    }
  }
  return {};
}

}  // namespace

Result<std::string> write_onnx(const Graph& graph) {
  MORU_RETURN_IF_ERROR_IN("write ONNX", check_writable(graph));
  std::uint64_t payload = 0;
  for (const auto& [id, tensor] : graph.initializers()) payload += tensor.size_bytes();
  // Before the copy is made; 64 MiB are left for all that is not weights.
  if (payload > static_cast<std::uint64_t>(kMaxFileBytes) - (std::uint64_t{64} << 20U)) {
    return fail(ErrorCode::kUnsupported, fmt::format("write ONNX: found {} bytes of weights, expected less than 2 GiB", payload));
  }
  const pb::ModelProto model = to_proto(graph);
  std::string bytes;
  if (model.ByteSizeLong() > kMaxFileBytes || !model.SerializeToString(&bytes)) {
    return fail(ErrorCode::kUnsupported, fmt::format("write ONNX: found {} bytes, expected less than 2 GiB", model.ByteSizeLong()));
  }
  return bytes;
}

Status save_onnx(const Graph& graph, const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, write_onnx(graph));
  return write_file_atomic(path, bytes);
}

}  // namespace moru::model
