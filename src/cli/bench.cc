// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "cli/bench/verbs.h"
#include "cli/noun.h"
#include "cli/support/models.h"
#include "cli/support/workers.h"
#include "core/files.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "runtime/backends/backend.h"
#include "runtime/benchmark/benchmark.h"
#include "runtime/benchmark/choices.h"
#include "runtime/benchmark/page.h"
#include "runtime/measure/machine.h"

namespace moru::cli {
namespace {

constexpr std::string_view kAuto = "auto";

struct Flags {
  std::vector<std::string> models;
  std::string backends = "all";
  std::string threads = "1";
  std::string batches = "1";
  std::vector<std::string> dims;
  double seconds = 1.0;
  double limit = 60.0;
  std::int64_t samples = 8;
  std::uint64_t seed = 1;
  bool fresh = false;
  std::string html;
  LoadFlags load;
  Format format = Format::kText;
};

/// "1,2,4"; each once.
template <class T>
Result<std::vector<T>> numbers(std::string_view list, std::string_view option, T most) {
  std::vector<T> all;
  for (const auto part : split(list, ',')) {
    const auto word = trim(part);
    T value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < 1 || value > most) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found {}, expected numbers from 1 to {} with commas between", option, in_quotes(list), most));
    }
    if (std::ranges::find(all, value) == all.end()) all.push_back(value);
  }
  return all;
}

Result<std::vector<std::string>> chosen_backends(const std::string& list) {
  std::vector<std::string> chosen;
  if (list == "all" || list == kAuto) {
    for (const runtime::BackendSpec* backend : runtime::all_backends()) chosen.emplace_back(backend->name);
    return chosen;
  }
  for (const auto part : split(list, ',')) {
    MORU_ASSIGN_OR_RETURN(const auto choice, runtime::choose_backend(trim(part)));
    if (std::ranges::find(chosen, trim(part)) == chosen.end()) chosen.emplace_back(trim(part));
  }
  return chosen;
}

Result<runtime::BenchmarkOptions> options_of(const Flags& flags) {
  constexpr int kMostThreads = 1024;
  constexpr std::int64_t kMostBatch = 1'000'000;
  runtime::BenchmarkOptions options;
  options.program = own_worker();
  MORU_ASSIGN_OR_RETURN(options.backends, chosen_backends(flags.backends));
  MORU_ASSIGN_OR_RETURN(options.threads, numbers<int>(flags.threads, "--threads", kMostThreads));
  MORU_ASSIGN_OR_RETURN(options.batches, numbers<std::int64_t>(flags.batches, "--batch", kMostBatch));
  MORU_ASSIGN_OR_RETURN(auto binding, dim_binding({.batch = 1, .dims = flags.dims}));
  options.dims = std::move(binding.named);
  options.min_time = static_cast<TimeNs>(flags.seconds * static_cast<double>(kSecond));
  options.limit = static_cast<TimeNs>(flags.limit * static_cast<double>(kSecond));
  options.samples = flags.samples;
  options.seed = flags.seed;
  return options;
}

/// All of them first, so that a wrong name is told before anything is measured.
Result<std::vector<runtime::BenchmarkModel>> read_models(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  std::vector<runtime::BenchmarkModel> models;
  for (const auto& path : flags.models) {
    MORU_ASSIGN_OR_RETURN_IN("bench", auto bytes, backend_bytes(path, options));
    models.push_back({path, std::move(bytes)});
  }
  return models;
}

struct Findings {
  std::vector<runtime::BenchmarkRow> rows;
  std::vector<std::string> notes;
};

Status measure(const runtime::BenchmarkModel& model, const Flags& flags, const runtime::BenchmarkOptions& options, Findings* findings) {
  if (flags.backends != kAuto) {
    MORU_ASSIGN_OR_RETURN_IN("bench", auto rows, runtime::benchmark(model, options));
    std::ranges::move(rows, std::back_inserter(findings->rows));
    return {};
  }
  runtime::AutoOptions how;
  how.fresh = flags.fresh;
  MORU_ASSIGN_OR_RETURN_IN("bench", auto choices, runtime::choose_fastest(model, options, how));
  for (auto& choice : choices) {
    findings->notes.push_back(fmt::format("{}, {} thread{}, batch {}: {}{}", model.name, choice.row.threads,
                                          choice.row.threads == 1 ? "" : "s", choice.row.batch, choice.note,
                                          choice.remembered ? "; --fresh measures anew" : ""));
    findings->rows.push_back(std::move(choice.row));
  }
  return {};
}

