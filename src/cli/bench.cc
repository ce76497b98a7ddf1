// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "cli/noun.h"
#include "cli/support/models.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/backends/backend.h"
#include "runtime/measure/compare.h"
#include "runtime/measure/latency.h"
#include "runtime/measure/machine.h"

namespace moru::cli {
namespace {

constexpr std::string_view kOracle = "reference";

struct Flags {
  std::vector<std::string> models;
  std::string backends = "all";
  int threads = 1;
  std::int64_t batch = 1;
  double seconds = 1.0;
  std::uint64_t seed = 1;
  Format format = Format::kText;
};

/// One model on one backend.
struct Row {
  std::string model;
  std::string backend;
  std::optional<Error> error;  ///< why there are no figures
  std::uint64_t size_bytes = 0;
  double load_ms = 0.0;
  runtime::Latency latency;
  runtime::Difference difference;  ///< from the reference backend
  bool compared = false;
  std::string not_compared = {};  ///< why not
};

Result<std::vector<std::string>> chosen_backends(const std::string& list) {
  std::vector<std::string> known;
  for (const runtime::BackendSpec* backend : runtime::all_backends()) known.emplace_back(backend->name);
  if (list == "all") return known;
  std::vector<std::string> chosen;
  for (const auto part : split(list, ',')) {
    const std::string name(trim(part));
    if (runtime::find_backend(name) == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--backend: found '{}'{}, expected all, or some of {} with commas between", name,
                                                           did_you_mean(name, known), fmt::join(known, ", ")));
    }
    chosen.push_back(name);
  }
  return chosen;
}

runtime::LatencyOptions measuring(double seconds) {
  const auto time = static_cast<TimeNs>(seconds * static_cast<double>(kSecond));
  return {.warmup_runs = 10, .min_runs = 30, .min_time = time, .max_runs = 200'000, .max_time = std::max(time, 10 * time)};
}

struct Oracle {
  std::vector<model::Tensor> inputs;
  std::vector<model::Tensor> outputs;
};

/// What the reference backend answers to seeded inputs; every other answer is compared with it.
Result<Oracle> ask_oracle(std::string_view onnx, const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto session, runtime::load_session(kOracle, onnx));
  Rng rng(flags.seed);
  Oracle oracle;
  MORU_ASSIGN_OR_RETURN(oracle.inputs, runtime::random_inputs(session->inputs(), flags.batch, rng));
  MORU_ASSIGN_OR_RETURN(oracle.outputs, session->run_once(oracle.inputs));
  return oracle;
}

Status bench_one(std::string_view onnx, const Flags& flags, const Result<Oracle>& oracle, Row* row) {
  // The library is loaded once a process; its time is not the model's.
  runtime::find_backend(row->backend)->info();
  Clock& clock = system_clock();
  const TimeNs before = clock.steady_now();
  MORU_ASSIGN_OR_RETURN(const auto session, runtime::load_session(row->backend, onnx, {.threads = flags.threads}));
  row->load_ms = static_cast<double>(clock.steady_now() - before) / 1e6;
  Rng rng(flags.seed);
  MORU_ASSIGN_OR_RETURN(const auto inputs, runtime::random_inputs(session->inputs(), flags.batch, rng));
  std::vector<model::Tensor> outputs;
  MORU_ASSIGN_OR_RETURN(row->latency, runtime::measure_session(*session, inputs, measuring(flags.seconds), &outputs));
  if (!oracle) {
    row->not_compared = oracle.error().message;
    return {};
  }
  MORU_ASSIGN_OR_RETURN_IN("compare with reference", row->difference, runtime::compare_all(oracle->outputs, outputs));
  row->compared = true;
  return {};
}

Json to_json(const Row& row) {
  Json json = {{"model", row.model}, {"backend", row.backend}};
  if (row.error) {
    json["error"] = row.error->message;
    return json;
  }
  json["size_bytes"] = row.size_bytes;
  json["load_ms"] = row.load_ms;
  json["latency"] = runtime::to_json(row.latency);
  json["nmse"] = row.compared ? Json(row.difference.nmse) : Json(nullptr);
  if (!row.compared) json["not_compared"] = row.not_compared;
  json["max_error"] = row.compared ? Json(row.difference.max_error) : Json(nullptr);
  return json;
}

