// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <limits>
#include <map>

#include "cli/noun.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

struct Options {
  std::string path;
  std::string key;
  bool print = false;
  std::int64_t max_elements = 64;
  Format format = Format::kText;
};

/// What can be counted of a model without running it.
struct Summary {
  std::map<std::string, std::int64_t> ops;
  std::map<std::string, std::int64_t> parameters;  ///< by element type
  std::int64_t parameter_count = 0;
  std::int64_t parameter_bytes = 0;
  std::int64_t macs = 0;
  std::int64_t nodes_without_macs = 0;  ///< whose multiplications cannot be counted: a rank is unknown
};

constexpr std::int64_t kManyMacs = std::numeric_limits<std::int64_t>::max();

/// Product of extents; an unknown one counts as 1 (a batch). Ends at the largest number instead of overflowing.
std::int64_t product(std::span<const model::Dim> dims) {
  std::int64_t result = 1;
  for (const model::Dim& dim : dims) {
    if (dim.known() && __builtin_mul_overflow(result, dim.value, &result)) return kManyMacs;
  }
  return result;
}

std::int64_t multiply(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? kManyMacs : result;
}

const model::SymbolicShape* shape_of(const model::Graph& graph, const std::vector<model::ValueId>& ids, std::size_t index) {
  if (index >= ids.size() || ids[index] == model::kNoValue) return nullptr;
  const auto& shape = graph.value(ids[index]).type.shape;
  return shape ? &*shape : nullptr;
}

/// Multiply-accumulates of one node: each element of a convolution's output takes C/group * kH * kW of them, of a matrix
/// product's K. Other ops have none that matter. Nothing where shapes are unknown.
std::optional<std::int64_t> macs_of(const model::Graph& graph, const model::Node& node) {
  const bool convolution = node.op == "Conv";
  if (!convolution && node.op != "MatMul" && node.op != "Gemm") return 0;
  const auto* output = shape_of(graph, node.outputs, 0);
  const auto* operand = shape_of(graph, node.inputs, convolution ? 1 : 0);
  if (output == nullptr || operand == nullptr || operand->empty()) return std::nullopt;
  const std::span<const model::Dim> extents(*operand);
  if (convolution) return multiply(product(*output), product(extents.subspan(1)));
  const bool transposed = node.op == "Gemm" && model::int_attribute(node, "transA", 0).value_or(0) != 0;
  return multiply(product(*output), product(transposed ? extents.first(1) : extents.last(1)));
}

Summary summarise(const model::Graph& graph) {
  Summary summary;
  for (const model::Node& node : graph.nodes()) {
    ++summary.ops[node.domain.empty() ? node.op : node.domain + "." + node.op];
    const auto macs = macs_of(graph, node);
    if (!macs) ++summary.nodes_without_macs;
    if (__builtin_add_overflow(summary.macs, macs.value_or(0), &summary.macs)) summary.macs = kManyMacs;
  }
  for (const auto& [id, tensor] : graph.initializers()) {
    summary.parameters[std::string(to_string(tensor.dtype()))] += tensor.count();
    summary.parameter_count += tensor.count();
    summary.parameter_bytes += static_cast<std::int64_t>(tensor.size_bytes());
  }
  return summary;
}

/// How a model is quantised, in ONNX's word: QDQ (integers between QuantizeLinear and DequantizeLinear) or none.
std::string quantisation(const Summary& summary) { return summary.ops.contains("DequantizeLinear") ? "QDQ" : "none"; }

/// Text of a file for a terminal: a control character could move the cursor or hide what was written.
std::string clean(std::string text) {
  for (char& c : text) {
    if ((c >= 0 && c < ' ') || c == 0x7F) c = '?';
  }
  return text;
}

std::string type_text(const model::ValueType& type) {
  return (type.dtype ? std::string(to_string(*type.dtype)) : "?") + clean(type.shape ? to_string(*type.shape) : "[*]");
}