Result<Findings> measure_all(const Flags& flags, const std::vector<runtime::BenchmarkModel>& models, runtime::BenchmarkOptions options) {
  const auto combinations = models.size() * options.backends.size() * options.threads.size() * options.batches.size();
  Progress progress("bench", combinations * static_cast<std::size_t>(runtime::slices_of(options)));
  std::uint64_t done = 0;
  options.progress = [&](std::int64_t slices, std::string_view note) {
    done += static_cast<std::uint64_t>(slices);
    progress.update(done, note);
  };
  Findings findings;
  for (const auto& model : models) MORU_RETURN_IF_ERROR(measure(model, flags, options, &findings));
  return findings;
}

std::string how(const Flags& flags) {
  return fmt::format("warmed up, then at least 30 runs and {:g} s each in turns of {}", flags.seconds, fmt::format("seed {}", flags.seed));
}

Status print(const Findings& findings, const Flags& flags) {
  const auto machine = runtime::describe_machine();
  if (!flags.html.empty()) {
    const runtime::PageFacts facts{
        .machine = machine, .version = MORU_VERSION, .when = format_utc(system_clock().wall_now()), .how = how(flags)};
    MORU_RETURN_IF_ERROR_IN("bench", write_file_atomic(flags.html, runtime::to_page(findings.rows, facts)));
  }
  if (flags.format == Format::kJson) {
    Json rows = Json::array();
    for (const auto& row : findings.rows) rows.push_back(runtime::to_json(row));
    print_json(rows);
    for (const auto& note : findings.notes) say("moru: bench: " + note);
    return {};
  }
  std::string text = fmt::format("{}; {}\n{}", runtime::to_string(machine), how(flags), runtime::to_table(findings.rows));
  for (const auto& note : findings.notes) text += note + "\n";
  if (!flags.html.empty()) text += fmt::format("written to {}\n", flags.html);
  print_text(text);
  return {};
}

Outcome run_bench(const Flags& flags) {
  if (flags.models.empty()) return fail(ErrorCode::kInvalidArgument, "bench: found no model, expected one or more; see moru bench --help");
  MORU_ASSIGN_OR_RETURN(const auto options, options_of(flags));
  MORU_ASSIGN_OR_RETURN(const auto models, read_models(flags));
  MORU_ASSIGN_OR_RETURN(const auto findings, measure_all(flags, models, options));
  MORU_RETURN_IF_ERROR(print(findings, flags));
  const auto& rows = findings.rows;
  if (std::ranges::any_of(rows, [](const auto& row) { return row.ok; })) return kDone;
  return fail(rows[0].code.value_or(ErrorCode::kInternal),
              fmt::format("bench: {} on {}: {}", rows[0].model, rows[0].backend, rows[0].reason));
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("models", flags.models, "Models (.onnx, .tflite, .graph); a file of a verb's name as ./NAME");
  app.add_option("--backend", flags.backends,
                 "all; auto: the fastest that is right, remembered; or names (NAME or NAME:DEVICE) with commas")
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "Threads of each backend; several with commas")->capture_default_str();
  app.add_option("--batch", flags.batches, "Extent of every dimension that a model leaves open; several with commas")
      ->capture_default_str();
  app.add_option("--dim", flags.dims, "NAME=N: extent of the dimension of that name; may come again");
  app.add_option("--seconds", flags.seconds, "Time for each measurement, at least")->check(CLI::Range(0.01, 3600.0))->capture_default_str();
  app.add_option("--limit", flags.limit,
                 "Seconds for loading, for one run, for all runs of a slow backend, and for the reference's answers")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  app.add_option("--samples", flags.samples, "Random inputs whose answers are compared with the reference's")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "Of the random inputs and of the order of turns")->capture_default_str();
  app.add_flag("--fresh", flags.fresh, "With --backend auto: measure again what is remembered");
  app.add_option("--html", flags.html, "Write a page with plots to this file");
  add_load_options(app, &flags.load);
  add_format_option(app, &flags.format);
  app.footer(
      "Each backend runs in a process of its own; they take turns, never two at once. Figures are the wall time of one inference on "
      "random\n"
      "inputs; memory is the peak over the process before the backend's library came; nmse is the distance from the reference's answers.\n"
      "Examples:\n  moru bench model.onnx --backend all --threads 1,2 --html bench.html\n  moru bench model.onnx --backend auto --format "
      "json");
  add_bench_roofline(app, run);
  app.callback([&app, run] {
    if (!app.get_subcommands().empty()) return;  // it has set what to run
    *run = [] { return run_bench(flags); };
  });
}

}  // namespace

extern const NounSpec kNoun_bench;
const NounSpec kNoun_bench{
    .name = "bench", .doc = "How fast models are on the backends of this machine, what they take, and whether they are right", .add = add};

}  // namespace moru::cli
