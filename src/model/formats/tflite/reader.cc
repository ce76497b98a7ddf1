// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "core/text.h"
#include "model/formats/tflite/convert.h"
#include "model/formats/tflite/subgraph_reader.h"
#include "model/formats/tflite/tflite.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using namespace tflite;

/// The one version of the format that there is.
constexpr std::uint32_t kFormatVersion = 3;
/// Flatbuffers read numbers where they stand, so that the file must begin on a boundary of the largest.
constexpr std::size_t kAlignment = 16;
constexpr flatbuffers::uoffset_t kMaxDepth = 64;
constexpr flatbuffers::uoffset_t kMaxTables = 4'000'000;
/// A body that several ops share is walked for each of them; a chain of such bodies would be 2^64 walks.
constexpr std::uint64_t kMaxBodyUses = 4096;

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

Result<const fb::Model*> verified_model(std::span<const std::byte> bytes) {
  constexpr std::size_t kHeaderBytes = 8;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() < kHeaderBytes || !fb::ModelBufferHasIdentifier(data))
    return corrupt("found no file identifier TFL3, expected a model in TFLite's format");
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes, expected less than 2 GiB", bytes.size()));
  flatbuffers::Verifier verifier(data, bytes.size(), kMaxDepth, kMaxTables);
  if (!fb::VerifyModelBuffer(verifier)) return corrupt("found a damaged layout, expected a whole TFLite file");
  const fb::Model* model = fb::GetModel(data);
  if (model->version() != kFormatVersion)
    return fail(ErrorCode::kUnsupported, fmt::format("found version {} of the format, expected {}", model->version(), kFormatVersion));
  if (model->subgraphs() == nullptr || model->subgraphs()->size() == 0 || model->subgraphs()->Get(0) == nullptr)
    return corrupt("found no graph, expected one");
  return model;
}

/// What inference found must fit the format too.
Status check_extents(const Graph& graph) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    for (const Dim& dim : value.type.shape.value_or(SymbolicShape())) {
      if (dim.value > std::numeric_limits<std::int32_t>::max())
        return corrupt(fmt::format("value {}: found extent {}, expected one of 31 bits", in_quotes(value.name), dim.value));
    }
  }
  for (const Node& node : graph.nodes()) {
    for (const auto& [name, attribute] : node.attributes) {
      const auto* body = std::get_if<Subgraph>(&attribute);
      if (body != nullptr) MORU_RETURN_IF_ERROR(check_extents(*body->graph));
    }
  }
  return {};
}

/// What belongs to the whole file.
class FileReader final : public Bodies {
 public:
  FileReader(std::span<const std::byte> bytes, const fb::Model& model, std::shared_ptr<const void> owner)
      : file_{bytes, model, std::move(owner), Allowance(bytes.size())} {}

  Result<Graph> read() {
    MORU_ASSIGN_OR_RETURN(SubgraphTensors main, read_graph(0));
    if (main.graph.outputs.empty()) return corrupt("found no outputs, expected at least one");
    const auto count = file_.model.subgraphs()->size();
    for (std::uint32_t i = 1; i < count; ++i) {
      if (bodies_.contains(i)) continue;
      const auto* name = file_.model.subgraphs()->Get(i)->name();
      return fail(ErrorCode::kUnsupported,
                  fmt::format("subgraph {} ({}): found one that no op uses, expected one graph and the bodies of its ops", i,
                              in_quotes(name == nullptr ? "" : name->string_view())));
    }
    MORU_RETURN_IF_ERROR(read_metadata(main.graph));
    MORU_RETURN_IF_ERROR(read_signatures(main));
    MORU_RETURN_IF_ERROR(infer_shapes(main.graph));
    MORU_RETURN_IF_ERROR(check_extents(main.graph));
    return std::move(main.graph);
  }

  /// A body is read once, however many ops use it.
  Result<std::shared_ptr<const Graph>> body(std::int64_t index) override {
    if (index <= 0 || std::cmp_greater_equal(index, file_.model.subgraphs()->size()))
      return corrupt(
          fmt::format("found subgraph {}, expected 1 to {}", index, static_cast<std::int64_t>(file_.model.subgraphs()->size()) - 1));
    Body& body = bodies_[static_cast<std::uint32_t>(index)];
    if (body.graph == nullptr) {
      if (++depth_ > kMaxGraphDepth)  // a body that uses itself comes here too
        return corrupt(fmt::format("found subgraphs more than {} deep, expected less", kMaxGraphDepth));
      const std::uint64_t around = std::exchange(uses_, 1);
      MORU_ASSIGN_OR_RETURN_IN(fmt::format("subgraph {}", index), SubgraphTensors read, read_graph(static_cast<std::uint32_t>(index)));
      body = {std::make_shared<const Graph>(std::move(read.graph)), std::exchange(uses_, around)};
      --depth_;
    }
    uses_ += body.uses;
    if (uses_ > kMaxBodyUses)
      return corrupt(fmt::format("found more than {} uses of subgraphs in one another, expected less", kMaxBodyUses));
    return body.graph;
  }

 private:
  Result<SubgraphTensors> read_graph(std::uint32_t index) {
    const auto* subgraph = file_.model.subgraphs()->Get(index);
    return read_subgraph(file_, *subgraph, *this);
  }

