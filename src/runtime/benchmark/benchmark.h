// SPDX-License-Identifier: Apache-2.0
// How fast a model is on each of several backends, in one run on one machine, and whether it is still right.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "runtime/measure/latency.h"
#include "runtime/worker/worker.h"

namespace moru::runtime {

struct BenchmarkOptions {
  WorkerProgram program;                          ///< each backend runs in one of its own
  std::vector<std::string> backends = {};         ///< "openvino", "onnxruntime:cuda"
  std::vector<int> threads = {1};                 ///< every one with
  std::vector<std::int64_t> batches = {1};        ///< every one of these
  std::map<std::string, std::int64_t> dims = {};  ///< extents that are open and no batch
  std::int64_t min_runs = 30;                     ///< at least so many, and
  TimeNs min_time = kSecond;                      ///< for at least so long, each backend
  TimeNs limit = 60 * kSecond;  ///< for loading, for one run, for all runs of a slow backend, and for the reference's answers
  std::uint64_t seed = 1;       ///< of inputs and turns
  std::int64_t samples = 8;     ///< inputs whose answers are checked
  /// Called often: so many slices (slices_of()) more are done.
  std::function<void(std::int64_t slices, std::string_view note)> progress = {};
};

/// One model on one backend with one number of threads and one batch.
struct BenchmarkRow {
  std::string model;
  std::string backend;
  std::string device = {};
  std::string isa = {};  ///< what this machine's CPU has: "avx2 avx512f avx512_vnni"
  int threads = 1;
  std::int64_t batch = 1;
  std::optional<Latency> latency = {};  ///< none when it could not be measured
  std::optional<double> load_ms = {};
  std::optional<std::uint64_t> peak_rss_bytes = {};  ///< of loading and first runs, over the process before the library came
  std::optional<double> nmse = {};                   ///< none when it could not be checked
  bool ok = false;                                   ///< it ran, and nothing speaks against its answers
  std::string reason = {};                           ///< why not; or what else to know
  std::optional<ErrorCode> code = {};                ///< of what kept it from running
  bool absent = false;                               ///< the backend is not on this machine, and `reason` says how to get it
};

struct BenchmarkModel {
  std::string name;   ///< as people gave it
  std::string bytes;  ///< an ONNX or TFLite file
};

/// Slices that one row takes as far as one can know.
std::int64_t slices_of(const BenchmarkOptions& options);

/// Rows in the order of threads, batches, backends. All backends of a combination are loaded, then take turns of some 50 ms in an order
/// that the seed shuffles, never two at once, so that the machine's drift hits all alike. A backend that fails, crashes or hangs has a
/// row that says so. Errors: kCancelled; kIo.
Result<std::vector<BenchmarkRow>> benchmark(const BenchmarkModel& model, const BenchmarkOptions& options);

/// {"model", "backend", "device", "isa", "threads", "batch", "p50_us", "p90_us", "p99_us", "min_us", "runs", "load_ms",
/// "peak_rss_bytes", "nmse", "ok", "reason"}; null is what is not known, and a distance without limit is the string "inf".
Json to_json(const BenchmarkRow& row);
/// Errors: kInvalidArgument.
Result<BenchmarkRow> read_row(const Json& json);

/// The reasons of what is absent, each once.
std::vector<std::string> absences(const std::vector<BenchmarkRow>& rows);
/// A table for people, a line a row that is not absent, with the reasons below; the absences stand at the end.
std::string to_table(const std::vector<BenchmarkRow>& rows);

}  // namespace moru::runtime
