// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/box_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/graph/text.h"
#include "model/inspect/bodies.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

constexpr std::size_t kMaxName = 34;
constexpr std::size_t kMaxLine = 40;
constexpr std::size_t kMaxWeights = 6;
constexpr std::size_t kMaxWholeName = 400;

struct KindRow {
  std::string_view part;  ///< of the op's name in small letters without _
  BoxKind kind;
};
// The first that fits counts.
constexpr KindRow kKinds[] = {
    {"dequantize", BoxKind::kQuantisation},
    {"quantizelinear", BoxKind::kQuantisation},
    {"quantize", BoxKind::kQuantisation},
    {"conv", BoxKind::kConvolution},
    {"matmul", BoxKind::kMatrix},
    {"gemm", BoxKind::kMatrix},
    {"fullyconnected", BoxKind::kMatrix},
    {"einsum", BoxKind::kMatrix},
    {"lstm", BoxKind::kMatrix},
    {"gru", BoxKind::kMatrix},
    {"rnn", BoxKind::kMatrix},
    {"attention", BoxKind::kMatrix},
    {"pool", BoxKind::kPool},
    {"reduce", BoxKind::kPool},
    {"norm", BoxKind::kNormalisation},
    {"lrn", BoxKind::kNormalisation},
    {"softmax", BoxKind::kActivation},
    {"relu", BoxKind::kActivation},
    {"sigmoid", BoxKind::kActivation},
    {"logistic", BoxKind::kActivation},
    {"tanh", BoxKind::kActivation},
    {"clip", BoxKind::kActivation},
    {"elu", BoxKind::kActivation},
    {"swish", BoxKind::kActivation},
    {"softplus", BoxKind::kActivation},
    {"softsign", BoxKind::kActivation},
    {"mish", BoxKind::kActivation},
    {"erf", BoxKind::kActivation},
    {"reshape", BoxKind::kShape},
    {"transpose", BoxKind::kShape},
    {"flatten", BoxKind::kShape},
    {"squeeze", BoxKind::kShape},
    {"concat", BoxKind::kShape},
    {"slice", BoxKind::kShape},
    {"split", BoxKind::kShape},
    {"gather", BoxKind::kShape},
    {"scatter", BoxKind::kShape},
    {"pad", BoxKind::kShape},
    {"shape", BoxKind::kShape},
    {"expand", BoxKind::kShape},
    {"tile", BoxKind::kShape},
    {"resize", BoxKind::kShape},
    {"upsample", BoxKind::kShape},
    {"cast", BoxKind::kShape},
    {"identity", BoxKind::kShape},
    {"depthtospace", BoxKind::kShape},
    {"spacetodepth", BoxKind::kShape},
    {"pack", BoxKind::kShape},
    {"constant", BoxKind::kShape},
    {"range", BoxKind::kShape},
    {"size", BoxKind::kShape},
};
constexpr std::array kArithmetic =
    std::to_array<std::string_view>({"abs",   "add",       "and",         "ceil",       "cos",          "div",
                                     "equal", "exp",       "floor",       "greater",    "greaterequal", "greaterorequal",
                                     "less",  "lessequal", "lessorequal", "log",        "max",          "maximum",
                                     "mean",  "min",       "minimum",     "mod",        "mul",          "neg",
                                     "not",   "or",        "pow",         "reciprocal", "round",        "rsqrt",
                                     "sign",  "sin",       "sqrt",        "square",     "sub",          "sum",
                                     "where", "xor"});
constexpr std::array kControl = std::to_array<std::string_view>({"if", "loop", "scan", "while", "call", "callonce", "sequencemap"});

/// One code point of UTF-8; 0 and one byte when it is none.
std::pair<char32_t, std::size_t> code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC2 && first < 0xE0 ? 2 : 0;
  if (size == 0 || text.size() < size) return {0, 1};
  char32_t value = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {0, 1};
    value = value << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[size] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {0, 1};
  return {value, size};
}

/// Control characters, marks that turn the direction of text, blanks without width, and what XML does not take.
bool is_harmful(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c & 0xFFFEU) == 0xFFFE;
}

std::size_t width_of(char32_t c) { return c >= 0x1100 && c != 0x2026 && c != 0xFFFD ? 2 : 1; }

template <class T>
std::string list_text(const std::vector<T>& list, std::string_view separator) {
  return list.size() > 8 ? fmt::format("{} of {}", fmt::join(list.begin(), list.begin() + 4, separator), list.size())
                         : fmt::format("{}", fmt::join(list, separator));
}

/// "3x3" for windows, "2" for a list whose numbers are all 2.
std::string ints_text(std::string_view name, const std::vector<std::int64_t>& list) {
  if (name == "kernel_shape") return list_text(list, "x");
  const bool same = !list.empty() && std::ranges::all_of(list, [&](std::int64_t v) { return v == list.front(); });
  const bool window = name == "strides" || name == "dilations" || name == "pads";
  return same && window ? fmt::format("{}", list.front()) : list_text(list, " ");
}

/// What everybody expects is not said.
bool is_default(std::string_view name, const Attribute& attribute) {
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute)) {
    const std::int64_t usual = name == "pads" ? 0 : 1;
    return (name == "pads" || name == "strides" || name == "dilations") && std::ranges::all_of(*list, [&](auto v) { return v == usual; });
  }
  if (const auto* number = std::get_if<std::int64_t>(&attribute)) return name == "group" && *number == 1;
  if (const auto* text = std::get_if<std::string>(&attribute)) return name == "auto_pad" && *text == "NOTSET";
  return false;
}

