// SPDX-License-Identifier: Apache-2.0
#include "model/targets/partition.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/model/verbs.h"
#include "cli/support/parity.h"
#include "cli/support/target_report.h"
#include "core/json.h"
#include "core/text.h"
#include "model/targets/split.h"

namespace moru::cli {
namespace {

using model::targets::PieceModel;
using model::targets::PieceNames;

struct Flags {
  std::string path;
  std::string target;
  std::string out;
  bool bind = false;  ///< the user gave numbers
  ParityFlags parity;
  LoadFlags load;
  Format format = Format::kText;
};

/// The pieces as they lie in files.
struct Written {
  std::vector<std::string> files;
  std::vector<PieceNames> names;
  PieceNames whole;
};

std::string place_of(const PieceModel& piece) { return piece.accelerator ? "accelerator" : "cpu"; }

Result<Written> write_pieces(const Flags& flags, const model::targets::Target& target, const model::targets::Checked& checked,
                             const std::vector<PieceModel>& pieces) {
  MORU_ASSIGN_OR_RETURN(const auto opset, opset_for(target, checked));
  MORU_RETURN_IF_ERROR(make_folders(flags.out));
  Written written{.files = {}, .names = {}, .whole = model::targets::names_of(checked.graph)};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    written.files.push_back(fmt::format("{}.{}.{}", i, place_of(pieces[i]), checked.report.format));
    written.names.push_back(model::targets::names_of(pieces[i].graph));
    MORU_RETURN_IF_ERROR(model::save_model(pieces[i].graph, Path(flags.out) / written.files.back(), {.opset = opset}));
  }
  return written;
}

Json values_json(const model::Graph& graph, const std::vector<model::ValueId>& ids) {
  Json list = Json::array();
  for (const model::ValueId id : ids) {
    const auto& type = graph.value(id).type;
    Json shape = type.shape ? Json::array() : Json();
    for (const model::Dim& dim : type.shape.value_or(model::SymbolicShape()))
      shape.push_back(dim.known() ? Json(dim.value) : dim.symbol.empty() ? Json() : Json(dim.symbol));
    list.push_back(
        {{"name", graph.value(id).name}, {"dtype", type.dtype ? Json(to_string(*type.dtype)) : Json()}, {"shape", std::move(shape)}});
  }
  return list;
}

Json plan_json(const Flags& flags, const model::targets::Checked& checked, const std::vector<PieceModel>& pieces, const Written& written) {
  Json list = Json::array();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const model::Graph& graph = pieces[i].graph;
    list.push_back({{"file", written.files[i]},
                    {"place", place_of(pieces[i])},
                    {"nodes", graph.nodes().size()},
                    {"macs", pieces[i].macs},
                    {"inputs", values_json(graph, graph.inputs)},
                    {"outputs", values_json(graph, graph.outputs)}});
  }
  return {{"model", flags.path},
          {"target", checked.report.target},
          {"format", checked.report.format},
          {"inputs", values_json(checked.graph, checked.graph.inputs)},
          {"outputs", values_json(checked.graph, checked.graph.outputs)},
          {"macs", checked.report.macs},
          {"pieces", std::move(list)}};
}

/// The files that were written, run one after the other, against the model that was given.
Result<ParityReport> measure(const Flags& flags, const Written& written, const model::LoadOptions& options) {
  std::vector<ModelRunner> runners;
  for (const std::string& file : written.files) {
    MORU_ASSIGN_OR_RETURN(ModelRunner runner,
                          ModelRunner::open(Path(flags.out) / file, flags.parity.backend, flags.parity.threads, options));
    runners.push_back(std::move(runner));
  }
  const Answerer pieces{written.whole.inputs, written.whole.outputs, [&](std::span<const model::Tensor> inputs) {
                          return model::targets::run_pieces(
                              written.whole, written.names, inputs,
                              [&](std::size_t piece, std::span<const model::Tensor> given) { return runners[piece].run(given); });
                        }};
  return measure_parity(flags.path, pieces, flags.parity, options);
}

