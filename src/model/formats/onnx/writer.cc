// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "model/formats/onnx/downgrade.h"
#include "model/formats/onnx/graph_writer.h"
#include "model/formats/onnx/onnx.h"
#include "model/ops/verify.h"
#include "model/ops/versions.h"

namespace moru::model {
namespace {

using namespace onnx;

/// What protobuf takes, less what is left for all that is not weights.
constexpr std::uint64_t kMaxMessageBytes = 0x7FFFFFFF;
constexpr std::uint64_t kMaxPayloadBytes = kMaxMessageBytes - (std::uint64_t{64} << 20U);
/// Where a file is mapped, a tensor that begins here is aligned for every type and vector register.
constexpr std::uint64_t kExternalAlignment = 64;
/// Below this a place in another file takes more room than the tensor.
constexpr std::uint64_t kLeastExternalBytes = 1024;

/// The first IR version of the releases of ONNX that brought an opset (onnx.ai, "ONNX Versioning"). Never below 4: from
/// there on initializers need not be graph inputs.
std::int64_t ir_version_for(std::int64_t opset) {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  return 10;
}

/// The IR version that brought an element type.
std::int64_t ir_version_for(DType dtype) {
  if (bits_of(dtype) == 4) return 10;
  return bits_of(dtype) == 8 && dtype >= DType::kFloat8E4M3FN && dtype <= DType::kFloat8E5M2FNUZ ? 9 : 1;
}

/// What a graph and its bodies have that the whole model declares.
struct Contents {
  std::set<std::string> domains;
  std::int64_t ir_version = 1;
  std::uint64_t payload_bytes = 0;

  void add(const Graph& graph) {
    for (std::size_t i = 0; i < graph.value_count(); ++i) {
      const auto& dtype = graph.value(static_cast<ValueId>(i)).type.dtype;
      if (dtype) ir_version = std::max(ir_version, ir_version_for(*dtype));
    }
    for (const auto& [id, tensor] : graph.initializers()) payload_bytes += tensor.size_bytes();
    for (const Node& node : graph.nodes()) {
      if (!node.domain.empty()) domains.insert(node.domain);
      for (const auto& [name, attribute] : node.attributes) {
        if (const auto* tensor = std::get_if<Tensor>(&attribute)) payload_bytes += tensor->size_bytes();
        if (const auto* body = std::get_if<Subgraph>(&attribute)) add(*body->graph);
      }
    }
  }
};

pb::ModelProto to_proto(const Graph& graph, const Contents& contents, const std::map<std::string, std::int64_t, std::less<>>& domains) {
  pb::ModelProto model;
  model.set_ir_version(std::max(ir_version_for(graph.opset), contents.ir_version));
  model.set_producer_name("moru");
  model.add_opset_import()->set_version(graph.opset);
  for (const std::string& domain : contents.domains) {
    auto* import = model.add_opset_import();
    import->set_domain(domain);
    const auto it = domains.find(domain);
    import->set_version(it == domains.end() ? 1 : it->second);
  }
  for (const auto& [key, value] : graph.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  return model;
}

Status check_values(const Graph& graph) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.type.quantization) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("value {}: found a quantised type, expected QuantizeLinear and DequantizeLinear", in_quotes(value.name)));
    }
  }
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const auto& [name, attribute] : graph.nodes()[i].attributes) {
      if (const auto* body = std::get_if<Subgraph>(&attribute)) MORU_RETURN_IF_ERROR_IN(describe(graph, i), check_values(*body->graph));
    }
  }
  return {};
}

Status check_writable(const Graph& graph, std::int64_t opset) {
  MORU_RETURN_IF_ERROR(verify(graph));
  if (opset < kOldestWritten || opset > kNewestOpset)
    return fail(ErrorCode::kUnsupported, fmt::format("found opset {}, expected {} to {}", opset, kOldestWritten, kNewestOpset));
  MORU_RETURN_IF_ERROR(check_values(graph));
  for (const ValueId id : graph.inputs) {
    if (!graph.value(id).type.dtype) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input {}: found no element type, expected one", in_quotes(graph.value(id).name)));
    }
  }
  return {};
}

Result<std::string> serialize(const pb::ModelProto& model) {
  std::string bytes;
  if (model.ByteSizeLong() > kMaxMessageBytes || !model.SerializeToString(&bytes))
    return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes, expected less than 2 GiB", model.ByteSizeLong()));
  return bytes;
}

/// The weights of the outermost graph that go into another file, and that file.
class ExternalWriter {
 public:
  ExternalWriter(std::string location, std::uint64_t least_bytes) : location_(std::move(location)), least_bytes_(least_bytes) {}

  /// True when the tensor was taken.
  bool take(const Tensor& tensor, pb::TensorProto* proto) {
    if (tensor.size_bytes() < least_bytes_ || tensor.dtype() == DType::kString) return false;
    bytes_.resize((bytes_.size() + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment, '\0');
    proto->set_data_type(dtype_to_proto(tensor.dtype()));
    for (const std::int64_t extent : tensor.dims()) proto->add_dims(extent);
    proto->set_data_location(pb::TensorProto::EXTERNAL);
    const auto add = [&](const char* key, std::string value) {
      auto* entry = proto->add_external_data();
      entry->set_key(key);
      entry->set_value(std::move(value));
    };
    add("location", location_);
    add("offset", std::to_string(bytes_.size()));
    add("length", std::to_string(tensor.size_bytes()));
    bytes_.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.size_bytes());
    return true;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string location_;
  std::uint64_t least_bytes_;
  std::string bytes_;
};

Result<std::string> write_model(const Graph& graph, std::int64_t opset, ExternalWriter* external) {
  MORU_RETURN_IF_ERROR(check_writable(graph, opset));
  Contents contents;
  contents.add(graph);
  // Before a copy is made.
  if (external == nullptr && contents.payload_bytes > kMaxPayloadBytes)
    return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes of weights, expected less than 2 GiB", contents.payload_bytes));
  MORU_ASSIGN_OR_RETURN(const Downgraded written, downgraded(graph, opset));
  pb::ModelProto model = to_proto(written.graph, contents, graph.domains);
  const TensorWriter write_tensor = [&](const Tensor& tensor, pb::TensorProto* proto) {
    if (external == nullptr || !external->take(tensor, proto)) tensor_to_proto(tensor, proto);
  };
  write_graph(written, write_tensor, model.mutable_graph());
  return serialize(model);
}

}  // namespace

Result<std::string> write_onnx(const Graph& graph, const WriteOptions& options) {
  MORU_ASSIGN_OR_RETURN_IN("write ONNX", std::string bytes, write_model(graph, options.opset.value_or(graph.opset), nullptr));
  return bytes;
}

Status save_onnx(const Graph& graph, const Path& path, const WriteOptions& options) {
  Contents contents;
  contents.add(graph);
  const bool too_large = contents.payload_bytes > kMaxPayloadBytes;
  if (!options.external_bytes && !too_large) {
    MORU_ASSIGN_OR_RETURN(const std::string bytes, write_onnx(graph, options));
    return write_file_atomic(path, bytes);
  }
  Path data = path;
  data += ".data";
  ExternalWriter external(data.filename().string(), options.external_bytes.value_or(kLeastExternalBytes));
  MORU_ASSIGN_OR_RETURN_IN("write ONNX", const std::string bytes, write_model(graph, options.opset.value_or(graph.opset), &external));
  // The data first: a model that is there has its weights.
  if (!external.bytes().empty()) MORU_RETURN_IF_ERROR(write_file_atomic(data, external.bytes()));
  return write_file_atomic(path, bytes);
}

}  // namespace moru::model
