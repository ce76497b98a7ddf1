// SPDX-License-Identifier: Apache-2.0
// How near each step of a model on the native engine comes to what the machine can do (Williams, Waterman and Patterson, "Roofline: an
// insightful visual performance model for multicore architectures", 2009). The steps that lose the most time are where work pays.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "runtime/engine/context.h"
#include "runtime/measure/peaks.h"

namespace moru::runtime {

struct RooflineStep {
  std::string name;
  engine::StepWork work;
  double ns = 0.0;         ///< median of the runs, less what the clock takes
  double limit_ns = 0.0;   ///< no kernel of the ISA can be faster: the longer of its products and of its bytes
  std::string bound = {};  ///< what the limit comes from: "products", or the level that takes the most of its bytes' time

  double lost_ns() const { return ns - limit_ns; }
  double share() const { return ns > 0 ? limit_ns / ns : 0.0; }
  std::size_t bytes() const { return work.weight_bytes + work.traffic.read + work.traffic.written; }
};

struct Roofline {
  std::vector<RooflineStep> steps;  ///< the one that loses the most first
  RooflineStep total;               ///< sums over the steps; no bound
  double run_ns = 0.0;              ///< median of whole runs, with no clock between the steps
  double clock_hz = 0.0;            ///< while the steps ran; far from the peaks' clock, times and limits do not belong together
};

/// A limit is max(MACs / peak, weights / bandwidth + activations / bandwidth). Weights come from the level that holds all that a run
/// touches, as every run touches all; activations from the level that holds those and the weights of the step. Bytes count once, and
/// written ones as quick as read ones.
Roofline compare_with_limits(const engine::Plan& plan, std::span<const double> step_ns, const Peaks& peaks);

/// Runs the model for about `time`, half of it with a clock at each step. `inputs` and `outputs` as in Context::run.
Roofline measure_roofline(engine::Context& context, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
                          const Peaks& peaks, TimeNs time);

/// {"run_us", "clock_ghz", "total": {...}, "steps": [{"name", "ops", "on", "macs", "weight_bytes", "read_bytes", "written_bytes", "us",
/// "limit_us", "bound", "share", "lost_us"}]}; "on" is what the products are of, null without products.
Json to_json(const Roofline& roofline);
/// A table, a line a step.
std::string to_table(const Roofline& roofline);

}  // namespace moru::runtime
