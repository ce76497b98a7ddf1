// SPDX-License-Identifier: Apache-2.0
// What a worker can be asked. Each request is an object whose "do" is its name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "model/inspect/summary.h"
#include "runtime/backends/backend.h"
#include "runtime/conformance/run_case.h"

namespace moru::runtime {

/// {"do": "info", "backend"}: BackendInfo.
Json to_json(const BackendInfo& info);
Result<BackendInfo> read_info(const Json& answer);

/// {"do": "load", ...}, or "try", which only says whether it can be loaded: a model on a backend, with seeded inputs that stay the same
/// from run to run.
struct LoadRequest {
  std::string backend;  ///< "openvino", "onnxruntime:cuda"
  int threads = 1;
  std::map<std::string, std::string> settings = {};
  Path model;              ///< an ONNX or TFLite file
  model::DimBinding dims;  ///< numbers for what its inputs leave open; `others` is the batch
  std::uint64_t seed = 1;  ///< of the inputs that are measured
};
Json to_json(std::string_view name, const LoadRequest& request);
Result<LoadRequest> read_load(const Json& request);

struct Loaded {
  double load_ms = 0.0;             ///< of the model; the library was there already
  std::string device;               ///< what it runs on
  std::vector<std::string> inputs;  ///< "image: float32 [N, 1, 28, 28]"
  std::vector<std::string> outputs;
};
Json to_json(const Loaded& loaded);
Result<Loaded> read_loaded(const Json& answer);

/// {"do": "warm", "max_ns", "runs"}: runs that nobody measures: first calls allocate and fill caches.
/// {"do": "run", "max_ns", "max_runs"}: {"samples": [ns, ...]}, at least one.
struct RunRequest {
  TimeNs max_time = 50 * kMillisecond;
  std::int64_t max_runs = 10;
};
Json to_json(std::string_view name, const RunRequest& request);
Result<RunRequest> read_run(const Json& request);

/// {"do": "answer", "seed", "folder"}: {"outputs": N}; the outputs to other inputs lie in the folder as 0.npy to N-1.npy.

/// {"do": "case", ...}: a test case on a backend; {"result", "reason"}.
struct CaseRequest {
  Path folder;
  CaseOptions options;
};
Json to_json(std::string_view backend, const CaseRequest& request);
Result<CaseRequest> read_case(const Json& request);
Json to_json(const CaseResult& result);
Result<CaseResult> read_case_result(const Json& answer);

/// {"do": "memory"}
struct WorkerMemory {
  std::uint64_t idle_bytes = 0;  ///< resident before the backend's library was loaded
  std::uint64_t peak_bytes = 0;  ///< highest since then, over idle_bytes
};
Json to_json(const WorkerMemory& memory);
Result<WorkerMemory> read_worker_memory(const Json& answer);

}  // namespace moru::runtime
