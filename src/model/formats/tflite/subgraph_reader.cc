// SPDX-License-Identifier: Apache-2.0
#include "model/formats/tflite/subgraph_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/text.h"

namespace moru::model::tflite {
namespace {

constexpr std::int32_t kNobody = -1;

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// What a tensor of the file is to the graph.
struct Role {
  std::int32_t producer = kNobody;  ///< the op that makes it
  std::int32_t sparse = kNobody;    ///< the sparse constant that it is the dense form of, by a DENSIFY
  bool input = false;
  bool used = false;
};

/// An op with its code looked up.
struct Op {
  const fb::Operator* op = nullptr;
  std::string_view builtin;  ///< empty for a custom one
  std::string_view custom;
  std::string where;  ///< "op 3 (CONV_2D)"
};

std::vector<std::int32_t> indices(const flatbuffers::Vector<std::int32_t>* list) {
  return list == nullptr ? std::vector<std::int32_t>() : std::vector<std::int32_t>(list->begin(), list->end());
}

class SubgraphReader {
 public:
  SubgraphReader(File& file, const fb::SubGraph& subgraph, Bodies& bodies) : file_(file), subgraph_(subgraph), bodies_(bodies) {}

  Result<SubgraphTensors> read() {
    MORU_RETURN_IF_ERROR(find_ops());
    MORU_RETURN_IF_ERROR(find_roles());
    if (subgraph_.name() != nullptr) {
      MORU_RETURN_IF_ERROR(file_.allowance.spend(subgraph_.name()->size()));
      graph_.name = subgraph_.name()->str();
    }
    for (const std::int32_t index : indices(subgraph_.inputs())) {
      MORU_ASSIGN_OR_RETURN_IN(label(index), const ValueId id, add_value(index));
      graph_.inputs.push_back(id);
    }
    for (std::int32_t i = 0; i < tensor_count_; ++i) {
      const Role& role = roles_[static_cast<std::size_t>(i)];
      if (role.used && !role.input && role.producer == kNobody) MORU_RETURN_IF_ERROR_IN(label(i), add_source(i));
    }
    for (const Op& op : ops_) MORU_RETURN_IF_ERROR_IN(op.where, add_node(op));
    for (const std::int32_t index : indices(subgraph_.outputs())) graph_.outputs.push_back(values_[static_cast<std::size_t>(index)]);
    return SubgraphTensors{std::move(graph_), std::move(values_)};
  }

 private:
  const fb::Tensor& tensor(std::int32_t index) const { return *subgraph_.tensors()->Get(static_cast<std::uint32_t>(index)); }

  std::string_view name_of(std::int32_t index) const {
    const auto* name = tensor(index).name();
    return name == nullptr ? std::string_view() : name->string_view();
  }

  std::string label(std::int32_t index) const { return fmt::format("tensor {} ({})", index, in_quotes(name_of(index))); }

  Status check_index(std::int32_t index) const {
    if (index >= 0 && index < tensor_count_) return {};
    return corrupt(fmt::format("found tensor {}, expected 0 to {}", index, tensor_count_ - 1));
  }

  /// Looks up each op's code. Also spends what the lists of the ops' tensors take.
  Status find_ops() {
    tensor_count_ = subgraph_.tensors() == nullptr ? 0 : static_cast<std::int32_t>(subgraph_.tensors()->size());
    MORU_RETURN_IF_ERROR(file_.allowance.spend(static_cast<std::uint64_t>(tensor_count_)));
    if (subgraph_.operators() == nullptr) return {};
    for (const auto* one : *subgraph_.operators()) {
      Op op{one, {}, {}, fmt::format("op {}", ops_.size())};
      const auto uses = (one->inputs() == nullptr ? 0 : one->inputs()->size()) + (one->outputs() == nullptr ? 0 : one->outputs()->size());
      MORU_RETURN_IF_ERROR_IN(op.where, file_.allowance.spend(4 * static_cast<std::uint64_t>(uses) + 16));
      MORU_RETURN_IF_ERROR_IN(op.where, find_code(op));
      op.where += fmt::format(" ({})", op.builtin.empty() ? in_quotes(op.custom) : std::string(op.builtin));
      ops_.push_back(std::move(op));
    }
    return {};
  }

