// SPDX-License-Identifier: Apache-2.0
// A rollout and the rules by which it goes on. Data and pure functions: no clock, no network, no disk.
//
//   pending --all staged--> shadowing --gate passes--> committing --all waves committed--> succeeded
//      |                        |                          |
//      +------------------------+--------------------------+--> failed (refused, rolled back, gate, deadline) | aborted
//
// Nodes without a current release have nothing to compare with: they skip the gate.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "fleet/hub/rollout/gate.h"
#include "wire/messages.h"

namespace moru::fleet {

enum class RolloutState { kPending, kShadowing, kCommitting, kSucceeded, kFailed, kAborted };
std::string_view to_string(RolloutState state);
inline bool is_over(RolloutState state) { return state >= RolloutState::kSucceeded; }

/// How far a node is, as the hub sees it.
enum class NodeStep {
  kStaging,     ///< told to stage
  kReady,       ///< warm, in shadow where it has a current release
  kCommitting,  ///< told to commit
  kCommitted,
  kFailed,  ///< refused or rolled back
};

/// The phase of a node that has not committed when the rollout ends, until it reports again.
inline constexpr std::string_view kToldToAbort = "told to abort";

struct RolloutNode {
  std::string name;
  int wave = 0;                ///< index into waves
  bool first_install = false;  ///< it had no current release
  NodeStep step = NodeStep::kStaging;
  std::string phase = "pending";  ///< as the node last said; kToldToAbort from the rollout's end until it says how that went
  std::string reason;
  wire::ShadowStats shadow;
};

struct RolloutLimits {
  TimeNs stage = 60 * kSecond;  ///< until all nodes are staged
  TimeNs gate = 120 * kSecond;  ///< until the gate has decided
  TimeNs soak = 60 * kSecond;   ///< until a wave has committed
};

struct Rollout {
  std::string id;
  std::int64_t release = 0;
  std::string release_name;
  std::string sha256;
  std::uint64_t size = 0;
  TimeNs created = 0;         ///< wall clock
  std::vector<double> waves;  ///< growing shares of the nodes; the last is 1
  std::int64_t soak_items = 200;
  GateOptions gate;
  RolloutLimits limits;

  std::vector<RolloutNode> nodes;
  RolloutState state = RolloutState::kPending;
  int wave = -1;  ///< the one that is committing
  std::string reason;
  std::string outcome;  ///< once over: "succeeded", "refused", "rolled back", "failed at the gate", "timed out", "aborted"
  GateFigures figures;
  TimeNs since = 0;  ///< steady clock: when the state, or its wave, began. Not kept: a restarted hub gives the time again.
};

/// What the hub knows of a node at this moment.
struct NodeView {
  bool online = false;
  std::optional<wire::NodeState> state;
};
using NodeViews = std::map<std::string, NodeView, std::less<>>;

/// An action of wire::Desired::Deployment for one node.
struct NodeOrder {
  std::string node;
  std::string action;  ///< "stage", "commit", "abort"
};

/// What a step led to.
struct Step {
  std::vector<NodeOrder> orders;
  bool entered = false;  ///< the state or the wave changed: worth an entry in the history
  bool changed = false;  ///< something that is kept or shown changed
  bool settled = false;  ///< a node said how it ended, after the rollout's end: worth keeping
};

/// Gives each node its wave: the first share of the nodes goes first.
void assign_waves(Rollout* rollout);
/// The first step of a new rollout: everybody stages.
Step begin_rollout(Rollout* rollout, TimeNs now);
/// Whether nothing can change any more: it is over, and every node has said how it ended.
bool is_settled(const Rollout& rollout);
/// Looks at the nodes and the time and goes on where that is due. Call it again and again until the rollout is settled.
Step advance_rollout(Rollout* rollout, const NodeViews& views, TimeNs now);
/// Somebody wants it to end. Nothing when it is over already.
Step abort_rollout(Rollout* rollout, const std::string& reason);

/// The wish for a node of this rollout.
wire::Desired::Deployment deployment_of(const Rollout& rollout, std::string_view action);

/// As GET /v1/rollouts/ID shows it and the store keeps it; reading gives the same rollout back.
Json write_rollout(const Rollout& rollout);
Result<Rollout> read_rollout(const Json& json);

}  // namespace moru::fleet
