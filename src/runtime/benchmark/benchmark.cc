// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/process.h"
#include "core/random.h"
#include "core/text.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/benchmark/check.h"
#include "runtime/measure/machine.h"
#include "runtime/worker/backend_worker.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kReference = "reference";
constexpr TimeNs kSlice = 50 * kMillisecond;
constexpr std::int64_t kSlicesAtLeast = 10;        // turns, so that drift is shared also in a short benchmark
constexpr std::int64_t kMostRunsOfSlice = 50'000;  // of a model that takes a microsecond
constexpr std::int64_t kMostRuns = 2'000'000;      // 16 MB of samples
constexpr RunRequest kWarmUp{.max_time = kSecond, .max_runs = 10};

TimeNs slice_time(const BenchmarkOptions& options) { return std::clamp<TimeNs>(options.min_time / kSlicesAtLeast, kMillisecond, kSlice); }

/// A backend in its process, and what was measured of it.
struct Contestant {
  BenchmarkRow row;
  std::optional<BackendWorker> worker = {};  ///< none: it is out
  std::vector<TimeNs> samples = {};
  TimeNs measured = 0;
  std::int64_t slices = 0;
};

/// One model, all combinations.
class Benchmark {
 public:
  Benchmark(const BenchmarkModel& model, const BenchmarkOptions& options)
      : model_(model), options_(options), isa_(fmt::format("{}", fmt::join(describe_machine().isa, " "))), turns_(options.seed) {}

  Result<std::vector<BenchmarkRow>> run() {
    MORU_ASSIGN_OR_RETURN(const TempFolder folder, TempFolder::create("moru-bench"));
    const ModelBytes bytes{format_of_bytes(model_.bytes), model_.bytes};
    file_ = folder.path() / fmt::format("model.{}", bytes.format);
    MORU_RETURN_IF_ERROR(write_file_atomic(file_, model_.bytes));
    quantised_ = is_quantised(bytes);
    std::vector<BenchmarkRow> rows;
    for (const std::int64_t batch : options_.batches) {
      MORU_ASSIGN_OR_RETURN(const Expected expected, ask_reference(batch));
      for (const int threads : options_.threads) MORU_RETURN_IF_ERROR(run_combination(threads, batch, expected, &rows));
    }
    return rows;
  }

 private:
  void tell(std::int64_t slices, std::string_view note) const {
    if (options_.progress) options_.progress(slices, fmt::format("{}: {}", model_.name, note));
  }

  LoadRequest load_request(std::string_view backend, int threads, std::int64_t batch) const {
    return {.backend = std::string(backend),
            .threads = threads,
            .model = file_,
            .dims = {.named = options_.dims, .others = batch},
            .seed = options_.seed};
  }

  /// As many answers as the limit allows; none, with the reason, is no error.
  Result<Expected> ask_reference(std::int64_t batch) const {
    Expected expected;
    const TimeNs deadline = system_clock().steady_now() + options_.limit;
    const auto ask = [&]() -> Status {
      MORU_ASSIGN_OR_RETURN(auto worker, BackendWorker::start(options_.program, std::string(kReference), options_.limit));
      MORU_RETURN_IF_ERROR(worker.load(load_request(kReference, 1, batch)));
      for (std::int64_t i = 0; i < options_.samples; ++i) {
        tell(0, fmt::format("answer {} of {} of the reference", i + 1, options_.samples));
        const std::uint64_t seed = options_.seed + static_cast<std::uint64_t>(i);
        MORU_ASSIGN_OR_RETURN(auto outputs, worker.answer(seed, deadline - system_clock().steady_now()));
        expected.seeds.push_back(seed);
        expected.outputs.push_back(std::move(outputs));
      }
      return {};
    };
    const auto status = ask();
    if (status || !expected.seeds.empty()) return expected;
    if (status.error().code == ErrorCode::kCancelled) return fail(status.error());
    expected.reason = fmt::format("not checked: {}", status.error().message);
    return expected;
  }

  Status run_combination(int threads, std::int64_t batch, const Expected& expected, std::vector<BenchmarkRow>* rows) {
    std::vector<Contestant> contestants;
    for (const std::string& backend : options_.backends) {
      contestants.push_back({.row = {.model = model_.name, .backend = backend, .isa = isa_, .threads = threads, .batch = batch}});
    }
    for (Contestant& one : contestants) MORU_RETURN_IF_ERROR(take(prepare(one), &one));
    MORU_RETURN_IF_ERROR(take_turns(contestants));
    for (Contestant& one : contestants) {
      if (one.worker) MORU_RETURN_IF_ERROR(conclude(one, expected));
      rows->push_back(std::move(one.row));
    }
    return {};
  }

