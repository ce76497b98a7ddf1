// SPDX-License-Identifier: Apache-2.0
// The first half of the main job, at the centre: dataset, training, compression, check, releases.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "solutions/factory/demo.h"
#include "solutions/factory/report.h"

namespace moru::factory {

/// A release that the lines are to be offered, and how its rollout must end.
struct OfferedRelease {
  std::int64_t number = 0;
  std::string what;      ///< how it was made
  std::string expected;  ///< "succeeded", "failed" or "refused"
  std::string bundle;
};

struct Prepared {
  Path public_key;  ///< of the releases, PEM
  std::vector<OfferedRelease> releases;
};

/// Makes the releases and fills the report's figures of the models. No releases when the budget was not met.
Result<Prepared> prepare_releases(const DemoOptions& options, const DemoEvents& events, Report& report);

/// Runs one step of the job: tells its title, times it, tells what came of it (the note).
Status timed_step(const DemoEvents& events, Report& report, const std::string& title, const std::function<Result<std::string>()>& work);

}  // namespace moru::factory
