// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/model/verbs.h"
#include "cli/support/parity.h"
#include "core/json.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string expected;
  std::string found;
  ParityFlags parity;
  LoadFlags load;
  Format format = Format::kText;
};

Outcome compare_models(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const ParityReport report, measure_parity(flags.expected, flags.found, flags.parity, options));
  const bool fine = within(report, flags.parity);
  if (flags.format == Format::kJson) {
    Json json = to_json(report);
    json["expected"] = flags.expected;
    json["found"] = flags.found;
    json["backend"] = flags.parity.backend;
    json["within"] = fine;
    print_json(json);
  } else {
    print_text(to_text(report));
  }
  if (fine) return kDone;
  say(fmt::format("moru: compare: found max error {:.3g}, expected at most {:.3g}", report.max_error, flags.parity.max_error));
  return kNotMet;
}

}  // namespace

void add_model_compare(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("compare", "Run two models on the same inputs and say how far their answers are apart");
  command->add_option("expected", flags.expected, "The model that is right")->required();
  command->add_option("found", flags.found, "The model that is compared with it")->required();
  add_parity_options(*command, &flags.parity);
  add_load_options(*command, &flags.load);
  add_format_option(*command, &flags.format);
  command->footer(
      "Inputs and outputs are matched by name, else by order. Exit code 3: --max-error was not met.\n"
      "Example:\n  moru model compare model.onnx model.int8.onnx --samples 100 --max-error 0.5\n"
      "  moru model compare a.onnx b.onnx --data images.npz");
  command->callback([run] { *run = [] { return compare_models(flags); }; });
}

}  // namespace moru::cli