  /// A backend's failure is its row's; that somebody asked to stop is everybody's.
  Status take(Status status, Contestant* one) const {
    if (status) return {};
    if (status.error().code == ErrorCode::kCancelled) return status;
    one->row.code = status.error().code;
    one->row.reason = status.error().message;
    one->worker.reset();
    tell(slices_of(options_) - one->slices, one->row.backend);
    return {};
  }

  Status prepare(Contestant& one) const {
    tell(0, fmt::format("loading on {}", one.row.backend));
    MORU_ASSIGN_OR_RETURN(one.worker, BackendWorker::start(options_.program, one.row.backend, options_.limit));
    MORU_ASSIGN_OR_RETURN(const BackendInfo info, one.worker->info());
    one.row.absent = !info.available;
    if (one.row.absent) return fail(ErrorCode::kUnavailable, info.reason);
    MORU_ASSIGN_OR_RETURN(const Loaded loaded, one.worker->load(load_request(one.row.backend, one.row.threads, one.row.batch)));
    MORU_RETURN_IF_ERROR(one.worker->warm(kWarmUp));
    MORU_ASSIGN_OR_RETURN(const WorkerMemory memory, one.worker->memory());
    one.row.device = loaded.device;
    one.row.load_ms = loaded.load_ms;
    one.row.peak_rss_bytes = memory.peak_bytes;
    one.worker->pause();
    return {};
  }

  bool is_done(const Contestant& one) const {
    const std::int64_t runs = std::ssize(one.samples);
    return (runs >= options_.min_runs && one.measured >= options_.min_time) || runs >= kMostRuns ||
           one.measured >= std::max(options_.limit, options_.min_time);
  }

  Status take_turns(std::vector<Contestant>& contestants) {
    while (true) {
      std::vector<Contestant*> round;
      for (Contestant& one : contestants) {
        if (one.worker && !is_done(one)) round.push_back(&one);
      }
      if (round.empty()) return {};
      turns_.shuffle(std::span(round));
      for (Contestant* one : round) MORU_RETURN_IF_ERROR(take(run_slice(*one), one));
    }
  }

  Status run_slice(Contestant& one) const {
    if (stop_requested()) return fail(ErrorCode::kCancelled, "interrupted");
    MORU_ASSIGN_OR_RETURN(const auto samples, one.worker->run({.max_time = slice_time(options_), .max_runs = kMostRunsOfSlice}));
    one.worker->pause();
    one.samples.insert(one.samples.end(), samples.begin(), samples.end());
    one.measured = std::accumulate(samples.begin(), samples.end(), one.measured);
    // What it takes to fill min_time is known before; a slow model's further slices are not.
    const std::int64_t left = slices_of(options_) - one.slices;
    const std::int64_t done = is_done(one) ? left : std::min<std::int64_t>(1, left);
    one.slices += done;
    tell(done, fmt::format("{}, {} threads, batch {}", one.row.backend, one.row.threads, one.row.batch));
    return {};
  }

  Status conclude(Contestant& one, const Expected& expected) const {
    one.row.latency = summarise(one.samples);
    Judgement verdict{.nmse = {}, .ok = true, .reason = expected.reason};
    if (!expected.seeds.empty()) {
      const auto parities = answers(one, expected);
      if (!parities && parities.error().code == ErrorCode::kCancelled) return fail(parities.error());
      verdict = parities ? judge(*parities, quantised_) : Judgement{.nmse = {}, .ok = false, .reason = parities.error().message};
    }
    one.row.nmse = verdict.nmse;
    one.row.ok = verdict.ok;
    one.row.reason = verdict.reason;
    if (one.row.latency->runs < options_.min_runs) {
      one.row.reason += fmt::format("{}{} runs took {}, no time for {}", one.row.reason.empty() ? "" : "; ", one.row.latency->runs,
                                    human_duration_ns(one.measured), options_.min_runs);
    }
    one.worker.reset();
    return {};
  }

  Result<std::vector<Parity>> answers(Contestant& one, const Expected& expected) const {
    std::vector<Parity> parities;
    for (std::size_t i = 0; i < expected.seeds.size(); ++i) {
      MORU_ASSIGN_OR_RETURN(const auto found, one.worker->answer(expected.seeds[i], options_.limit));
      MORU_RETURN_IF_ERROR_IN("compare with the reference", add_answer(expected.outputs[i], found, &parities));
    }
    return parities;
  }

  const BenchmarkModel& model_;
  const BenchmarkOptions& options_;
  std::string isa_;
  Rng turns_;
  Path file_;
  bool quantised_ = false;
};

}  // namespace

std::int64_t slices_of(const BenchmarkOptions& options) { return std::max<std::int64_t>(1, options.min_time / slice_time(options)); }

Result<std::vector<BenchmarkRow>> benchmark(const BenchmarkModel& model, const BenchmarkOptions& options) {
  return Benchmark(model, options).run();
}

}  // namespace moru::runtime
