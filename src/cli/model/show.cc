// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/model/verbs.h"
#include "cli/support/models.h"
#include "core/json.h"
#include "core/text.h"
#include "model/graph/text.h"
#include "model/inspect/box_text.h"
#include "model/inspect/svg.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string path;
  std::string key;
  std::string svg;
  bool text = false;
  std::int64_t max_elements = -1;
  LoadFlags load;
  DimFlags dims;
  Format format = Format::kText;
};

/// What is printed of one model.
struct Shown {
  model::Graph graph;
  std::string_view file_format;
  std::uint64_t size_bytes = 0;
  model::Summary summary;
  bool bound = true;      ///< unknown extents had numbers when it was counted
  std::string not_bound;  ///< why not
};

std::string type_text(const model::ValueType& type) {
  return (type.dtype ? std::string(to_string(*type.dtype)) : "?") + clean_text(type.shape ? to_string(*type.shape) : "[*]");
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

/// Columns of a metadata value; some hold a file.
constexpr std::size_t kMaxMetadata = 120;

/// Opsets are of ONNX's words.
bool has_opset(const Shown& shown) { return model::words_of(shown.graph) != "tflite"; }

Json to_json(const Shown& shown, const Flags& flags) {
  const model::Graph& graph = shown.graph;
  const model::Summary& summary = shown.summary;
  Json metadata = Json::object();
  for (const auto& [key, value] : graph.metadata) metadata[key] = value;
  Json parameters = Json::object();
  for (const auto& [dtype, count] : summary.parameters) parameters[dtype] = count.count;
  Json json = {{"path", flags.path},
               {"format", shown.file_format},
               {"size_bytes", shown.size_bytes},
               {"name", graph.name},
               {"opset", has_opset(shown) ? Json(graph.opset) : Json()},
               {"inputs", ports_json(graph, graph.inputs)},
               {"outputs", ports_json(graph, graph.outputs)},
               {"nodes", summary.nodes},
               {"bodies", summary.bodies},
               {"ops", summary.ops},
               {"parameters", summary.all_parameters.count},
               {"parameters_by_type", std::move(parameters)},
               {"parameter_bytes", summary.all_parameters.bytes},
               {"macs", summary.macs},
               {"nodes_without_macs", summary.nodes_without_macs},
               {"activation_bytes", summary.activations.bytes},
               {"activation_peak", summary.activations.node},
               {"activations_of_unknown_size", summary.activations.unknown_values},
               {"quantisation", summary.quantisation},
               {"metadata", metadata}};
  if (!shown.bound) json["not_bound"] = shown.not_bound;
  if (flags.text) json["text"] = model::to_text(graph, {.max_elements = flags.max_elements});
  return json;
}

std::string ops_text(const model::Summary& summary) {
  std::string out;
  for (const auto& [name, count] : summary.ops) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", clean_text(name), count);
  return out.empty() ? "none" : out;
}

std::string parameters_text(const model::Summary& summary) {
  std::string out;
  for (const auto& [name, count] : summary.parameters) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, count.count);
  return out.empty() ? "none" : out;
}

