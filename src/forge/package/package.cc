// SPDX-License-Identifier: Apache-2.0
#include "forge/package/package.h"

#include <fmt/format.h>

#include "core/digest.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/onnx/onnx.h"

namespace moru::forge {
namespace {

model::CardPort port_of(const model::Graph& graph, model::ValueId id) {
  const model::Value& value = graph.value(id);
  return {value.name, std::string(to_string(value.type.dtype.value_or(model::DType::kFloat32))), value.type.shape.value_or(model::SymbolicShape{})};
}

Status check_ports(std::span<const model::ValueId> found, std::span<const model::CardPort> expected, const model::Graph& graph, std::string_view kind) {
  bool same = found.size() == expected.size();
  for (std::size_t i = 0; same && i < found.size(); ++i) {
    const model::CardPort port = port_of(graph, found[i]);
    same = port.name == expected[i].name && port.dtype == expected[i].dtype;
  }
  if (same) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("the model's {}s are not those of the card, expected {} of the same names and types", kind, expected.size()));
}

double us(TimeNs ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

model::ModelCard classifier_card(std::string name, const model::Graph& graph, const Dataset& dataset) {
  model::ModelCard card;
  card.name = std::move(name);
  card.task = "image classification";
  for (const model::ValueId id : graph.inputs) card.inputs.push_back(port_of(graph, id));
  for (const model::ValueId id : graph.outputs) card.outputs.push_back(port_of(graph, id));
  card.labels = dataset.labels;
  card.mean = dataset.mean;
  card.std = dataset.std;
  card.activation = "none";
  card.provenance.emplace_back("dataset", dataset.name);
  card.provenance.emplace_back("dataset_digest", dataset.digest);
  return card;
}

void add_figures(const Comparison& c, model::ModelCard* card) {
  card->figures.insert(card->figures.end(), {{"top1_float", c.original.top1},
                                             {"top1_int8", c.compressed.top1},
                                             {"agreement", c.agreement},
                                             {"size_float_bytes", static_cast<double>(c.original.size_bytes)},
                                             {"size_int8_bytes", static_cast<double>(c.compressed.size_bytes)},
                                             {"latency_float_p50_us", us(c.original.latency.p50)},
                                             {"latency_int8_p50_us", us(c.compressed.latency.p50)},
                                             {"latency_int8_p99_us", us(c.compressed.latency.p99)}});
}

void add_figures(const ThresholdReport& report, model::ModelCard* card) {
  card->alert_threshold = report.threshold;
  card->figures.insert(card->figures.end(), {{"false_alarms_validation", report.validation.false_alarms},
                                             {"detected_validation", report.validation.detected},
                                             {"false_alarms_test", report.test.false_alarms},
                                             {"detected_test", report.test.detected}});
}

Result<Release> make_release(std::string_view name, std::int64_t version, std::string_view created, const model::ModelCard& card,
                             const std::vector<ReleaseFile>& files, const trust::SigningKey& key) {
  const std::string where = fmt::format("release '{}' version {}", name, version);
  if (name.empty() || version < 1 || files.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} files, expected a name, a version of 1 or more and at least one file", where, files.size()));
  }
  model::BundleHeader header{.name = std::string(name), .version = version, .created = std::string(created), .card = model::write_card(card), .files = {}};
  std::vector<std::string> contents;
  for (const ReleaseFile& file : files) {
    const std::string file_where = fmt::format("{}: {}", where, file.name);
    MORU_ASSIGN_OR_RETURN_IN(where, const model::Graph graph, model::read_onnx(file.bytes, file.name));
    MORU_RETURN_IF_ERROR_IN(file_where, check_ports(graph.inputs, card.inputs, graph, "input"));
    MORU_RETURN_IF_ERROR_IN(file_where, check_ports(graph.outputs, card.outputs, graph, "output"));
    header.files.push_back({.name = file.name, .target = file.target, .format = "onnx", .sha256 = {}, .size = 0});
    contents.push_back(file.bytes);
  }
  Release release;
  MORU_ASSIGN_OR_RETURN_IN(where, release.bytes,
                           model::write_bundle(std::move(header), contents, [&key](std::string_view message) { return key.sign(message); }));
  release.digest = sha256_hex(release.bytes);
  return release;
}

}  // namespace moru::forge
