// SPDX-License-Identifier: Apache-2.0
// The main job: real images in at one end; at the other two nodes that run a compressed, signed model on a live line,
// take an update without missing an item, and refuse or roll back a bad one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "solutions/factory/line.h"
#include "solutions/factory/report.h"

namespace moru::factory {

struct DemoOptions {
  Path home;                     ///< all state of the job; the trained models are cached in home/cache
  Path programs;                 ///< folder of moru and moru-agent
  Path dataset;                  ///< folder of the IDX files
  std::uint64_t items = 10'000;  ///< per node; more when the rollouts take longer
  double rate_hz = 200.0;        ///< items per second and node
  double swap_fraction = 0.02;
  std::uint64_t seed = 1;
  int threads = 2;     ///< of the training
  int port = 0;        ///< of the hub's page; 0: a free one
  bool fresh = false;  ///< trains anew instead of taking the cached models
};

/// What the job tells while it runs. Every function is called on the caller's thread; all must be set.
struct DemoEvents {
  std::function<void(std::string_view title)> step;
  std::function<void(const StepTime&)> step_done;
  std::function<void(std::string_view line)> say;
  std::function<void(std::uint64_t done, std::uint64_t total, std::string_view note)> progress;
};

struct DemoRun {
  Report report;
  std::unique_ptr<Line> line;  ///< still serving; null when the budget was not met and nothing was released
};

/// Runs the whole job. A budget or promise that is not met is in report.broken_promises(), not an error.
/// Errors: kUnavailable (something must be installed: the message says what), kCancelled, and whatever a step hit.
Result<DemoRun> run_demo(const DemoOptions& options, const DemoEvents& events);

}  // namespace moru::factory