  Status read_metadata(Graph& graph) {
    if (const auto* description = file_.model.description(); description != nullptr && description->size() > 0) {
      MORU_RETURN_IF_ERROR(file_.allowance.spend(description->size()));
      graph.metadata.emplace_back(kDescriptionKey, description->str());
    }
    if (file_.model.metadata() == nullptr) return {};
    for (const auto* entry : *file_.model.metadata()) {
      const std::string name = entry->name() == nullptr ? "" : entry->name()->str();
      const auto where = "metadata " + in_quotes(name);
      if (name == kDescriptionKey || name.starts_with(kSignatureKey)) return corrupt(where + ": found a reserved name, expected another");
      MORU_ASSIGN_OR_RETURN_IN(where, const auto bytes, file_.buffer(entry->buffer()));
      MORU_RETURN_IF_ERROR_IN(where, file_.allowance.spend(name.size() + bytes.size()));
      graph.metadata.emplace_back(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    return {};
  }

  Result<std::vector<SignaturePort>> read_ports(const flatbuffers::Vector<flatbuffers::Offset<fb::TensorMap>>* maps,
                                                std::span<const ValueId> places, std::span<const ValueId> values) {
    std::vector<SignaturePort> out;
    if (maps == nullptr) return out;
    for (const auto* map : *maps) {
      const std::string_view name = map->name() == nullptr ? "" : map->name()->string_view();
      const ValueId value = map->tensor_index() < values.size() ? values[map->tensor_index()] : kNoValue;
      const auto place = std::ranges::find(places, value);
      if (value == kNoValue || place == places.end())
        return corrupt(
            fmt::format("found tensor {} as {}, expected an input or output of the graph", map->tensor_index(), in_quotes(name)));
      MORU_RETURN_IF_ERROR(file_.allowance.spend(name.size() + sizeof(SignaturePort)));
      out.push_back({std::string(name), static_cast<std::size_t>(place - places.begin())});
    }
    return out;
  }

  Status read_signatures(SubgraphTensors& main) {
    if (file_.model.signature_defs() == nullptr) return {};
    for (const auto* def : *file_.model.signature_defs()) {
      Signature signature;
      signature.key = def->signature_key() == nullptr ? "" : def->signature_key()->str();
      const auto where = "signature " + in_quotes(signature.key);
      if (def->subgraph_index() != 0)
        return fail(ErrorCode::kUnsupported, fmt::format("{}: found subgraph {}, expected the first one", where, def->subgraph_index()));
      MORU_ASSIGN_OR_RETURN_IN(where, signature.inputs, read_ports(def->inputs(), main.graph.inputs, main.values));
      MORU_ASSIGN_OR_RETURN_IN(where, signature.outputs, read_ports(def->outputs(), main.graph.outputs, main.values));
      main.graph.metadata.push_back(signature_to_metadata(signature));
    }
    return {};
  }

  File file_;
  struct Body {
    std::shared_ptr<const Graph> graph;
    std::uint64_t uses = 1;
  };
  std::map<std::uint32_t, Body> bodies_;
  int depth_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace

namespace tflite {

Result<std::span<const std::byte>> File::buffer(std::uint32_t index) const {
  const auto* buffers = model.buffers();
  const std::uint32_t count = buffers == nullptr ? 0 : buffers->size();
  if (index >= count) return corrupt(fmt::format("found buffer {}, expected 0 to {}", index, static_cast<std::int64_t>(count) - 1));
  const auto* buffer = buffers->Get(index);
  if (buffer->data() != nullptr && buffer->data()->size() > 0)
    return std::as_bytes(std::span(buffer->data()->data(), buffer->data()->size()));
  // Offsets of 0 and 1 stand for none.
  if (buffer->offset() <= 1) return std::span<const std::byte>();
  if (buffer->offset() > bytes.size() || buffer->size() > bytes.size() - buffer->offset())
    return corrupt(fmt::format("buffer {}: found {} bytes at {}, expected them within the file's {}", index, buffer->size(),
                               buffer->offset(), bytes.size()));
  return bytes.subspan(buffer->offset(), buffer->size());
}

}  // namespace tflite

Result<Graph> read_tflite(std::string_view bytes, std::string_view where, const std::shared_ptr<const void>& owner) {
  const auto read = [](std::span<const std::byte> aligned, std::shared_ptr<const void> keeper) -> Result<Graph> {
    MORU_ASSIGN_OR_RETURN(const fb::Model* model, verified_model(aligned));
    return FileReader(aligned, *model, std::move(keeper)).read();
  };
  auto given = std::as_bytes(std::span(bytes));
  if (reinterpret_cast<std::uintptr_t>(given.data()) % kAlignment == 0) {
    MORU_ASSIGN_OR_RETURN_IN(where, Graph graph, read(given, owner));
    return graph;
  }
  MORU_ASSIGN_OR_RETURN_IN(where, Tensor aligned, Tensor::from_bytes(DType::kUInt8, {std::ssize(given)}, given));
  const auto copy = std::make_shared<const Tensor>(std::move(aligned));
  MORU_ASSIGN_OR_RETURN_IN(where, Graph graph, read(copy->bytes(), owner ? copy : nullptr));
  return graph;
}

Result<Graph> load_tflite(const Path& path) {
  MORU_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return read_tflite(file.bytes(), path.string());
}

}  // namespace moru::model