/// Why the pieces are not what they should be; empty when they are. A graph that was only cut computes the same, to the bit.
std::string missed(const Result<ParityReport>& report, const Flags& flags, bool must_be_same) {
  if (!report) return flags.parity.max_error >= 0 ? "found no parity, expected one that was measured: " + report.error().message : "";
  if (must_be_same && !report->same_bits) return "found other bits than the whole model's, expected the same";
  if (!within(*report, flags.parity))
    return fmt::format("found max error {:.3g}, expected at most {:.3g}", report->max_error, flags.parity.max_error);
  return "";
}

std::string pieces_text(const std::vector<PieceModel>& pieces, const Written& written) {
  std::string out = fmt::format("\n  {:<28} {:>6} {:>14} {:>7} {:>8}\n", "piece", "nodes", "MACs", "inputs", "outputs");
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const model::Graph& graph = pieces[i].graph;
    out += fmt::format("  {:<28} {:>6} {:>14} {:>7} {:>8}\n", written.files[i], graph.nodes().size(), pieces[i].macs, graph.inputs.size(),
                       graph.outputs.size());
  }
  return out;
}

Outcome nothing_to_split(const Flags& flags, const model::targets::Checked& checked) {
  if (flags.format == Format::kJson) print_json({{"model", flags.path}, {"met", false}, {"check", to_json(checked.report)}});
  say(fmt::format("moru: partition: found no op that runs on the accelerator of {}, expected one; see\n  moru model check {} --target {}",
                  checked.report.target, flags.path, flags.target));
  return kNotMet;
}

Outcome partition_model(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto target, model::targets::load_target(flags.target));
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, load_for_target(flags.path, options, flags.parity.dims, flags.bind || target.static_shapes));
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const auto checked, model::targets::check(std::move(graph), target));
  if (std::ranges::none_of(checked.pieces, &model::targets::Piece::accelerator)) return nothing_to_split(flags, checked);
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const auto pieces, model::targets::split(checked.graph, checked.pieces));
  MORU_ASSIGN_OR_RETURN(const Written written, write_pieces(flags, target, checked, pieces));
  Json plan = plan_json(flags, checked, pieces, written);
  MORU_RETURN_IF_ERROR(write_file_atomic(Path(flags.out) / "plan.json", plan.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  const auto report = measure(flags, written, options);
  if (!report && report.error().code == ErrorCode::kCancelled) return fail(report.error());
  const std::string why = missed(report, flags, !checked.report.converted && flags.parity.backend == "reference");
  if (flags.format == Format::kJson) {
    plan["parity"] = report ? to_json(*report) : Json();
    plan["not_measured"] = report ? Json() : Json(report.error().message);
    plan["met"] = why.empty();
    print_json(plan);
  } else {
    const double share =
        checked.report.macs == 0 ? 1.0 : static_cast<double>(checked.report.accelerator_macs) / static_cast<double>(checked.report.macs);
    print_text(fmt::format("written       {} piece{} and plan.json to {}\n", pieces.size(), pieces.size() == 1 ? "" : "s", flags.out));
    print_text(fmt::format("accelerator   {} piece{}, {} of the MACs\n", checked.report.pieces, checked.report.pieces == 1 ? "" : "s",
                           percent(share)));
    print_text(report ? to_text(*report) : fmt::format("parity        not measured: {}\n", clean_text(report.error().message)));
    print_text(pieces_text(pieces, written));
  }
  if (why.empty()) return kDone;
  say(fmt::format("moru: partition: {}", why));
  return kNotMet;
}

}  // namespace

void add_model_partition(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("partition", "Split a model: the accelerator's part in one piece where it can be, and the rest");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  add_target_option(*command, &flags.target, true);
  command->add_option("-o,--out", flags.out, "Folder for the pieces, a model each, and plan.json")->required();
  add_parity_options(*command, &flags.parity);
  add_load_options(*command, &flags.load);
  add_format_option(*command, &flags.format);
  command->footer(
      "plan.json has the pieces in the order in which they run, and the values that go between them, by name. They are run one after the "
      "other\nand compared with the model. Where the device wants known extents, those that are open become 1, or what --batch and --dim "
      "say.\n"
      "Exit code 3: nothing runs on the accelerator, or --max-error was not met.\n"
      "Example:\n  moru model partition model.onnx --target nvidia-jetson -o pieces --samples 2");
  command->callback([run, command] {
    flags.bind = command->count("--batch") + command->count("--dim") > 0;
    *run = [] { return partition_model(flags); };
  });
}

}  // namespace moru::cli
