// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/roofline.h"

#include <CLI/CLI.hpp>

#include "cli/bench/verbs.h"
#include "cli/support/inputs.h"
#include "cli/support/models.h"
#include "core/json.h"
#include "core/text.h"
#include "model/convert/convert.h"
#include "runtime/backends/native/session.h"
#include "runtime/measure/machine.h"
#include "runtime/measure/roofline_page.h"

namespace moru::cli {
namespace {

struct Flags {
  std::vector<std::string> models;
  DimFlags dims;
  double seconds = 1.0;
  std::uint64_t seed = 1;
  int threads = 1;
  std::string html;
  LoadFlags load;
  Format format = Format::kText;
};

Result<model::Graph> graph_in_onnx_words(const Path& path, const model::LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::load_model(path, options));
  if (model::words_of(graph) != "tflite") return graph;
  MORU_ASSIGN_OR_RETURN(auto converted, model::to_onnx(graph));
  return std::move(converted.graph);
}

Result<runtime::Roofline> measure(const std::string& path, const Flags& flags, const runtime::Peaks& peaks) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const auto binding, dim_binding(flags.dims));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, graph_in_onnx_words(path, options));
  MORU_ASSIGN_OR_RETURN(const auto model, runtime::native::NativeModel::load(std::move(graph), flags.threads));
  MORU_ASSIGN_OR_RETURN(const auto inputs, random_tensors(model->inputs(), binding, flags.seed));
  MORU_ASSIGN_OR_RETURN(auto outputs, model->run_once(inputs));  // plans for these extents
  std::vector<const std::byte*> from;
  std::vector<std::byte*> to;
  for (const auto& input : inputs) from.push_back(input.bytes().data());
  for (auto& output : outputs) to.push_back(output.mutable_view().bytes.data());
  const auto time = static_cast<TimeNs>(flags.seconds * static_cast<double>(kSecond));
  return runtime::measure_roofline(*model->context(), from, to, peaks, time);
}

Status print(const std::vector<runtime::NamedRoofline>& models, const runtime::Peaks& peaks, const Flags& flags) {
  const auto machine = runtime::describe_machine();
  const std::string how =
      fmt::format("about {:g} s a model, on random inputs of seed {}, threads: {}", flags.seconds, flags.seed, flags.threads);
  if (!flags.html.empty()) {
    const runtime::PageFacts facts{.machine = machine, .version = MORU_VERSION, .when = format_utc(system_clock().wall_now()), .how = how};
    MORU_RETURN_IF_ERROR_IN("bench roofline", write_file_atomic(flags.html, runtime::to_page(models, peaks, facts)));
  }
  if (flags.format == Format::kJson) {
    Json all = Json::array();
    for (const auto& [model, roofline] : models) {
      Json one = runtime::to_json(roofline);
      one["model"] = model;
      all.push_back(std::move(one));
    }
    print_json({{"machine", runtime::to_json(machine)}, {"peaks", runtime::to_json(peaks)}, {"models", std::move(all)}});
    return {};
  }
  std::string text = fmt::format("{}; {}\n{}", runtime::to_string(machine), how, runtime::to_text(peaks));
  for (const auto& [model, roofline] : models) {
    text += fmt::format("\n{}: {:.2f} us a run, {:.2f} us in {} steps, limit {:.2f} us; clock {:.2f} GHz\n{}", model, roofline.run_ns / 1e3,
                        roofline.total.ns / 1e3, roofline.steps.size(), roofline.total.limit_ns / 1e3, roofline.clock_hz / 1e9,
                        runtime::to_table(roofline));
  }
  if (!flags.html.empty()) text += fmt::format("written to {}\n", flags.html);
  print_text(text);
  return {};
}

Outcome run_roofline(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN_IN("bench roofline", const auto isa, kernels::chosen_isa());
  MORU_ASSIGN_OR_RETURN_IN("bench roofline", const auto peaks, runtime::measure_peaks(kernels::kernels_for(isa)));
  std::vector<runtime::NamedRoofline> models;
  for (const auto& path : flags.models) {
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("bench roofline: {}", path), auto roofline, measure(path, flags, peaks));
    models.push_back({path, std::move(roofline)});
  }
  MORU_RETURN_IF_ERROR(print(models, peaks, flags));
  return kDone;
}

}  // namespace

void add_bench_roofline(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command =
      app.add_subcommand("roofline", "What the machine can do at most, and how near each step of a model on the native engine comes to it");
  command->add_option("models", flags.models, "Models (.onnx, .tflite, .graph); none: the machine's peaks alone");
  add_dim_options(*command, &flags.dims);
  command->add_option("--seconds", flags.seconds, "Time for each model, about")->check(CLI::Range(0.01, 3600.0))->capture_default_str();
  command->add_option("--threads", flags.threads, "That a step may be shared among; its limit stays that of one core")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--seed", flags.seed, "Of the random inputs")->capture_default_str();
  command->add_option("--html", flags.html, "Write a page with plots to this file");
  add_load_options(*command, &flags.load);
  add_format_option(*command, &flags.format);
  command->footer(
      "The peaks are those of one core with the kernels' instruction set (the machine's best, or MORU_ISA). A step's limit is the longer "
      "of\n"
      "its products at the peak, and of its bytes at the speed of the cache that they fit in. Steps that lose the most time to their "
      "limit\n"
      "come first: they are where work pays. \"layout\" steps turn values into the order that the next step reads.\n"
      "Examples:\n  moru bench roofline model.onnx\n  MORU_ISA=avx2 moru bench roofline model.onnx --html roofline.html");
  command->callback([run] { *run = [] { return run_roofline(flags); }; });
}

}  // namespace moru::cli