Json ports_json(const model::Graph& graph, const std::vector<model::ValueId>& ids) {
  Json list = Json::array();
  for (const model::ValueId id : ids) {
    const auto& type = graph.value(id).type;
    Json shape = nullptr;
    if (type.shape) {
      shape = Json::array();
      for (const model::Dim& dim : *type.shape)
        shape.push_back(dim.known() ? Json(dim.value) : dim.symbol.empty() ? Json() : Json(dim.symbol));
    }
    list.push_back({{"name", graph.value(id).name}, {"dtype", type.dtype ? Json(to_string(*type.dtype)) : Json()}, {"shape", shape}});
  }
  return list;
}

Outcome print_graph_json(const model::Graph& graph, const Options& options, std::size_t size) {
  const Summary summary = summarise(graph);
  Json metadata = Json::object();
  for (const auto& [key, value] : graph.metadata) metadata[key] = value;
  Json json = {{"path", options.path},
               {"format", "onnx"},
               {"size_bytes", size},
               {"name", graph.name},
               {"opset", graph.opset},
               {"inputs", ports_json(graph, graph.inputs)},
               {"outputs", ports_json(graph, graph.outputs)},
               {"nodes", graph.nodes().size()},
               {"ops", summary.ops},
               {"parameters", summary.parameter_count},
               {"parameters_by_type", summary.parameters},
               {"parameter_bytes", summary.parameter_bytes},
               {"macs", summary.macs},
               {"nodes_without_macs", summary.nodes_without_macs},
               {"quantisation", quantisation(summary)},
               {"metadata", metadata}};
  if (options.print) json["text"] = model::to_text(graph, {.max_elements = options.max_elements});
  print_json(json);
  return kDone;
}

std::string counts_text(const std::map<std::string, std::int64_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, count);
  return out.empty() ? "none" : out;
}

Outcome print_graph(const model::Graph& graph, const Options& options, std::size_t size) {
  if (options.print) {
    print_text(model::to_text(graph, {.max_elements = options.max_elements}));
    return kDone;
  }
  const Summary summary = summarise(graph);
  std::string out = fmt::format("{}: ONNX, opset {}, {}\n", options.path, graph.opset, human_bytes(size));
  out += fmt::format("graph         {}\n", in_quotes(graph.name));
  for (const model::ValueId id : graph.inputs)
    out += fmt::format("input         {}: {}\n", clean(graph.value(id).name), type_text(graph.value(id).type));
  for (const model::ValueId id : graph.outputs)
    out += fmt::format("output        {}: {}\n", clean(graph.value(id).name), type_text(graph.value(id).type));
  out += fmt::format("ops           {} nodes: {}\n", graph.nodes().size(), counts_text(summary.ops));
  out += fmt::format("parameters    {} ({}): {}\n", summary.parameter_count,
                     human_bytes(static_cast<std::uint64_t>(summary.parameter_bytes)), counts_text(summary.parameters));
  out += fmt::format("MACs          {} for one inference, unknown extents counted as 1\n", summary.macs);
  if (summary.nodes_without_macs > 0) out += fmt::format("              without {} nodes of unknown shape\n", summary.nodes_without_macs);
  out += fmt::format("quantisation  {}\n", quantisation(summary));
  for (const auto& [key, value] : graph.metadata) out += fmt::format("metadata      {} = {}\n", clean(key), clean(value));
  print_text(out);
  return kDone;
}

Json files_json(const model::BundleHeader& header) {
  Json list = Json::array();
  for (const model::BundleFile& file : header.files) {
    list.push_back(
        {{"name", file.name}, {"target", file.target}, {"format", file.format}, {"size_bytes", file.size}, {"sha256", file.sha256}});
  }
  return list;
}

