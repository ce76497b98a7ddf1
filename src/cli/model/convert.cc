// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/model/verbs.h"
#include "cli/support/parity.h"
#include "cli/support/target_report.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string path;
  std::string out;
  std::string target;
  std::optional<std::int64_t> opset;
  bool exact = false;
  ParityFlags parity;
  LoadFlags load;
  Format format = Format::kText;
};

/// The graph in the words of the file that is written.
Result<model::Converted> in_words_of(const model::FileFormat& format, model::Graph graph, const Flags& flags) {
  const std::string_view words = model::words_of(graph);
  if (format.words.empty() || format.words == words) return model::Converted{std::move(graph), {}};
  const model::ConvertOptions options{.exact = flags.exact};
  return words == "onnx" ? model::to_tflite(std::move(graph), options) : model::to_onnx(std::move(graph), options);
}

/// A model made for a device, or why it takes none.
struct ForTarget {
  model::targets::Target target;
  model::targets::Checked checked;
  std::optional<std::int64_t> opset;
};

Result<ForTarget> make_for_target(const model::FileFormat& format, const Flags& flags, const model::LoadOptions& options) {
  ForTarget made;
  MORU_ASSIGN_OR_RETURN(made.target, model::targets::load_target(flags.target));
  if (!made.target.takes_format(format.words)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found the suffix {}, expected .{}, which target {} takes", in_quotes(flags.out), format.suffix,
                            fmt::join(made.target.formats, " or ."), in_quotes(made.target.name)));
  }
  MORU_ASSIGN_OR_RETURN(model::Graph graph, load_for_target(flags.path, options, flags.parity.dims, made.target.static_shapes));
  MORU_ASSIGN_OR_RETURN_IN("convert " + in_quotes(flags.path), made.checked,
                           model::targets::check(std::move(graph), made.target, {.format = format.words, .exact = flags.exact}));
  MORU_ASSIGN_OR_RETURN(made.opset, opset_for(made.target, made.checked, flags.opset));
  return made;
}

/// One line; `moru model check` has the rest.
std::string on_target(const Json& check) {
  return fmt::format("target        {}: {} of {} nodes on the accelerator\n", clean_text(check["target"].get<std::string>()),
                     check["accelerator_nodes"].get<std::size_t>(), check["nodes"].size());
}

Outcome refuse(const ForTarget& made, const Flags& flags) {
  if (flags.format == Format::kJson) {
    Json json = {{"model", flags.path}, {"out", Json()}, {"met", false}, {"check", to_json(made.checked.report)}};
    print_json(json);
  } else {
    print_text(to_text(made.checked.report, made.target));
  }
  say(fmt::format("moru: convert: found a model that target {} does not take, expected one that it does; nothing was written",
                  in_quotes(made.target.name)));
  return kNotMet;
}

/// Why the written file does not do what was asked for; empty when it does.
std::string missed(const Result<ParityReport>& report, const Flags& flags) {
  if (!report) return flags.parity.max_error >= 0 ? "found no parity, expected one that was measured: " + report.error().message : "";
  if (!within(*report, flags.parity))
    return fmt::format("found max error {:.3g}, expected at most {:.3g}", report->max_error, flags.parity.max_error);
  return "";
}

Outcome convert(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  std::vector<std::string> notes;
  Json check;
  MORU_ASSIGN_OR_RETURN(const model::FileFormat* format, model::format_of(flags.out));
  if (!flags.target.empty()) {
    MORU_ASSIGN_OR_RETURN(const ForTarget made, make_for_target(*format, flags, options));
    if (!made.checked.report.taken()) return refuse(made, flags);
    MORU_RETURN_IF_ERROR(model::save_model(made.checked.graph, flags.out, {.opset = made.opset}));
    notes = made.checked.report.notes;
    check = to_json(made.checked.report);
  } else {
    MORU_ASSIGN_OR_RETURN(model::Graph graph, model::load_model(flags.path, options));
    MORU_ASSIGN_OR_RETURN_IN("convert " + in_quotes(flags.path), model::Converted converted, in_words_of(*format, std::move(graph), flags));
    MORU_RETURN_IF_ERROR(model::save_model(converted.graph, flags.out, {.opset = flags.opset}));
    notes = std::move(converted.notes);
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
                {"changes", notes},
                {"backend", flags.parity.backend},
                {"parity", report ? to_json(*report) : Json()},
                {"not_measured", report ? Json() : Json(report.error().message)},
                {"check", check},
                {"met", why.empty()}});
  } else {
    print_text(fmt::format("written       {}, {}\n", flags.out, human_bytes(error ? 0 : size)));
    if (!check.is_null()) print_text(on_target(check));
    for (const std::string& note : notes) print_text(fmt::format("changed       {}\n", clean_text(note)));
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
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  command->add_option("-o,--out", flags.out, "The file to write; its suffix says the format")->required();
  add_target_option(*command, &flags.target, false);
  command->add_option("--opset", flags.opset, "ONNX opset of the file; the model's own when left out");
  command->add_flag("--exact", flags.exact, "Refuse what the other format cannot say, instead of requantising and listing it");
  add_parity_options(*command, &flags.parity);
  add_load_options(*command, &flags.load);
  add_format_option(*command, &flags.format);
  command->footer(
      "Both files are run on the same inputs. Exit code 3: --max-error was not met; the file is there all the same.\n"
      "With --target the file is what the device's compiler or runtime takes: format, opset, known extents (--batch, --dim); exit code 3, "
      "and\n"
      "no file, when that cannot be.\n"
      "Example:\n  moru model convert model.onnx -o model.17.onnx --opset 17 --max-error 0\n  moru model convert model.onnx -o "
      "model.tflite --exact");
  command->callback([run] { *run = [] { return convert(flags); }; });
}

}  // namespace moru::cli
