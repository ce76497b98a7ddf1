// SPDX-License-Identifier: Apache-2.0
// Runs the rollouts: takes orders and node states in, keeps every step in the store before it tells a node.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "fleet/hub/rollout/rollout.h"
#include "fleet/hub/store/store.h"

namespace moru::fleet {

/// What an operator asks for.
struct RolloutRequest {
  std::int64_t release = 0;
  std::vector<std::string> nodes;  ///< empty: all that have joined
  std::vector<double> waves = {0.5, 1.0};
  std::int64_t soak_items = 200;
  GateOptions gate;
  RolloutLimits limits;
};
/// Reads the body of POST /v1/rollouts; errors name the field.
Result<RolloutRequest> read_rollout_request(const Json& json);

struct ControllerHooks {
  /// Sends a node its whole wish. May fail silently: resend() repeats all of them.
  std::function<void(const std::string& node, const wire::Desired& desired)> send;
  /// A rollout changed; `json` as GET /v1/rollouts/ID shows it.
  std::function<void(const Json& json)> changed;
};

/// Threads: all functions from any thread; hooks are called with a lock held and must not call back.
class RolloutController {
 public:
  /// Goes on with the rollouts that the store has as active.
  static Result<std::unique_ptr<RolloutController>> create(Store& store, const Clock& clock, ControllerHooks hooks);

  /// Errors: kNotFound (release or node), kInvalidArgument; kResourceExhausted: a node has an active rollout already.
  Result<std::string> start(const RolloutRequest& request, const NodeViews& views);
  /// kNotFound; kInvalidArgument when it is over.
  Status abort_rollout(const std::string& id, const std::string& reason);
  /// The node's source ends after `at` items. kNotFound.
  Status drain(const std::string& node, std::uint64_t at);
  /// Looks at the nodes and the clock; call it a few times a second.
  void tick(const NodeViews& views);
  /// Sends every wish again, after the broker was away.
  void resend();

  /// All rollouts, oldest first, as JSON.
  Json list() const;
  /// With its history.
  Result<Json> show(const std::string& id) const;

 private:
  RolloutController(Store& store, const Clock& clock, ControllerHooks hooks);
  Status load();
  Status keep(const Rollout& rollout, const Step& step);
  Result<std::vector<RolloutNode>> choose_nodes(const RolloutRequest& request, const NodeViews& views) const;

  Store& store_;
  const Clock& clock_;
  ControllerHooks hooks_;
  mutable std::mutex mutex_;
  std::vector<Rollout> rollouts_;  // oldest first
  std::map<std::string, wire::Desired> desired_;
};

}  // namespace moru::fleet