std::string bundle_text(const model::Bundle& bundle, const model::ModelCard& card, std::string_view path, std::size_t size,
                        std::string_view signature) {
  const model::BundleHeader& header = bundle.header();
  std::string out = fmt::format("{}: bundle {} version {}, {}, {}\n", path, header.name, header.version, header.created, human_bytes(size));
  out += fmt::format("digest        sha256:{}\n", bundle.digest());
  out += fmt::format("signature     {}\n", signature);
  for (const model::BundleFile& file : header.files) {
    out += fmt::format("file          {}: {} for {}, {}, sha256:{}\n", file.name, file.format, file.target, human_bytes(file.size),
                       file.sha256);
  }
  out += fmt::format("task          {}\n", clean(card.task));
  for (const model::CardPort& port : card.inputs)
    out += fmt::format("input         {}: {}{}\n", clean(port.name), port.dtype, clean(to_string(port.shape)));
  for (const model::CardPort& port : card.outputs)
    out += fmt::format("output        {}: {}{}\n", clean(port.name), port.dtype, clean(to_string(port.shape)));
  std::string labels;
  for (const std::string& label : card.labels) labels += (labels.empty() ? "" : ", ") + clean(label);
  out += fmt::format("labels        {}: {}\n", card.labels.size(), labels);
  out += fmt::format("processing    (x / 255 - {}) / {}, then {}\n", card.mean, card.std, card.activation);
  out += fmt::format("alert below   {}\n", card.alert_threshold);
  for (const auto& [name, value] : card.figures) out += fmt::format("figure        {} = {}\n", clean(name), value);
  for (const auto& [name, value] : card.provenance) out += fmt::format("provenance    {} = {}\n", clean(name), clean(value));
  return out;
}

/// Showing runs nothing, so a bundle of anybody may be shown without a key; the output says that it was not checked.
Result<std::optional<trust::PublicKey>> read_key(const Options& options) {
  if (options.key.empty()) return std::optional<trust::PublicKey>();
  MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(options.key, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(trust::PublicKey key, trust::PublicKey::from_pem(pem, options.key));
  return std::optional(std::move(key));
}

Outcome show_bundle(std::string_view bytes, const Options& options) {
  if (options.print) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a bundle, expected an ONNX model for --print", options.path));
  }
  MORU_ASSIGN_OR_RETURN(const auto key, read_key(options));
  const model::Verifier verify = [&](std::string_view message, std::string_view signature) {
    return key ? key->verify(message, signature) : Status();
  };
  MORU_ASSIGN_OR_RETURN(const model::Bundle bundle, model::Bundle::open(bytes, verify, options.path));
  const auto signature = key ? "by key " + key->id() : std::string("not checked");
  MORU_ASSIGN_OR_RETURN(const model::ModelCard card, model::read_card(bundle.header().card, options.path + ": card"));
  if (options.format == Format::kText) {
    print_text(bundle_text(bundle, card, options.path, bytes.size(), signature));
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const Json card_json, parse_json(bundle.header().card, options.path));
  print_json({{"path", options.path},
              {"format", "moru"},
              {"size_bytes", bytes.size()},
              {"digest", bundle.digest()},
              {"signature", signature},
              {"name", bundle.header().name},
              {"version", bundle.header().version},
              {"created", bundle.header().created},
              {"files", files_json(bundle.header())},
              {"card", card_json}});
  return kDone;
}

Outcome show(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(options.path, std::uint64_t{4} << 30U));
  if (bytes.starts_with("MORUBDL") || options.path.ends_with(".moru")) return show_bundle(bytes, options);
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, model::read_onnx(bytes, options.path));
  return options.format == Format::kJson ? print_graph_json(graph, options, bytes.size()) : print_graph(graph, options, bytes.size());
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.require_subcommand(1);
  CLI::App* command =
      app.add_subcommand("show", "Show what a model or a bundle holds: inputs, outputs, ops, parameters, MACs, size, quantisation");
  command->add_option("model", options.path, "An .onnx model or a .moru bundle")->required();
  command->add_option("--key", options.key, "A public key (PEM) that must have signed the bundle");
  command->add_flag("--print", options.print, "Print the graph in text form");
  command->add_option("--max-elements", options.max_elements, "With --print: larger initializers as a digest only; -1 prints all");
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru model show model.onnx --format json\n  moru model show line.moru --key release.pub.pem");
  command->callback([run] { *run = [] { return show(options); }; });
}

}  // namespace

extern const NounSpec kNoun_model;
const NounSpec kNoun_model{.name = "model", .doc = "Look at models and bundles", .add = add};

}  // namespace moru::cli
