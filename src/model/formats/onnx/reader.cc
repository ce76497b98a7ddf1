// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "core/text.h"
#include "model/formats/onnx/graph_reader.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/opsets.h"
#include "model/ops/verify.h"
#include "model/ops/versions.h"

namespace moru::model {
namespace {

using namespace onnx;

constexpr std::int64_t kFirstIrVersionWithOpsets = 3;
constexpr std::int64_t kMaxIrVersion = pb::IR_VERSION;

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

Status check_model(const pb::ModelProto& model) {
  if (!model.has_ir_version() || !model.has_graph()) return corrupt("found no ONNX graph, expected a model in ONNX's format");
  if (model.ir_version() < 1 || model.ir_version() > kMaxIrVersion) {
    return fail(ErrorCode::kUnsupported, fmt::format("found IR version {}, expected 1 to {}", model.ir_version(), kMaxIrVersion));
  }
  return {};
}

/// Opsets and functions. Names are borrowed from the model.
Status read_declarations(const pb::ModelProto& model, ModelSource& source) {
  const bool has_opsets = model.ir_version() >= kFirstIrVersionWithOpsets;
  MORU_ASSIGN_OR_RETURN(source.opset, own_opset(model.opset_import(), has_opsets ? 0 : 1));
  for (const auto& import : model.opset_import()) {
    const auto domain = domain_of(import.domain());
    if (import.version() < 0)
      return corrupt(fmt::format("found opset {} of domain {}, expected 0 or more", import.version(), in_quotes(domain)));
    if (!domain.empty()) source.domains.emplace(domain, import.version());
  }
  for (const auto& function : model.functions()) {
    for (const auto& import : function.opset_import()) {
      const auto domain = domain_of(import.domain());
      if (!domain.empty() && import.version() >= 0) source.domains.emplace(domain, import.version());
    }
    const auto key = function_key(domain_of(function.domain()), function.name(), function.overload());
    if (!source.functions.emplace(key, &function).second)
      return corrupt(fmt::format("function {}: found a second one of that name, expected one", in_quotes(function.name())));
  }
  return {};
}

/// The opsets of the domains that nodes use, also in bodies.
void add_domains(const Graph& graph, const ModelSource& source, Graph& root) {
  for (const Node& node : graph.nodes()) {
    if (const auto it = source.domains.find(node.domain); it != source.domains.end()) root.domains.insert(*it);
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* body = std::get_if<Subgraph>(&attribute)) add_domains(*body->graph, source, root);
    }
  }
}

struct File {
  std::string_view bytes;
  std::shared_ptr<const void> owner;  ///< null: what the graph needs is copied
  ExternalFiles* external_files = nullptr;
};

Result<Graph> parse_model(const File& file, const ReadOptions& options) {
  ReadBudget budget(options.max_memory_bytes);
  pb::ModelProto model;
  ModelSource source;
  {
    MORU_ASSIGN_OR_RETURN(Skeleton skeleton, make_skeleton(file.bytes, MessageKind::kModel, budget));
    MORU_RETURN_IF_ERROR(parse(skeleton.bytes, model));
    source.tensors = {std::move(skeleton.payloads), file.owner, file.external_files, &budget};
  }
  MORU_RETURN_IF_ERROR(check_model(model));
  MORU_RETURN_IF_ERROR(read_declarations(model, source));
  MORU_ASSIGN_OR_RETURN(Graph graph, read_graph(model.graph(), source));
  for (const auto& entry : model.metadata_props()) graph.metadata.emplace_back(entry.key(), entry.value());
  add_domains(graph, source, graph);
  MORU_RETURN_IF_ERROR(verify(graph));
  MORU_RETURN_IF_ERROR(infer_shapes(graph));
  return graph;
}

}  // namespace

Result<Graph> read_onnx(std::string_view bytes, std::string_view where, const ReadOptions& options) {
  MORU_ASSIGN_OR_RETURN_IN(where, Graph graph, parse_model({.bytes = bytes, .owner = nullptr, .external_files = nullptr}, options));
  return graph;
}

Result<Graph> load_onnx(const Path& path, const ReadOptions& options) {
  MORU_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(path));
  const auto file = std::make_shared<const MappedFile>(std::move(mapped));
  ExternalFiles external_files(path.parent_path());
  MORU_ASSIGN_OR_RETURN_IN(path.string(), Graph graph,
                           parse_model({.bytes = file->bytes(), .owner = file, .external_files = &external_files}, options));
  return graph;
}

Result<Tensor> read_onnx_tensor(std::string_view bytes, std::string_view where) {
  ReadBudget budget(std::uint64_t{4} << 30U);
  MORU_ASSIGN_OR_RETURN_IN(where, Skeleton skeleton, make_skeleton(bytes, MessageKind::kTensor, budget));
  pb::TensorProto proto;
  MORU_RETURN_IF_ERROR_IN(where, parse(skeleton.bytes, proto));
  const TensorSource source{std::move(skeleton.payloads), nullptr, nullptr, &budget};
  MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, tensor_from_proto(proto, source));
  return tensor;
}

}  // namespace moru::model