std::string attribute_text(std::string_view name, const Attribute& attribute) {
  struct Writer {
    std::string_view name;
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(float v) const { return fmt::format("{:.4g}", static_cast<double>(v)); }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(const std::vector<std::int64_t>& v) const { return ints_text(name, v); }
    std::string operator()(const std::vector<float>& v) const { return list_text(v, " "); }
    std::string operator()(const std::vector<std::string>& v) const { return list_text(v, " "); }
    std::string operator()(const Tensor& v) const { return fmt::format("{}{}", to_string(v.dtype()), to_string(v.dims())); }
    std::string operator()(const Subgraph& v) const { return fmt::format("{} nodes", v.graph ? v.graph->nodes().size() : 0); }
  };
  return fmt::format("{} {}", name, std::visit(Writer{name}, attribute));
}

/// Attributes one after the other, as many a line as there is room for.
void add_attributes(const Node& node, std::vector<std::string>* lines) {
  constexpr std::size_t kMaxLines = 4;
  std::string line;
  std::size_t left = 0;
  for (const auto& [name, attribute] : node.attributes) {
    if (is_default(name, attribute)) continue;
    if (lines->size() == kMaxLines) {
      ++left;
      continue;
    }
    const std::string text = clean_label(attribute_text(name, attribute), kMaxLine);
    if (line.empty()) {
      line = text;
    } else if (columns_of(line) + 2 + columns_of(text) <= kMaxLine) {
      line += ", " + text;
    } else {
      lines->push_back(std::move(line));
      line = text;
    }
  }
  if (!line.empty()) lines->push_back(std::move(line));
  if (left > 0) lines->push_back(fmt::format("and {} more", left));
}

std::string weight_text(const Tensor& tensor) {
  if (tensor.count() == 1 && tensor.dtype() != DType::kString) {
    const std::string text = to_text(tensor);  // "float32[] {0.5}"
    return fmt::format("{} {}", to_string(tensor.dtype()), text.substr(text.find('{')));
  }
  return fmt::format("{}{}", to_string(tensor.dtype()), to_string(tensor.dims()));
}

void add_weights(const Graph& graph, const Node& node, std::vector<std::string>* lines) {
  const OpSpec* op = find_op(node.op, node.domain);
  std::size_t shown = 0;
  std::size_t left = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor* tensor = node.inputs[i] == kNoValue ? nullptr : graph.initializer(node.inputs[i]);
    if (tensor == nullptr) continue;
    if (++shown > kMaxWeights) {
      ++left;
      continue;
    }
    const bool named = op != nullptr && i < op->inputs.size();
    lines->push_back(clean_label(
        fmt::format("{}: {}", named ? std::string(op->inputs[i].name) : fmt::format("input {}", i), weight_text(*tensor)), kMaxLine));
  }
  if (left > 0) lines->push_back(fmt::format("and {} constants more", left));
}

}  // namespace

BoxKind kind_of(std::string_view op) {
  std::string word;
  for (const char c : op) {
    if (c != '_') word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (std::ranges::find(kControl, word) != kControl.end()) return BoxKind::kControl;
  if (std::ranges::find(kArithmetic, word) != kArithmetic.end()) return BoxKind::kArithmetic;
  for (const KindRow& row : kKinds) {
    if (word.find(row.part) != word.npos) return row.kind;
  }
  return BoxKind::kOther;
}

BoxText describe_node(const Graph& graph, const Node& node) {
  BoxText box{kind_of(node.op),
              clean_label(node.domain.empty() ? node.op : node.domain + "." + node.op, kMaxName),
              clean_label(node.name, kMaxName),
              {},
              clean_label(node.name, kMaxWholeName)};
  add_attributes(node, &box.lines);
  add_weights(graph, node, &box.lines);
  return box;
}

BoxText describe_port(std::string_view role, const Value& value) {
  return {BoxKind::kPort,
          std::string(role),
          clean_label(value.name, kMaxName),
          {type_label(value.type)},
          clean_label(value.name, kMaxWholeName)};
}

std::string type_label(const ValueType& type) {
  std::string text = fmt::format("{}{}", type.dtype ? to_string(*type.dtype) : "?", type.shape ? to_string(*type.shape) : "[*]");
  if (type.quantization && type.quantization->scales.size() == 1 && type.quantization->zero_points.size() == 1) {
    text += fmt::format(" x {:.4g}", static_cast<double>(type.quantization->scales[0]));
    if (type.quantization->zero_points[0] != 0) text += fmt::format(" zero {}", type.quantization->zero_points[0]);
  }
  return clean_label(text, kMaxLine);
}

std::string clean_label(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t columns = 0;
  std::size_t keep = 0;  // bytes of `out` that leave room for the ellipsis
  while (!text.empty()) {
    auto [value, size] = code_point(text);
    if (is_harmful(value)) value = 0xFFFD;
    if (columns + width_of(value) > limit) {
      out.resize(keep);
      return out + "\xE2\x80\xA6";
    }
    columns += width_of(value);
    out += value == 0xFFFD ? std::string_view("\xEF\xBF\xBD") : text.substr(0, size);
    if (columns < limit) keep = out.size();
    text.remove_prefix(size);
  }
  return out;
}

std::size_t columns_of(std::string_view label) {
  std::size_t columns = 0;
  while (!label.empty()) {
    const auto [value, size] = code_point(label);
    columns += width_of(value);
    label.remove_prefix(size);
  }
  return columns;
}

}  // namespace moru::model