  Status find_code(Op& op) const {
    const auto* codes = file_.model.operator_codes();
    const std::uint32_t count = codes == nullptr ? 0 : codes->size();
    if (op.op->opcode_index() >= count)
      return corrupt(fmt::format("found operator code {}, expected 0 to {}", op.op->opcode_index(), static_cast<std::int64_t>(count) - 1));
    const auto* code = codes->Get(op.op->opcode_index());
    // Old files have the number in a field of a byte; newer ones have it in both, or 127 there.
    const auto number = std::max<std::int32_t>(code->deprecated_builtin_code(), static_cast<std::int32_t>(code->builtin_code()));
    const auto builtin = static_cast<fb::BuiltinOperator>(number);
    if (builtin == fb::BuiltinOperator::CUSTOM) {
      if (code->custom_code() == nullptr || code->custom_code()->size() == 0)
        return corrupt("found a custom op without a name, expected one");
      op.custom = code->custom_code()->string_view();
      return file_.allowance.spend(op.custom.size());
    }
    op.builtin = builtin_name(builtin);
    if (op.builtin.empty() || builtin == fb::BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("found builtin op number {}, expected one up to {}", number, static_cast<int>(fb::BuiltinOperator::MAX)));
    return {};
  }

  /// Who makes each tensor, and which are used at all.
  Status find_roles() {
    roles_.resize(static_cast<std::size_t>(tensor_count_));
    values_.assign(static_cast<std::size_t>(tensor_count_), kNoValue);
    for (const std::int32_t index : indices(subgraph_.inputs())) {
      MORU_RETURN_IF_ERROR_IN("graph input", check_index(index));
      if (std::exchange(role(index).input, true)) return corrupt(label(index) + ": found as an input twice, expected once");
    }
    for (std::size_t i = 0; i < ops_.size(); ++i) MORU_RETURN_IF_ERROR_IN(ops_[i].where, find_roles(i));
    for (const std::int32_t index : indices(subgraph_.outputs())) {
      MORU_RETURN_IF_ERROR_IN("graph output", check_index(index));
      role(index).used = true;
    }
    return {};
  }

  Status find_roles(std::size_t op_index) {
    const Op& op = ops_[op_index];
    const auto inputs = indices(op.op->inputs());
    const auto outputs = indices(op.op->outputs());
    for (const std::int32_t index : outputs) {
      if (index == -1) continue;
      MORU_RETURN_IF_ERROR(check_index(index));
      if (role(index).input || role(index).producer != kNobody)
        return corrupt(fmt::format("found output {}, which something else makes too, expected one producer", label(index)));
      role(index).producer = static_cast<std::int32_t>(op_index);
    }
    for (const std::int32_t index : inputs) {
      if (index != -1) MORU_RETURN_IF_ERROR(check_index(index));
    }
    if (op.builtin == "DENSIFY" && inputs.size() == 1 && outputs.size() == 1 && inputs[0] != -1 && outputs[0] != -1 &&
        tensor(inputs[0]).sparsity() != nullptr) {
      role(outputs[0]) = {kNobody, inputs[0], false, role(outputs[0]).used};
      return {};
    }
    for (const std::int32_t index : inputs) {
      if (index != -1) role(index).used = true;
    }
    return {};
  }

  Role& role(std::int32_t index) { return roles_[static_cast<std::size_t>(index)]; }

  /// Names in the file may be left out or be there twice; here each value has its own.
  Result<std::string> new_name(std::int32_t index) {
    MORU_RETURN_IF_ERROR(file_.allowance.spend(name_of(index).size() + 1));
    std::string name(name_of(index));
    if (name.empty()) name = fmt::format("tensor_{}", index);
    return graph_.find_value(name) ? graph_.unused_name(fmt::format("{}_{}", name, index)) : name;
  }

  Result<ValueType> type_of(std::int32_t index) const {
    const fb::Tensor& from = tensor(index);
    ValueType type;
    MORU_ASSIGN_OR_RETURN(type.dtype, dtype_from_file(from.type()));
    MORU_ASSIGN_OR_RETURN(type.shape, shape_from_file(from));
    const auto extents = indices(from.shape());
    MORU_ASSIGN_OR_RETURN(type.quantization, quantization_from_file(from.quantization(), *type.dtype, extents));
    return type;
  }

