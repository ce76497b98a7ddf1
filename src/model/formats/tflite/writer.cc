// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "core/text.h"
#include "model/formats/tflite/convert.h"
#include "model/formats/tflite/tflite.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using namespace tflite;

/// What LiteRT and its tools want data to be aligned to.
constexpr std::size_t kDataAlignment = 16;
/// Flatbuffers end at 2 GiB; what is not data is small beside it.
constexpr std::uint64_t kMaxDataBytes = (std::uint64_t{1} << 31U) - (std::uint64_t{64} << 20U);

template <class T>
using Offset = flatbuffers::Offset<T>;

class Writer {
 public:
  Result<std::string> write(const Graph& graph) {
    buffers_.push_back(fb::CreateBuffer(builder_));  // number 0 stands for none
    MORU_RETURN_IF_ERROR(check_size(graph));
    queue_.push_back(&graph);
    std::vector<Offset<fb::SubGraph>> subgraphs;
    for (std::size_t i = 0; i < queue_.size(); ++i) {  // bodies join the queue
      MORU_ASSIGN_OR_RETURN(auto subgraph, write_subgraph(*queue_[i], i));
      subgraphs.push_back(subgraph);
    }
    MORU_RETURN_IF_ERROR(write_metadata(graph));
    const auto all_codes = builder_.CreateVector(codes_);
    const auto all_subgraphs = builder_.CreateVector(subgraphs);
    const auto all_buffers = builder_.CreateVector(buffers_);
    const auto all_metadata = metadata_.empty() ? 0 : builder_.CreateVector(metadata_);
    const auto all_signatures = signatures_.empty() ? 0 : builder_.CreateVector(signatures_);
    constexpr std::uint32_t kFormatVersion = 3;
    fb::FinishModelBuffer(builder_, fb::CreateModel(builder_, kFormatVersion, all_codes, all_subgraphs, description_, all_buffers, 0,
                                                    all_metadata, all_signatures));
    return std::string(reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize());
  }

 private:
  Status check_size(const Graph& graph) {
    for (const auto& [id, tensor] : graph.initializers()) data_bytes_ += tensor.size_bytes();
    for (const auto& [key, value] : graph.metadata) data_bytes_ += value.size();
    if (data_bytes_ <= kMaxDataBytes) return {};
    return fail(ErrorCode::kUnsupported,
                fmt::format("found {} bytes of data, expected at most {}, which the format can hold", data_bytes_, kMaxDataBytes));
  }

  /// Data of the same bytes is written once.
  std::uint32_t add_buffer(std::string_view bytes) {
    const auto [it, is_new] = buffer_of_.emplace(bytes, static_cast<std::uint32_t>(buffers_.size()));
    if (!is_new) return it->second;
    builder_.ForceVectorAlignment(bytes.size(), 1, kDataAlignment);
    const auto data = builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    buffers_.push_back(fb::CreateBuffer(builder_, data));
    return it->second;
  }

