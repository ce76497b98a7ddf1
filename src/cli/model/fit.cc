// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "cli/model/verbs.h"
#include "cli/support/models.h"
#include "cli/support/target_report.h"
#include "core/json.h"
#include "core/text.h"
#include "model/convert/convert.h"
#include "runtime/backends/native/need.h"

namespace moru::cli {
namespace {

using kernels::Isa;
using model::targets::MemoryReport;
using model::targets::Target;
using runtime::native::Need;

struct Flags {
  std::string path;
  std::string target;
  int threads = 1;
  LoadFlags load;
  DimFlags dims;
  Format format = Format::kText;
};

/// What the kernels of a device are called where it is described.
struct IsaWord {
  std::string_view word;
  Isa isa;
};
constexpr std::array kWords = {IsaWord{"avx512_vnni", Isa::kAvx512}, IsaWord{"avx2", Isa::kAvx2}, IsaWord{"dotprod", Isa::kNeonDot},
                               IsaWord{"neon", Isa::kNeon}};

/// The best kernels that both the device and this machine have: others cannot pack weights here. Without a device, those of a run here.
Result<Isa> isa_for(const std::optional<Target>& target) {
  MORU_ASSIGN_OR_RETURN(const Isa here, kernels::chosen_isa());
  if (!target) return here;
  const auto isas = kernels::machine_isas();
  for (const auto& [word, isa] : kWords) {
    if (std::ranges::find(target->isa, word) != target->isa.end() && std::ranges::find(isas, isa) != isas.end()) return isa;
  }
  return here;
}

/// Whether those are kernels that the device itself would choose.
bool is_of_target(Isa isa, const Target& target) {
  const auto* const best =
      std::ranges::find_if(kWords, [&](const IsaWord& one) { return std::ranges::find(target.isa, one.word) != target.isa.end(); });
  return best != kWords.end() && best->isa == isa;
}

Result<Need> need_of(const Flags& flags, Isa isa) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::load_model(flags.path, options));
  if (model::words_of(graph) == "tflite") {
    MORU_ASSIGN_OR_RETURN_IN(flags.path, auto converted, model::to_onnx(std::move(graph)));
    graph = std::move(converted.graph);
  }
  MORU_ASSIGN_OR_RETURN(const auto binding, dim_binding(flags.dims));
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const model::Graph bound, model::bind_dims(graph, binding));
  std::vector<model::Dims> extents;
  for (const model::ValueId input : bound.inputs) {
    model::Dims dims;
    for (const model::Dim& dim : bound.value(input).type.shape.value_or(model::SymbolicShape())) dims.push_back(dim.value);
    extents.push_back(std::move(dims));
  }
  MORU_ASSIGN_OR_RETURN_IN(flags.path, const Need need, runtime::native::need_of(std::move(graph), extents, isa, flags.threads));
  return need;
}

std::vector<MemoryReport> memories_of(const Target& target, const Need& need) {
  std::vector<MemoryReport> memories;
  for (const auto& rule : target.memory) {
    const std::uint64_t bytes = rule.holds == "parameters"    ? need.weight_bytes
                                : rule.holds == "activations" ? need.activation_bytes()
                                                              : need.total_bytes();
    memories.push_back({rule, static_cast<std::int64_t>(bytes)});
  }
  return memories;
}

struct Fit {
  Isa isa = Isa::kScalar;
  Need need;
  std::optional<Target> target;
  std::vector<MemoryReport> memories;

  /// More than fits only makes it slower where it spills.
  bool fits() const {
    return std::ranges::all_of(memories, [](const MemoryReport& memory) { return memory.fits() || memory.rule.spills; });
  }
};

std::string to_text(const Fit& fit, const Flags& flags) {
  const Need& need = fit.need;
  const auto line = [](std::string_view what, std::uint64_t bytes, std::string_view doc) {
    return fmt::format("{:<13} {:>12} bytes  {}\n", what, bytes, doc);
  };
  std::string out = fmt::format("model         {}\nengine        native, kernels for {}, {} thread{}, {} steps\n", flags.path,
                                kernels::to_string(fit.isa), flags.threads, flags.threads == 1 ? "" : "s", need.steps);
  out += line("weights", need.weight_bytes, "as they are packed for running") + line("arena", need.arena_bytes, "what lies between layers");
  if (flags.threads > 1) out += line("workers", need.worker_bytes, "of the other threads, at most");
  out += line("inputs", need.input_bytes, "the caller's") + line("outputs", need.output_bytes, "the caller's");
  out += line("together", need.total_bytes(), human_bytes(need.total_bytes()));
  if (!fit.target) return out;
  if (!is_of_target(fit.isa, *fit.target))
    out += fmt::format("note          its own kernels are not on this machine: their padding may differ\n");
  for (const MemoryReport& memory : fit.memories) out += memory_text(memory);
  const std::string_view verdict = fit.memories.empty() ? "the target says of no memory how large it is"
                                   : fit.fits()         ? "it fits"
                                                        : "it does not fit";
  return out + fmt::format("result        {}: {}\n", clean_text(fit.target->name), verdict);
}

Json to_json(const Fit& fit, const Flags& flags) {
  const Need& need = fit.need;
  Json json = {{"model", flags.path},
               {"isa", kernels::to_string(fit.isa)},
               {"threads", flags.threads},
               {"steps", need.steps},
               {"weight_bytes", need.weight_bytes},
               {"arena_bytes", need.arena_bytes},
               {"worker_bytes", need.worker_bytes},
               {"input_bytes", need.input_bytes},
               {"output_bytes", need.output_bytes},
               {"total_bytes", need.total_bytes()}};
  if (!fit.target) return json;
  json["target"] = fit.target->name;
  json["isa_is_of_target"] = is_of_target(fit.isa, *fit.target);
  json["memory"] = memory_json(fit.memories);
  json["fits"] = fit.memories.empty() ? Json() : Json(fit.fits());
  return json;
}

Outcome fit_model(const Flags& flags) {
  Fit fit;
  if (!flags.target.empty()) {
    MORU_ASSIGN_OR_RETURN(fit.target, model::targets::load_target(flags.target));
  }
  MORU_ASSIGN_OR_RETURN(fit.isa, isa_for(fit.target));
  MORU_ASSIGN_OR_RETURN(fit.need, need_of(flags, fit.isa));
  if (fit.target) fit.memories = memories_of(*fit.target, fit.need);
  if (flags.format == Format::kJson) {
    print_json(to_json(fit, flags));
  } else {
    print_text(to_text(fit, flags));
  }
  return fit.fits() ? kDone : kNotMet;
}

}  // namespace

void add_model_fit(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command =
      app.add_subcommand("fit", "Say what memory a model needs on our own engine, to the byte, and whether a device has it");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  add_target_option(*command, &flags.target, false);
  command->add_option("--threads", flags.threads, "Threads of a run")->check(CLI::Range(1, 1024))->capture_default_str();
  add_load_options(*command, &flags.load);
  add_dim_options(*command, &flags.dims);
  add_format_option(*command, &flags.format);
  command->footer(
      "The model is planned and not run: weights are packed for the best kernels that the device and this machine have, and the arena is\n"
      "laid out. What the plan itself takes comes on top: less than 2 KB a step. `moru model check` says which ops the device has.\n"
      "Exit code 3: it does not fit.\n"
      "Example:\n  moru model fit model.tflite --target mine.yaml\n  moru model fit model.onnx --batch 8 --threads 4 --format json");
  command->callback([run] { *run = [] { return fit_model(flags); }; });
}

}  // namespace moru::cli
