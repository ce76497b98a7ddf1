// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <limits>
#include <set>
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

/// The bits of a float, as an unsigned number of its width.
template <class T>
std::uint64_t bits_of_float(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(value);
  } else {
    return value.bits();
  }
}

/// The shortest decimal that reads back as the same value (of a small float: as its float); a NaN that is not the usual one
/// carries its bits.
template <class T>
std::string float_text(T value) {
  using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const auto wide = static_cast<Wide>(value);
  if (!std::isnan(wide)) return fmt::format("{}", wide);
  const std::uint64_t bits = bits_of_float(value);
  return bits == bits_of_float(static_cast<T>(std::numeric_limits<Wide>::quiet_NaN())) ? "nan" : fmt::format("nan(0x{:x})", bits);
}

/// A float attribute always looks like one: "1.0", not "1", which is an int.
std::string float_attribute_text(float value) {
  std::string out = float_text(value);
  if (out.find_first_of(".einf") == std::string::npos) out += ".0";
  return out;
}

template <class T>
std::string element_text(const T& value) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    return fmt::format("({}, {})", float_text(value.real()), float_text(value.imag()));
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return quoted(value);
  } else if constexpr (kIsFloat<T>) {
    return float_text(value);
  } else {
    return fmt::format("{}", value);
  }
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
    out += element_text(values[i]);
  }
}

std::string elements_text(const Tensor& tensor, const TextOptions& options) {
  if (options.max_elements >= 0 && tensor.count() > options.max_elements) {
    const auto bytes = tensor.bytes();
    return fmt::format("<sha256 {}>", sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  std::string out = "{";
  if (tensor.dtype() == DType::kString) {
    append_elements(out, std::span<const std::string_view>(tensor.strings()));
  } else {
    const Tensor whole = bits_of(tensor.dtype()) == 4 ? unpack_4bit(tensor) : tensor;
    visit_element_type(whole.dtype(), [&]<class T>() { append_elements(out, whole.data<T>()); });
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

/// A line of the graph `depth` levels down begins here.
std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

/// In the order of their first use, so that equal graphs have equal texts, whichever of a reader's steps made an initializer.
std::vector<ValueId> initializers_by_use(const Graph& graph) {
  std::vector<ValueId> order;
  std::set<ValueId> listed;
  const auto list = [&](ValueId id) {
    if (graph.initializers().contains(id) && listed.insert(id).second) order.push_back(id);
  };
  for (const Node& node : graph.nodes()) for_each_use(node, list);
  for (const auto& [id, tensor] : graph.initializers()) list(id);
  return order;
}

std::string graph_text(const Graph& graph, std::string_view captures, std::size_t depth, const TextOptions& options);

/// What stands around a node: the graph that its values are of, and how deep that one lies.
struct Place {
  const Graph& graph;
  std::size_t depth;
};

std::string subgraph_text(const Subgraph& subgraph, const Place& place, const TextOptions& options) {
  std::string captures;
  for (const ValueId id : subgraph.captures) captures += (captures.empty() ? " (" : ", ") + name_text(place.graph.value(id).name);
  if (!captures.empty()) captures += ")";
  return graph_text(*subgraph.graph, captures, place.depth + 1, options);
}

std::string attribute_text(const Attribute& attribute, const Place& place, const TextOptions& options) {
  const auto int_text = [](std::int64_t value) { return fmt::format("{}", value); };
  return std::visit(Overload{
                        [&](std::int64_t value) { return int_text(value); },
                        [](float value) { return float_attribute_text(value); },
                        [](const std::string& value) { return quoted(value); },
                        [&](const std::vector<std::int64_t>& values) { return list_text("ints", values, int_text); },
                        [](const std::vector<float>& values) { return list_text("floats", values, float_attribute_text); },
                        [](const std::vector<std::string>& values) { return list_text("strings", values, quoted); },
                        [&](const Tensor& value) { return to_text(value, options); },
                        [&](const Subgraph& value) { return subgraph_text(value, place, options); },
                    },
                    attribute);
}

std::string quantization_text(const Quantization& quantization) {
  std::string scales;
  for (const float scale : quantization.scales) scales += (scales.empty() ? "" : ", ") + float_text(scale);
  return fmt::format(" quant {{scales = [{}], zero_points = [{}], axis = {}}}", scales, fmt::join(quantization.zero_points, ", "),
                     quantization.axis);
}

std::string type_text(const ValueType& type) {
  std::string out(type.dtype ? to_string(*type.dtype) : "?");
  const std::string quantization = type.quantization ? quantization_text(*type.quantization) : "";
  if (!type.shape) return out + "[*]" + quantization;
  out += '[';
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (i != 0) out += ", ";
    out += dim.known() ? fmt::format("{}", dim.value) : dim.symbol.empty() ? "?" : name_text(dim.symbol);
  }
  return out + ']' + quantization;
}

std::string value_text(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "_";
  const Value& value = graph.value(id);
  std::string out = name_text(value.name);
  if (value.type.dtype || value.type.shape || value.type.quantization) out += ": " + type_text(value.type);
  return out;
}

std::string node_text(const Place& place, const Node& node, const TextOptions& options) {
  const Graph& graph = place.graph;
  std::string out;
  for (const ValueId id : node.outputs) {
    if (!out.empty()) out += ", ";
    out += value_text(graph, id);
  }
  out += out.empty() ? "= " : " = ";
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
    out += name_text(name) + " = " + attribute_text(attribute, place, options);
  }
  if (!first) out += "}";
  if (!node.name.empty()) out += " as " + name_text(node.name);
  return out;
}

/// Initializers whose integers stand for reals say so; the others need no type, it is the tensor's.
std::string init_text(const Graph& graph, ValueId id, const Tensor& tensor, const TextOptions& options) {
  const std::string name = graph.value(id).type.quantization ? value_text(graph, id) : name_text(graph.value(id).name);
  return fmt::format("init {} = {}", name, to_text(tensor, options));
}

std::string graph_text(const Graph& graph, std::string_view captures, std::size_t depth, const TextOptions& options) {
  const std::string start = indent(depth + 1);
  std::string out = fmt::format("graph {}{} {{\n{}opset {}\n", quoted(graph.name), captures, start, graph.opset);
  for (const auto& [domain, opset] : graph.domains) out += fmt::format("{}opset {} {}\n", start, quoted(domain), opset);
  for (const auto& [key, value] : graph.metadata) out += fmt::format("{}meta {} = {}\n", start, quoted(key), quoted(value));
  for (const ValueId id : graph.inputs) out += fmt::format("{}input {}\n", start, value_text(graph, id));
  for (const ValueId id : initializers_by_use(graph)) out += start + init_text(graph, id, *graph.initializer(id), options) + "\n";
  for (const Node& node : graph.nodes()) out += start + node_text({graph, depth}, node, options) + "\n";
  for (const ValueId id : graph.outputs) out += fmt::format("{}output {}\n", start, name_text(graph.value(id).name));
  return out + indent(depth) + "}";
}

}  // namespace

std::string to_text(const Tensor& tensor, const TextOptions& options) {
  return fmt::format("{}{} {}", to_string(tensor.dtype()), to_string(tensor.dims()), elements_text(tensor, options));
}

std::string to_text(const Graph& graph, const TextOptions& options) { return graph_text(graph, "", 0, options) + "\n"; }

}  // namespace moru::model