  Result<std::uint32_t> add_code(const Graph& graph, const Node& node) {
    fb::BuiltinOperator builtin = fb::BuiltinOperator::CUSTOM;
    std::int32_t version = 1;
    if (node.domain == kDomain) {
      MORU_ASSIGN_OR_RETURN(builtin, builtin_of(node.op));
      version = version_of(graph, node);
    } else if (node.domain != kCustomDomain) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("found an op of {}, expected one of domain '{}' or '{}'; convert the model first",
                              node.domain.empty() ? "ONNX" : "domain " + in_quotes(node.domain), kDomain, kCustomDomain));
    }
    const std::string custom = builtin == fb::BuiltinOperator::CUSTOM ? node.op : "";
    const auto [it, is_new] = code_of_.emplace(std::make_tuple(builtin, custom, version), static_cast<std::uint32_t>(codes_.size()));
    if (!is_new) return it->second;
    const auto name = custom.empty() ? Offset<flatbuffers::String>() : builder_.CreateString(custom);
    const auto small =
        static_cast<std::int8_t>(std::min<std::int32_t>(static_cast<std::int32_t>(builtin), std::numeric_limits<std::int8_t>::max()));
    codes_.push_back(fb::CreateOperatorCode(builder_, small, name, version, builtin));
    return it->second;
  }

  Offset<fb::QuantizationParameters> write_quantization(const std::optional<Quantization>& quantization) {
    if (!quantization) return 0;
    const auto scale = builder_.CreateVector(quantization->scales);
    const auto zero_point = builder_.CreateVector(quantization->zero_points);
    return fb::CreateQuantizationParameters(builder_, 0, 0, scale, zero_point, fb::QuantizationDetails::NONE, 0, quantization->axis);
  }

  Result<Offset<fb::Tensor>> write_tensor(const Graph& graph, ValueId id, bool variable) {
    const Value& value = graph.value(id);
    if (!value.type.dtype) return fail(ErrorCode::kUnsupported, "found no element type, expected one; infer the graph's types first");
    MORU_ASSIGN_OR_RETURN(const fb::TensorType type, dtype_to_file(*value.type.dtype));
    std::vector<std::int32_t> shape;
    std::vector<std::int32_t> signature;
    for (const Dim& dim : value.type.shape.value_or(SymbolicShape())) {
      if (dim.value > std::numeric_limits<std::int32_t>::max())
        return fail(ErrorCode::kUnsupported, fmt::format("found extent {}, expected one of 31 bits", dim.value));
      shape.push_back(dim.known() ? static_cast<std::int32_t>(dim.value) : 1);
      signature.push_back(dim.known() ? shape.back() : -1);
    }
    const Tensor* constant = graph.initializer(id);
    std::uint32_t buffer = 0;
    if (constant != nullptr) buffer = add_buffer({reinterpret_cast<const char*>(constant->bytes().data()), constant->bytes().size()});
    const auto name = builder_.CreateString(value.name);
    const auto extents = builder_.CreateVector(shape);
    const auto symbolic = signature == shape ? 0 : builder_.CreateVector(signature);
    const auto quantization = write_quantization(value.type.quantization);
    return fb::CreateTensor(builder_, extents, type, buffer, name, quantization, variable, 0, symbolic, value.type.shape.has_value());
  }

  /// The number of each value's tensor; only values that are used have one.
  Result<std::vector<Offset<fb::Tensor>>> write_tensors(const Graph& graph) {
    std::vector<bool> used(graph.value_count(), false);
    std::vector<bool> variable(graph.value_count(), false);
    const auto use = [&](std::span<const ValueId> ids) {
      for (const ValueId id : ids) {
        if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
      }
    };
    use(graph.inputs);
    use(graph.outputs);
    for (const Node& node : graph.nodes()) {
      use(node.inputs);
      use(node.outputs);
      if (is_variable(node) && node.outputs.size() == 1) variable[static_cast<std::size_t>(node.outputs[0])] = true;
    }
    std::vector<Offset<fb::Tensor>> tensors;
    tensor_of_.assign(graph.value_count(), -1);
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!used[i]) continue;
      const auto id = static_cast<ValueId>(i);
      MORU_ASSIGN_OR_RETURN_IN("value " + in_quotes(graph.value(id).name), auto tensor, write_tensor(graph, id, variable[i]));
      tensor_of_[i] = static_cast<std::int32_t>(tensors.size());
      tensors.push_back(tensor);
    }
    return tensors;
  }

  static bool is_variable(const Node& node) { return node.domain == kDomain && node.op == kVariable; }

  std::vector<std::int32_t> tensors_of(std::span<const ValueId> ids) const {
    std::vector<std::int32_t> out;
    for (const ValueId id : ids) out.push_back(id == kNoValue ? -1 : tensor_of_[static_cast<std::size_t>(id)]);
    return out;
  }

  /// A body that several ops share is written once.
  Result<std::int64_t> add_body(const Subgraph& body) {
    if (!body.captures.empty())
      return fail(ErrorCode::kUnsupported,
                  fmt::format("found a body that captures {} values, expected them as inputs", body.captures.size()));
    const auto it = std::ranges::find(queue_, body.graph.get());
    if (it != queue_.end()) return it - queue_.begin();
    MORU_RETURN_IF_ERROR(check_size(*body.graph));
    queue_.push_back(body.graph.get());
    return std::ssize(queue_) - 1;
  }

  Result<Offset<fb::Operator>> write_node(const Graph& graph, const Node& node) {
    MORU_ASSIGN_OR_RETURN(const std::uint32_t code, add_code(graph, node));
    fb::BuiltinOptions type = fb::BuiltinOptions::NONE;
    Offset<void> options;
    Offset<flatbuffers::Vector<std::uint8_t>> custom;
    if (node.domain == kDomain) {
      type = options_of(node.op);
      const WriteBody write_body = [this](const Subgraph& body) { return add_body(body); };
      MORU_ASSIGN_OR_RETURN(options, write_options(builder_, type, node.attributes, write_body));
    } else {
      MORU_ASSIGN_OR_RETURN(custom, write_custom_options(node));
    }
    const auto inputs = builder_.CreateVector(tensors_of(node.inputs));
    const auto outputs = builder_.CreateVector(tensors_of(node.outputs));
    fb::OperatorBuilder op(builder_);
    op.add_opcode_index(code);
    op.add_inputs(inputs);
    op.add_outputs(outputs);
    op.add_builtin_options_type(type);
    op.add_builtin_options(options);
    op.add_custom_options(custom);
    return op.Finish();
  }

  Result<Offset<flatbuffers::Vector<std::uint8_t>>> write_custom_options(const Node& node) {
    Offset<flatbuffers::Vector<std::uint8_t>> out;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* bytes = std::get_if<std::string>(&attribute);
      if (name != kCustomOptions || bytes == nullptr)
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("attribute {}: found in a custom op, expected the string '{}' alone", in_quotes(name), kCustomOptions));
      builder_.ForceVectorAlignment(bytes->size(), 1, kDataAlignment);
      out = builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size());
    }
    return out;
  }

  Result<Offset<fb::SubGraph>> write_subgraph(const Graph& graph, std::size_t number) {
    MORU_ASSIGN_OR_RETURN(const auto tensors, write_tensors(graph));
    std::vector<Offset<fb::Operator>> ops;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      if (is_variable(node)) continue;
      MORU_ASSIGN_OR_RETURN_IN(describe(graph, i), auto op, write_node(graph, node));
      ops.push_back(op);
    }
    const auto all_tensors = builder_.CreateVector(tensors);
    const auto inputs = builder_.CreateVector(tensors_of(graph.inputs));
    const auto outputs = builder_.CreateVector(tensors_of(graph.outputs));
    if (number == 0) main_inputs_ = tensors_of(graph.inputs), main_outputs_ = tensors_of(graph.outputs);
    const auto all_ops = builder_.CreateVector(ops);
    const auto name = graph.name.empty() ? Offset<flatbuffers::String>() : builder_.CreateString(graph.name);
    return fb::CreateSubGraph(builder_, all_tensors, inputs, outputs, all_ops, name);
  }

  Status write_metadata(const Graph& graph) {
    for (const auto& entry : graph.metadata) {
      const auto& [key, value] = entry;
      if (key == kDescriptionKey) {
        description_ = builder_.CreateString(value);
      } else if (key.starts_with(kSignatureKey)) {
        MORU_ASSIGN_OR_RETURN(const Signature signature, signature_from_metadata(entry, graph));
        signatures_.push_back(write_signature(signature));
      } else {
        const std::uint32_t buffer = add_buffer(value);
        const auto name = builder_.CreateString(key);
        metadata_.push_back(fb::CreateMetadata(builder_, name, buffer));
      }
    }
    return {};
  }

  std::vector<Offset<fb::TensorMap>> write_ports(const std::vector<SignaturePort>& ports, const std::vector<std::int32_t>& tensors) {
    std::vector<Offset<fb::TensorMap>> out;
    for (const SignaturePort& port : ports) {
      const auto name = builder_.CreateString(port.name);
      out.push_back(fb::CreateTensorMap(builder_, name, static_cast<std::uint32_t>(tensors[port.place])));
    }
    return out;
  }

  Offset<fb::SignatureDef> write_signature(const Signature& signature) {
    const auto inputs = builder_.CreateVector(write_ports(signature.inputs, main_inputs_));
    const auto outputs = builder_.CreateVector(write_ports(signature.outputs, main_outputs_));
    const auto key = builder_.CreateString(signature.key);
    return fb::CreateSignatureDef(builder_, inputs, outputs, key, 0, 0);
  }

  flatbuffers::FlatBufferBuilder builder_{std::size_t{1} << 16U};
  std::uint64_t data_bytes_ = 0;
  std::vector<const Graph*> queue_;  ///< the graph, then bodies by their number
  std::vector<Offset<fb::Buffer>> buffers_;
  std::map<std::string_view, std::uint32_t> buffer_of_;  ///< borrows from the graph's tensors
  std::vector<Offset<fb::OperatorCode>> codes_;
  std::map<std::tuple<fb::BuiltinOperator, std::string, std::int32_t>, std::uint32_t> code_of_;
  std::vector<std::int32_t> tensor_of_;  ///< of the graph that is being written, by value
  std::vector<std::int32_t> main_inputs_;
  std::vector<std::int32_t> main_outputs_;
  Offset<flatbuffers::String> description_;
  std::vector<Offset<fb::Metadata>> metadata_;
  std::vector<Offset<fb::SignatureDef>> signatures_;
};

}  // namespace

Result<std::string> write_tflite(const Graph& graph) {
  MORU_RETURN_IF_ERROR_IN("write TFLite", verify(graph));
  MORU_ASSIGN_OR_RETURN_IN("write TFLite", std::string bytes, Writer().write(graph));
  return bytes;
}

Status save_tflite(const Graph& graph, const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, write_tflite(graph));
  return write_file_atomic(path, bytes);
}

}  // namespace moru::model