std::string to_text(const Row& row, std::size_t width) {
  if (row.error) return fmt::format("{:{}} {:14} {}\n", row.model, width, row.backend, row.error->message);
  return fmt::format("{:{}} {:14} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9.1f} {:>9}\n", row.model, width, row.backend,
                     human_duration_ns(row.latency.min), human_duration_ns(row.latency.p50), human_duration_ns(row.latency.p90),
                     human_duration_ns(row.latency.p99), row.latency.runs, row.load_ms,
                     row.compared ? fmt::format("{:.1e}", row.difference.nmse) : "-");
}

Status bench_model(const std::string& path, const std::vector<std::string>& backends, const Flags& flags, Progress* progress,
                   std::vector<Row>* rows) {
  MORU_ASSIGN_OR_RETURN(const auto onnx, backend_bytes(path));
  const auto oracle = ask_oracle(onnx, flags);
  for (const auto& backend : backends) {
    Row row{.model = path, .backend = backend, .error = {}, .size_bytes = onnx.size(), .latency = {}, .difference = {}, .not_compared = {}};
    progress->update(rows->size(), fmt::format("{} on {}", row.model, backend));
    if (const auto status = bench_one(onnx, flags, oracle, &row); !status) row.error = status.error();
    rows->push_back(std::move(row));
  }
  return {};
}

void print(const std::vector<Row>& rows, const Flags& flags) {
  const auto machine = runtime::describe_machine();
  if (flags.format == Format::kJson) {
    Json results = Json::array();
    for (const auto& row : rows) results.push_back(to_json(row));
    print_json(
        {{"machine", runtime::to_json(machine)}, {"threads", flags.threads}, {"batch", flags.batch}, {"results", std::move(results)}});
    return;
  }
  std::string text =
      fmt::format("{}; {} thread{}, batch {}\n", runtime::to_string(machine), flags.threads, flags.threads == 1 ? "" : "s", flags.batch);
  std::size_t width = 5;
  for (const auto& row : rows) width = std::max(width, row.model.size());
  text += fmt::format("{:{}} {:14} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9}\n", "model", width, "backend", "min", "p50", "p90", "p99",
                      "runs", "load ms", "nmse");
  for (const auto& row : rows) text += to_text(row, width);
  for (const auto& row : rows) {
    if (!row.not_compared.empty()) text += fmt::format("{} on {} was not compared: {}\n", row.model, row.backend, row.not_compared);
  }
  print_text(text);
}

Outcome run_bench(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto backends, chosen_backends(flags.backends));
  std::vector<Row> rows;
  {
    Progress progress("bench", flags.models.size() * backends.size());
    for (const auto& path : flags.models) MORU_RETURN_IF_ERROR_IN("bench", bench_model(path, backends, flags, &progress, &rows));
  }
  print(rows, flags);
  const bool any = std::any_of(rows.begin(), rows.end(), [](const Row& row) { return !row.error; });
  if (any) return kDone;
  return fail(rows.front().error->in(rows.front().model));
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("models", flags.models, "Models (.onnx, .tflite, .graph)")->required();
  app.add_option("--backend", flags.backends, "all, or names with commas between")->capture_default_str();
  app.add_option("--threads", flags.threads, "Threads of each backend")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--batch", flags.batch, "Extent of symbolic dimensions")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seconds", flags.seconds, "Time for each measurement, at least")->check(CLI::Range(0.01, 3600.0))->capture_default_str();
  app.add_option("--seed", flags.seed, "Of the random inputs")->capture_default_str();
  add_format_option(app, &flags.format);
  app.footer(
      "Wall time of one inference on random inputs; nmse is the normalised squared distance from the reference backend's answer.\n"
      "Example:\n  moru bench model.onnx --backend onnxruntime --threads 1 --format json");
  app.callback([run] { *run = [] { return run_bench(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_bench;
const NounSpec kNoun_bench{
    .name = "bench", .doc = "Latency, load time and agreement of models on the backends of this machine", .add = add};

}  // namespace moru::cli
