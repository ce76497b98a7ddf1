// SPDX-License-Identifier: Apache-2.0
#include "model/targets/check.h"

#include <CLI/CLI.hpp>

#include "cli/model/verbs.h"
#include "cli/support/target_report.h"
#include "core/json.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string path;
  std::string target;
  LoadFlags load;
  DimFlags dims;
  bool bind = false;  ///< the user gave numbers
  Format format = Format::kText;
};

Outcome check_model(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto target, model::targets::load_target(flags.target));
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, load_for_target(flags.path, options, flags.dims, flags.bind));
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const auto checked, model::targets::check(std::move(graph), target));
  if (flags.format == Format::kJson) {
    Json json = to_json(checked.report);
    json["model"] = flags.path;
    print_json(json);
  } else {
    print_text(fmt::format("model         {}\n{}", flags.path, to_text(checked.report, target)));
  }
  return checked.report.met() ? kDone : kNotMet;
}

}  // namespace

void add_model_check(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("check", "Say what of a model runs on a device, op by op, and what would have to change");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  add_target_option(*command, &flags.target, true);
  add_load_options(*command, &flags.load);
  add_dim_options(*command, &flags.dims);
  add_format_option(*command, &flags.format);
  command->footer(
      "Extents that the model leaves open stay open, unless --batch or --dim is given. A model in other words than the device's is "
      "converted "
      "first.\nExit code 3: something falls back, is refused, or does not fit.\n"
      "Example:\n  moru model check model.tflite --target coral-edgetpu\n  moru model check model.onnx --target mine.yaml --dim N=1 "
      "--format json");
  command->callback([run, command] {
    flags.bind = command->count("--batch") + command->count("--dim") > 0;
    *run = [] { return check_model(flags); };
  });
}

}  // namespace moru::cli
