// SPDX-License-Identifier: Apache-2.0
// How long one call takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

struct LatencyOptions {
  std::int64_t warmup_runs = 10;    ///< not measured: first calls allocate and fill caches
  std::int64_t min_runs = 100;      ///< at least so many, and
  TimeNs min_time = kSecond;        ///< for at least so long,
  std::int64_t max_runs = 200'000;  ///< but no more than this
  TimeNs max_time = 60 * kSecond;   ///< and no longer than this: a slow model gets fewer runs than min_runs
};

/// Wall time of one run in nanoseconds. Quantiles are exact: the value that a share q of the runs did not exceed.
struct Latency {
  std::int64_t runs = 0;
  TimeNs min = 0;
  TimeNs p50 = 0;
  TimeNs p90 = 0;
  TimeNs p99 = 0;
  TimeNs max = 0;
  double mean = 0.0;
};

/// Calls `run` again and again. Errors: the first that `run` gives; kInvalidArgument for options that cannot be met.
/// Cost: 8 bytes a run.
Result<Latency> measure_latency(const std::function<Status()>& run, const LatencyOptions& options = {}, Clock& clock = system_clock());

/// Of a session, with buffers that stay the same from run to run. The outputs of the last run are left in `outputs` if it is set.
Result<Latency> measure_session(Session& session, std::span<const model::Tensor> inputs, const LatencyOptions& options = {},
                                std::vector<model::Tensor>* outputs = nullptr);

/// The same numbers from samples that were taken elsewhere (sorted by the call). Zeros for no samples.
Latency summarise(std::vector<TimeNs> samples);

/// {"runs", "min_us", "p50_us", "p90_us", "p99_us", "max_us", "mean_us"}
Json to_json(const Latency& latency);

}  // namespace moru::runtime
