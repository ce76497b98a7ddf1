// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <optional>

#include "cli/model/verbs.h"
#include "cli/support/parity.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string path;
  std::string out;
  std::optional<std::int64_t> opset;
  bool exact = false;
  ParityFlags parity;
  LoadFlags load;
  Format format = Format::kText;
};

/// Why the written file does not do what was asked for; empty when it does.
std::string missed(const Result<ParityReport>& report, const Flags& flags) {
  const bool asked = flags.exact || flags.parity.max_error >= 0;
  if (!report) return asked ? "found no parity, expected one that was measured: " + report.error().message : "";
  if (flags.exact && !report->same_bits) return fmt::format("found max error {:.3g}, expected the same bits", report->max_error);
  if (!within(*report, flags.parity))
    return fmt::format("found max error {:.3g}, expected at most {:.3g}", report->max_error, flags.parity.max_error);
  return "";
}

Outcome convert(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  {
    MORU_ASSIGN_OR_RETURN(const model::Graph graph, model::load_model(flags.path, options));
    MORU_RETURN_IF_ERROR(model::save_model(graph, flags.out, {.opset = flags.opset}));
  }
  // The file stays even when it is not equal, so that it can be looked at; the exit code says so.
  const auto report = measure_parity(flags.path, flags.out, flags.parity, options);
  if (!report && report.error().code == ErrorCode::kCancelled) return fail(report.error());
  const std::string why = missed(report, flags);
  std::error_code error;
  const auto size = static_cast<std::uint64_t>(std::filesystem::file_size(flags.out, error));
  if (flags.format == Format::kJson) {
    print_json({{"model", flags.path},
                {"out", flags.out},
                {"size_bytes", error ? Json() : Json(size)},
                {"backend", flags.parity.backend},
                {"parity", report ? to_json(*report) : Json()},
                {"not_measured", report ? Json() : Json(report.error().message)},
                {"met", why.empty()}});
  } else {
    print_text(fmt::format("written       {}, {}\n", flags.out, human_bytes(error ? 0 : size)));
    print_text(report ? to_text(*report) : fmt::format("parity        not measured: {}\n", clean_text(report.error().message)));
  }
  if (why.empty()) return kDone;
  say(fmt::format("moru: convert: {}", why));
  return kNotMet;
}

}  // namespace

void add_model_convert(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("convert", "Write a model in another format or opset, and measure that it is still the same");
  command->add_option("model", flags.path, "A model (.onnx, .graph)")->required();
  command->add_option("-o,--out", flags.out, "The file to write; its suffix says the format")->required();
  command->add_option("--opset", flags.opset, "ONNX opset of the file; the model's own when left out");
  command->add_flag("--exact", flags.exact, "Exit code 3 unless the outputs have the same bits");
  add_parity_options(*command, &flags.parity);
  add_load_options(*command, &flags.load);
  add_format_option(*command, &flags.format);
  command->footer(
      "Both files are run on the same inputs. Exit code 3: --max-error or --exact was not met; the file is there all the same.\n"
      "Example:\n  moru model convert model.onnx -o model.17.onnx --opset 17 --exact\n  moru model convert model.onnx -o model.graph");
  command->callback([run] { *run = [] { return convert(flags); }; });
}

}  // namespace moru::cli
