// SPDX-License-Identifier: Apache-2.0
// The table of small TFLite models, one op each (src/model/formats/tflite/testdata/oracle_cases.txt, which tells its grammar), and
// seeded inputs for them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::model {

/// A model and what it is fed.
struct TfliteCase {
  std::string name;
  Graph graph;
  std::vector<Tensor> inputs;
  bool reference = true;  ///< LiteRT's reference kernel is right
};

template <class T>
Tensor filled(const Dims& dims, auto next) {
  Tensor tensor = Tensor::create(DTypeOf<T>::value, dims).value();
  for (T& value : tensor.mutable_data<T>()) value = static_cast<T>(next());
  return tensor;
}

/// Small integers of wide types stand for biases and counts.
inline Tensor random_tensor(const ValueType& type, Rng& rng) {
  Dims dims;
  for (const Dim& dim : *type.shape) dims.push_back(dim.known() ? dim.value : 1);
  const auto below = [&](std::int64_t low, std::uint64_t count) {
    return [&rng, low, count] { return low + static_cast<std::int64_t>(rng.below(count)); };
  };
  switch (*type.dtype) {
    case DType::kInt8: return filled<std::int8_t>(dims, below(-128, 256));
    case DType::kUInt8: return filled<std::uint8_t>(dims, below(0, 256));
    case DType::kInt16: return filled<std::int16_t>(dims, below(-32768, 65536));
    case DType::kInt32: return filled<std::int32_t>(dims, below(-1000, 2001));
    case DType::kInt64: return filled<std::int64_t>(dims, below(-1000, 2001));
    case DType::kBool: return filled<bool>(dims, below(0, 2));
    default: return filled<float>(dims, [&] { return 2 * rng.normal(); });
  }
}

inline std::vector<Tensor> random_inputs(const Graph& graph, std::string_view name) {
  Rng rng(std::strtoull(sha256_hex(name).substr(0, 15).c_str(), nullptr, 16));
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(random_tensor(graph.value(id).type, rng));
  return inputs;
}

/// "int8[2,3] @0.1:-3" as the text form has it: "int8[2,3] quant {...}".
inline std::string type_text(std::string_view value) {
  const std::size_t at = value.find('@');
  std::string type(trim(value.substr(0, at)));
  if (at == std::string_view::npos) return type;
  const std::string_view quant = value.substr(at + 1);
  std::string scales, zeros, axis = "0";
  if (quant[0] == '[') {
    const std::size_t end = quant.find(']');
    for (const auto scale : split(quant.substr(1, end - 1), ' ')) {
      scales += (scales.empty() ? "" : ", ") + std::string(scale);
      zeros += zeros.empty() ? "0" : ", 0";
    }
    axis = quant.substr(end + 2);
  } else {
    scales = quant.substr(0, quant.find(':'));
    zeros = quant.substr(quant.find(':') + 1);
  }
  return fmt::format("{} quant {{scales = [{}], zero_points = [{}], axis = {}}}", type, scales, zeros, trim(axis));
}

/// The graph that a line of the table describes.
inline std::string graph_text(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::size_t arrow = line.find("->");
  const std::size_t brace = std::min(line.find('{', arrow), line.size());
  std::string text = "graph \"case\" {\n", uses, results, outputs;
  int number = 0;
  for (const auto part : split(line.substr(colon + 1, arrow - colon - 1), ';')) {
    const std::string_view value = trim(part);
    const std::string name = value == "_" ? "_" : fmt::format("i{}", number++);
    uses += (uses.empty() ? "" : ", ") + name;
    if (value == "_" || value.empty()) continue;
    const std::size_t equals = value.find('=');
    const std::string type = type_text(value.substr(0, equals));
    if (equals == std::string_view::npos) {
      text += fmt::format("  input {}: {}\n", name, type);
      continue;
    }
    std::string elements;
    for (const auto element : split(trim(value.substr(equals + 1)), ' ')) elements += (elements.empty() ? "" : ", ") + std::string(element);
    const std::string plain(type.substr(0, type.find(" quant")));
    text += fmt::format("  init {}{} = {} {{{}}}\n", name, plain == type ? "" : ": " + type, plain, elements);
  }
  number = 0;
  for (const auto part : split(line.substr(arrow + 2, brace - arrow - 2), ';')) {
    const std::string name = fmt::format("o{}", number++);
    results += fmt::format("{}{}: {}", results.empty() ? "" : ", ", name, type_text(trim(part)));
    outputs += fmt::format("  output {}\n", name);
  }
  return text + fmt::format("  {} = tflite::{}({}) {}\n{}}}", results, line.substr(0, colon), uses, line.substr(brace), outputs);
}

/// Every case of a table.
inline Result<std::vector<TfliteCase>> tflite_cases(const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::string table, read_file(path));
  std::vector<TfliteCase> cases;
  for (const auto part : split(table, '\n')) {
    std::string line(trim(part));
    if (line.empty() || line[0] == '#') continue;
    const bool reference = line[0] != '~';
    if (!reference) line.erase(0, 1);
    MORU_ASSIGN_OR_RETURN_IN(line, Graph graph, parse_text(graph_text(line)));
    MORU_RETURN_IF_ERROR_IN(line, infer_shapes(graph));
    auto inputs = random_inputs(graph, line);
    cases.push_back({line, std::move(graph), std::move(inputs), reference});
  }
  return cases;
}

}  // namespace moru::model
