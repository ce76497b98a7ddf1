// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/digest.h"
#include "model/graph/lexer.h"
#include "model/graph/text.h"

namespace moru::model {
namespace {

constexpr std::int64_t kElementsPerLine = 16;

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overload(Ts...) -> Overload<Ts...>;

std::string quoted(std::string_view content) {
  std::string out = "\"";
  for (const char c : content) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string name_text(std::string_view name) {
  const bool plain =
      !name.empty() && text::starts_word(name[0]) && std::ranges::all_of(name, text::continues_word) && !text::is_keyword(name);
  return plain ? std::string(name) : quoted(name);
}

/// The shortest decimal that reads back as the same value; a NaN that is not the usual one carries its bits.
template <class T>
std::string float_text(T value) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  if (!std::isnan(value)) return fmt::format("{}", value);
  const auto bits = std::bit_cast<Bits>(value);
  return bits == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()) ? "nan" : fmt::format("nan(0x{:x})", bits);
}

/// A float attribute always looks like one: "1.0", not "1", which is an int.
std::string float_attribute_text(float value) {
  std::string out = float_text(value);
  if (out.find_first_of(".einf") == std::string::npos) out += ".0";
  return out;
}

template <class T>
void append_elements(std::string& out, std::span<const T> values) {
  const bool wrap = std::ssize(values) > kElementsPerLine;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += ',';
    if (wrap && i % kElementsPerLine == 0) {
      out += "\n    ";
    } else if (i != 0) {
      out += ' ';
    }
    if constexpr (std::is_floating_point_v<T>) {
      out += float_text(values[i]);
    } else {
      out += fmt::format("{}", values[i]);
    }
  }
}

std::string elements_text(const Tensor& tensor, const TextOptions& options) {
  if (options.max_elements >= 0 && tensor.count() > options.max_elements) {
    const auto bytes = tensor.bytes();
    return fmt::format("<sha256 {}>", sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  std::string out = "{";
  switch (tensor.dtype()) {
    case DType::kFloat32: append_elements(out, tensor.data<float>()); break;
    case DType::kFloat64: append_elements(out, tensor.data<double>()); break;
    case DType::kInt8: append_elements(out, tensor.data<std::int8_t>()); break;
    case DType::kUInt8: append_elements(out, tensor.data<std::uint8_t>()); break;
    case DType::kInt16: append_elements(out, tensor.data<std::int16_t>()); break;
    case DType::kUInt16: append_elements(out, tensor.data<std::uint16_t>()); break;
    case DType::kInt32: append_elements(out, tensor.data<std::int32_t>()); break;
    case DType::kUInt32: append_elements(out, tensor.data<std::uint32_t>()); break;
    case DType::kInt64: append_elements(out, tensor.data<std::int64_t>()); break;
    case DType::kUInt64: append_elements(out, tensor.data<std::uint64_t>()); break;
    case DType::kBool: append_elements(out, tensor.data<bool>()); break;
  }
  return out + "}";
}

template <class T, class F>
std::string list_text(std::string_view kind, const std::vector<T>& items, F item_text) {
  if (items.empty()) return fmt::format("{}[]", kind);
  std::string out = "[";
  for (const T& item : items) {
    if (out.size() > 1) out += ", ";
    out += item_text(item);
  }
  return out + "]";
}

std::string attribute_text(const Attribute& attribute, const TextOptions& options) {
  const auto int_text = [](std::int64_t value) { return fmt::format("{}", value); };
  return std::visit(Overload{
                        [&](std::int64_t value) { return int_text(value); },
                        [](float value) { return float_attribute_text(value); },
                        [](const std::string& value) { return quoted(value); },
                        [&](const std::vector<std::int64_t>& values) { return list_text("ints", values, int_text); },
                        [](const std::vector<float>& values) { return list_text("floats", values, float_attribute_text); },
                        [](const std::vector<std::string>& values) { return list_text("strings", values, quoted); },
                        [&](const Tensor& value) { return to_text(value, options); },
                    },
                    attribute);
}

std::string type_text(const ValueType& type) {
  std::string out(type.dtype ? to_string(*type.dtype) : "?");
  if (!type.shape) return out + "[*]";
  out += '[';
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (i != 0) out += ", ";
    out += dim.known() ? fmt::format("{}", dim.value) : dim.symbol.empty() ? "?" : name_text(dim.symbol);
  }
  return out + ']';
}

std::string value_text(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "_";
  const Value& value = graph.value(id);
  std::string out = name_text(value.name);
  if (value.type.dtype || value.type.shape) out += ": " + type_text(value.type);
  return out;
}

std::string node_text(const Graph& graph, const Node& node, const TextOptions& options) {
  std::string out;
  for (const ValueId id : node.outputs) {
    if (!out.empty()) out += ", ";
    out += value_text(graph, id);
  }
  out += " = ";
  if (!node.domain.empty()) out += name_text(node.domain) + "::";
  out += name_text(node.op) + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (i != 0) out += ", ";
    out += node.inputs[i] == kNoValue ? "_" : name_text(graph.value(node.inputs[i]).name);
  }
  out += ")";
  bool first = true;
  for (const auto& [name, attribute] : node.attributes) {
    out += first ? " {" : ", ";
    first = false;
    out += name_text(name) + " = " + attribute_text(attribute, options);
  }
  if (!first) out += "}";
  if (!node.name.empty()) out += " as " + name_text(node.name);
  return out;
}

}  // namespace

std::string to_text(const Tensor& tensor, const TextOptions& options) {
  return fmt::format("{}{} {}", to_string(tensor.dtype()), to_string(tensor.dims()), elements_text(tensor, options));
}

std::string to_text(const Graph& graph, const TextOptions& options) {
  std::string out = fmt::format("graph {} {{\n  opset {}\n", quoted(graph.name), graph.opset);
  for (const auto& [key, value] : graph.metadata) out += fmt::format("  meta {} = {}\n", quoted(key), quoted(value));
  for (const ValueId id : graph.inputs) out += fmt::format("  input {}\n", value_text(graph, id));
  for (const auto& [id, tensor] : graph.initializers())
    out += fmt::format("  init {} = {}\n", name_text(graph.value(id).name), to_text(tensor, options));
  for (const Node& node : graph.nodes()) out += "  " + node_text(graph, node, options) + "\n";
  for (const ValueId id : graph.outputs) out += fmt::format("  output {}\n", name_text(graph.value(id).name));
  return out + "}\n";
}

}  // namespace moru::model