  Result<ValueId> add_value(std::int32_t index) {
    MORU_ASSIGN_OR_RETURN(ValueType type, type_of(index));
    // Without extents the rank may be unknown: files say so by a flag that older ones never set.
    if (type.shape && type.shape->empty() && !tensor(index).has_rank()) type.shape.reset();
    MORU_ASSIGN_OR_RETURN(std::string name, new_name(index));
    return values_[static_cast<std::size_t>(index)] = graph_.add_value(std::move(name), std::move(type));
  }

  /// A tensor that no op makes: a constant, or one that keeps its content between runs.
  Status add_source(std::int32_t index) {
    const Role& of = role(index);
    const std::int32_t stored = of.sparse == kNobody ? index : of.sparse;
    MORU_ASSIGN_OR_RETURN(const ValueType type, type_of(index));
    MORU_ASSIGN_OR_RETURN(const Dims dims, dims_from_file(tensor(index)));
    MORU_ASSIGN_OR_RETURN(const auto bytes, file_.buffer(tensor(stored).buffer()));
    MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, *type.dtype));
    if (bytes.empty() && count != 0) {
      if (tensor(index).is_variable()) return add_variable(index);
      return corrupt("found a use of it, but nothing makes it, expected an input, a constant or an op's output");
    }
    MORU_ASSIGN_OR_RETURN(Tensor constant, read_constant(stored, *type.dtype, dims, bytes));
    MORU_ASSIGN_OR_RETURN(std::string name, new_name(index));
    const ValueId id = graph_.add_initializer(std::move(name), std::move(constant));
    ValueType whole = graph_.value(id).type;
    whole.quantization = type.quantization;
    graph_.set_type(id, std::move(whole));
    values_[static_cast<std::size_t>(index)] = id;
    return {};
  }

  Result<Tensor> read_constant(std::int32_t stored, DType dtype, const Dims& dims, std::span<const std::byte> bytes) {
    // Tensors of one buffer share memory.
    const auto* sparsity = tensor(stored).sparsity();
    auto& known = constants_[{sparsity == nullptr ? bytes.data() : nullptr, sparsity == nullptr ? kNobody : stored, dtype, dims}];
    if (known.count() != 0) return known;
    if (sparsity != nullptr) {
      MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
      // Most elements of a sparse tensor are not stored.
      constexpr std::uint64_t kSparse = 8;
      MORU_RETURN_IF_ERROR(file_.allowance.spend(bytes.size() + bytes_for(dtype, count) / kSparse));
      MORU_ASSIGN_OR_RETURN(known, densify(*sparsity, dtype, dims, bytes));
      return known;
    }
    MORU_RETURN_IF_ERROR(file_.allowance.spend(bytes.size()));
    if (dtype == DType::kBool && std::ranges::any_of(bytes, [](std::byte one) { return one > std::byte{1}; }))
      return corrupt("found a byte other than 0 and 1, expected bool elements");
    MORU_ASSIGN_OR_RETURN(known, file_.owner ? Tensor::borrow(dtype, dims, bytes, file_.owner) : Tensor::from_bytes(dtype, dims, bytes));
    return known;
  }

  Status add_variable(std::int32_t index) {
    MORU_ASSIGN_OR_RETURN(const ValueId id, add_value(index));
    graph_.nodes().push_back({"", std::string(kVariable), std::string(kDomain), {}, {id}, {}});
    return {};
  }

  Status add_node(const Op& op) {
    const auto inputs = indices(op.op->inputs());
    const auto outputs = indices(op.op->outputs());
    if (op.builtin == "DENSIFY" && outputs.size() == 1 && outputs[0] != -1 && role(outputs[0]).sparse != kNobody) return {};
    Node node{
        "", std::string(op.builtin.empty() ? op.custom : op.builtin), std::string(op.builtin.empty() ? kCustomDomain : kDomain), {}, {},
        {}};
    for (const std::int32_t index : inputs) {
      const ValueId id = index == -1 ? kNoValue : values_[static_cast<std::size_t>(index)];
      if (index != -1 && id == kNoValue)
        return corrupt(fmt::format("found input {}, which an op behind it makes, expected ops in the order of their use", label(index)));
      node.inputs.push_back(id);
    }
    if (op.op->intermediates() != nullptr && op.op->intermediates()->size() > 0)
      return fail(ErrorCode::kUnsupported, "found intermediate tensors (of a quantised LSTM), expected none");
    MORU_ASSIGN_OR_RETURN(node.attributes, read_attributes(op));
    for (const std::int32_t index : outputs) {
      if (index == -1) {
        node.outputs.push_back(kNoValue);
        continue;
      }
      MORU_ASSIGN_OR_RETURN_IN(label(index), const auto bytes, file_.buffer(tensor(index).buffer()));
      if (!bytes.empty()) return corrupt(fmt::format("found output {}, which is a constant, expected another", label(index)));
      MORU_ASSIGN_OR_RETURN_IN(label(index), const ValueId id, add_value(index));
      node.outputs.push_back(id);
    }
    graph_.nodes().push_back(std::move(node));
    return {};
  }