/// A number as people read it: 12.5 M.
std::string big(std::int64_t number) {
  const auto value = static_cast<double>(number);
  if (number >= 10'000'000'000) return fmt::format("{:.4g} G", value / 1e9);
  if (number >= 10'000'000) return fmt::format("{:.4g} M", value / 1e6);
  return fmt::format("{}", number);
}

std::string format_text(const Shown& shown) {
  const std::string_view name = shown.file_format == "onnx" ? "ONNX" : shown.file_format == "tflite" ? "TFLite" : shown.file_format;
  return has_opset(shown) ? fmt::format("{}, opset {}", name, shown.graph.opset) : std::string(name);
}

std::string to_text(const Shown& shown, const Flags& flags) {
  const model::Graph& graph = shown.graph;
  const model::Summary& summary = shown.summary;
  std::string out = fmt::format("{}: {}, {}\n", flags.path, format_text(shown), human_bytes(shown.size_bytes));
  out += fmt::format("graph         {}\n", in_quotes(graph.name));
  for (const model::ValueId id : graph.inputs)
    out += fmt::format("input         {}: {}\n", clean_text(graph.value(id).name), type_text(graph.value(id).type));
  for (const model::ValueId id : graph.outputs)
    out += fmt::format("output        {}: {}\n", clean_text(graph.value(id).name), type_text(graph.value(id).type));
  out += fmt::format("ops           {} nodes{}: {}\n", summary.nodes,
                     summary.bodies > 0 ? fmt::format(" with those of {} bodies", summary.bodies) : "", ops_text(summary));
  out += fmt::format("parameters    {} ({}): {}\n", summary.all_parameters.count,
                     human_bytes(static_cast<std::uint64_t>(summary.all_parameters.bytes)), parameters_text(summary));
  out += fmt::format("MACs          {}{}\n", big(summary.macs), summary.macs >= 10'000'000 ? fmt::format(" ({})", summary.macs) : "");
  if (summary.nodes_without_macs > 0) out += fmt::format("              without {} nodes of unknown shape\n", summary.nodes_without_macs);
  out += fmt::format("activations   {} at most at once{}{}\n", human_bytes(static_cast<std::uint64_t>(summary.activations.bytes)),
                     summary.activations.node.empty() ? "" : ", at ", clean_text(summary.activations.node));
  if (summary.activations.unknown_values > 0)
    out += fmt::format("              without {} values of unknown size\n", summary.activations.unknown_values);
  if (!shown.bound) out += fmt::format("              unknown extents stay open: {}\n", clean_text(shown.not_bound));
  out += fmt::format("quantisation  {}\n", summary.quantisation);
  for (const auto& [key, value] : graph.metadata)
    out += fmt::format("metadata      {} = {}\n", clean_text(key), model::clean_label(value, kMaxMetadata));
  return out;
}

/// MACs and memory are counted with numbers for open extents; what is printed of the graph keeps its symbols.
Result<Shown> look(const Flags& flags, std::uint64_t size) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const auto binding, dim_binding(flags.dims));
  MORU_ASSIGN_OR_RETURN(const model::FileFormat* format, model::format_of(flags.path));
  Shown shown{.graph = {}, .file_format = format->name, .size_bytes = size, .summary = {}, .not_bound = {}};
  MORU_ASSIGN_OR_RETURN(shown.graph, format->load(flags.path, options));
  const auto bound = model::bind_dims(shown.graph, binding);
  if (!bound && (!flags.dims.dims.empty() || flags.dims.batch != 1)) return fail(bound.error());
  shown.bound = bound.has_value();
  if (!bound) shown.not_bound = bound.error().message;
  shown.summary = model::summarise(bound ? *bound : shown.graph);
  return shown;
}

Outcome show_graph(const Flags& flags, std::uint64_t size) {
  MORU_ASSIGN_OR_RETURN(const Shown shown, look(flags, size));
  if (!flags.svg.empty()) {
    MORU_ASSIGN_OR_RETURN_IN("--svg", const std::string svg, model::to_svg(shown.graph));
    MORU_RETURN_IF_ERROR(write_file_atomic(flags.svg, svg));
  }
  if (flags.format == Format::kJson) {
    print_json(to_json(shown, flags));
  } else if (flags.text) {
    print_text(model::to_text(shown.graph, {.max_elements = flags.max_elements}));
  } else {
    print_text(to_text(shown, flags));
  }
  return kDone;
}

Outcome show(const Flags& flags) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::is_regular_file(flags.path, error) ? std::filesystem::file_size(flags.path, error) : 0;
  if (!flags.path.ends_with(".moru")) {
    if (std::filesystem::is_directory(flags.path, error) || !std::filesystem::exists(flags.path, error)) {
      return std::unexpected(read_file(flags.path).error());  // it says what is wrong, in its words
    }
    return show_graph(flags, size);
  }
  if (flags.text || !flags.svg.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a bundle, expected a model for --text and --svg", flags.path));
  }
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(flags.path, options.max_memory_bytes));
  return show_bundle(bytes, flags.path, flags.key, flags.format);
}

}  // namespace

void add_model_show(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand(
      "show", "Show what a model or a bundle holds: inputs, outputs, ops, parameters, MACs, activation memory, size, quantisation");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph) or a .moru bundle")->required();
  command->add_option("--key", flags.key, "A public key (PEM) that must have signed the bundle");
  command->add_option("--svg", flags.svg, "Draw the graph into this file");
  command->add_flag("--text", flags.text, "Print the graph's text form, which parses back to the same graph");
  command->add_option("--max-elements", flags.max_elements,
                      "With --text: tensors with more elements as a digest only, which does not parse back; -1 prints all");
  add_load_options(*command, &flags.load);
  add_dim_options(*command, &flags.dims);
  add_format_option(*command, &flags.format);
  command->footer(
      "MACs and activation memory are of one inference, with --batch and --dim for extents that the model leaves open. Activation memory "
      "is\n"
      "what lives at once in the order of the nodes, each value in bytes of its own: no plan without sharing needs less.\n"
      "Example:\n  moru model show model.onnx --svg model.svg\n  moru model show model.onnx --format json\n"
      "  moru model show line.moru --key release.pub.pem");
  command->callback([run] { *run = [] { return show(flags); }; });
}

}  // namespace moru::cli
