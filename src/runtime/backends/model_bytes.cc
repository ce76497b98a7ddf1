// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/model_bytes.h"

#include "model/convert/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kTflite = "tflite";
constexpr std::string_view kWhere = "load model";

}  // namespace

std::string_view format_of_bytes(std::string_view bytes) {
  constexpr std::size_t kAt = 4;
  constexpr std::string_view kIdentifier = "TFL3";
  return bytes.size() >= kAt && bytes.substr(kAt).starts_with(kIdentifier) ? kTflite : "onnx";
}

Result<model::Graph> graph_of(const ModelBytes& model) {
  return model.format == kTflite ? model::read_tflite(model.bytes, kWhere) : model::read_onnx(model.bytes, kWhere);
}

Result<ConvertedBytes> converted_bytes(const ModelBytes& model, std::string_view format) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, graph_of(model));
  const bool to_tflite = format == kTflite;
  MORU_ASSIGN_OR_RETURN_IN(kWhere, const model::Converted converted,
                           to_tflite ? model::to_tflite(std::move(graph)) : model::to_onnx(std::move(graph)));
  ConvertedBytes made;
  MORU_ASSIGN_OR_RETURN(made.bytes, to_tflite ? model::write_tflite(converted.graph) : model::write_onnx(converted.graph));
  MORU_ASSIGN_OR_RETURN(made.inputs, ports_of(converted.graph, converted.graph.inputs));
  MORU_ASSIGN_OR_RETURN(made.outputs, ports_of(converted.graph, converted.graph.outputs));
  return made;
}

}  // namespace moru::runtime
