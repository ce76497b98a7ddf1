// SPDX-License-Identifier: Apache-2.0
#include "model/targets/check.h"

#include <CLI/CLI.hpp>

#include "cli/model/verbs.h"
#include "cli/support/backend_report.h"
#include "cli/support/target_report.h"
#include "cli/support/workers.h"
#include "core/json.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string path;
  std::string target;
  std::string backend;
  LoadFlags load;
  DimFlags dims;
  bool bind = false;  ///< the user gave numbers
  Format format = Format::kText;
};

void print(Json json, std::string_view text, const Flags& flags) {
  if (flags.format == Format::kJson) {
    json["model"] = flags.path;
    print_json(json);
  } else {
    print_text(fmt::format("model         {}\n{}", flags.path, text));
  }
}

Outcome check_for_target(model::Graph graph, const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto target, model::targets::load_target(flags.target));
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const auto checked, model::targets::check(std::move(graph), target));
  print(to_json(checked.report), to_text(checked.report, target), flags);
  return checked.report.met() ? kDone : kNotMet;
}

Outcome check_on_backend(const model::Graph& graph, const Flags& flags) {
  Progress progress("check", graph.nodes().size());
  const runtime::SupportOptions options{.program = own_worker(), .progress = [&](std::size_t done, std::size_t) { progress.update(done); }};
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const auto support, runtime::supports(flags.backend, graph, options));
  print(to_json(support, graph, flags.backend), to_text(support, graph, flags.backend), flags);
  return support.all() ? kDone : kNotMet;
}

Outcome check_model(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, load_for_target(flags.path, options, flags.dims, flags.bind));
  return flags.backend.empty() ? check_for_target(std::move(graph), flags) : check_on_backend(graph, flags);
}

}  // namespace

void add_model_check(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("check", "Say what of a model runs on a device or a backend, op by op");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  CLI::Option_group* where = command->add_option_group("where");
  add_target_option(*where, &flags.target, false);
  where->add_option("--backend", flags.backend, "A backend of this machine: NAME or NAME:DEVICE, as `moru backends` lists them");
  where->require_option(1);
  add_load_options(*command, &flags.load);
  add_dim_options(*command, &flags.dims);
  add_format_option(*command, &flags.format);
  command->footer(
      "Extents that the model leaves open stay open, unless --batch or --dim is given. A model in other words than the device's is "
      "converted\nfirst. A backend is asked in a process of its own, about each node alone when it does not take the whole model.\n"
      "Exit code 3: something falls back, is refused, or does not fit.\n"
      "Example:\n  moru model check model.tflite --target coral-edgetpu\n  moru model check model.onnx --target mine.yaml --dim N=1 "
      "--format json\n  moru model check model.onnx --backend onnxruntime");
  command->callback([run, command] {
    flags.bind = command->count("--batch") + command->count("--dim") > 0;
    *run = [] { return check_model(flags); };
  });
}

}  // namespace moru::cli