  Result<Attributes> read_attributes(const Op& op) {
    if (op.builtin.empty()) return read_custom_options(*op.op);
    if (op.op->builtin_options_2_type() != fb::BuiltinOptions2::NONE &&
        op.op->builtin_options_2_type() != fb::BuiltinOptions2::DilateOptions)
      return fail(ErrorCode::kUnsupported, fmt::format("found options number {} of the second set, expected those of the first",
                                                       static_cast<int>(op.op->builtin_options_2_type())));
    const fb::BuiltinOptions expected = options_of(op.builtin);
    const fb::BuiltinOptions found = op.op->builtin_options_type();
    if (found != expected && found != fb::BuiltinOptions::NONE) {
      const std::string_view name = fb::EnumNameBuiltinOptions(found);
      return corrupt(fmt::format("found options of the kind {}, expected {}", name.empty() ? "that the format does not have" : name,
                                 fb::EnumNameBuiltinOptions(expected)));
    }
    const ReadBody read_body = [this](std::int64_t index) -> Result<Subgraph> {
      MORU_ASSIGN_OR_RETURN(auto body, bodies_.body(index));
      return Subgraph{std::move(body), {}};
    };
    const auto* table = found == fb::BuiltinOptions::NONE ? nullptr : static_cast<const flatbuffers::Table*>(op.op->builtin_options());
    MORU_ASSIGN_OR_RETURN(Attributes attributes, read_options(expected, table, read_body));
    for (const auto& [name, value] : attributes) MORU_RETURN_IF_ERROR_IN("option " + name, file_.allowance.spend(cost_of(value)));
    return attributes;
  }

  static std::uint64_t cost_of(const Attribute& attribute) {
    if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&attribute)) return 4 * ints->size() + 1;
    if (const auto* floats = std::get_if<std::vector<float>>(&attribute)) return 4 * floats->size() + 1;
    if (const auto* text = std::get_if<std::string>(&attribute)) return text->size() + 1;
    return 1;
  }

  /// Bytes whose meaning only the op's maker knows.
  Result<Attributes> read_custom_options(const fb::Operator& op) {
    std::span<const std::byte> bytes;
    if (op.custom_options() != nullptr) {
      bytes = std::as_bytes(std::span(op.custom_options()->data(), op.custom_options()->size()));
    } else if (op.large_custom_options_offset() > 1) {
      const std::uint64_t offset = op.large_custom_options_offset();
      const std::uint64_t size = op.large_custom_options_size();
      if (offset > file_.bytes.size() || size > file_.bytes.size() - offset)
        return corrupt(
            fmt::format("found options of {} bytes at {}, expected them within the file's {}", size, offset, file_.bytes.size()));
      bytes = file_.bytes.subspan(offset, size);
    }
    MORU_RETURN_IF_ERROR(file_.allowance.spend(bytes.size()));
    Attributes attributes;
    if (!bytes.empty()) attributes.emplace(kCustomOptions, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return attributes;
  }

  File& file_;
  const fb::SubGraph& subgraph_;
  Bodies& bodies_;
  std::int32_t tensor_count_ = 0;
  std::vector<Op> ops_;
  std::vector<Role> roles_;
  std::vector<ValueId> values_;
  std::map<std::tuple<const std::byte*, std::int32_t, DType, Dims>, Tensor> constants_;
  Graph graph_;
};

}  // namespace

Result<SubgraphTensors> read_subgraph(File& file, const fb::SubGraph& subgraph, Bodies& bodies) {
  return SubgraphReader(file, subgraph, bodies).read();
}

}  // namespace moru::model::tflite
