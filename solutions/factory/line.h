// SPDX-License-Identifier: Apache-2.0
// A hub and its nodes as separate processes on this machine, each node with the factory's stream: what the main job and
// the end-to-end tests drive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/json.h"
#include "core/process.h"
#include "core/result.h"
#include "wire/hub_client.h"
#include "wire/messages.h"

namespace moru::factory {

struct LineOptions {
  Path home;         ///< state of hub and nodes: home/hub, home/node-1, ...; must be empty or absent
  Path programs;     ///< folder of moru and moru-agent
  Path dataset;      ///< folder of the IDX files whose test part is replayed
  Path release_key;  ///< public key (PEM) that releases must be signed with
  int nodes = 2;
  double rate_hz = 200.0;
  double swap_fraction = 0.02;
  std::uint64_t seed = 1;
  int port = 0;  ///< of the hub; 0: a free one
};

/// How a rollout ended.
struct RolloutResult {
  std::string id;
  std::string state;  ///< "succeeded", "failed", "aborted"
  std::string reason;
  bool refused = false;  ///< a node refused the bundle: it failed its checks before anything was unpacked
  Json gate;             ///< figures of the gate, {} when it was not reached
  double seconds = 0.0;
};

/// Threads: one owner. The processes are stopped, in order, when the object dies.
class Line {
 public:
  /// Starts the hub, joins and starts the nodes, and waits until they are online. Errors name the log to look at.
  static Result<std::unique_ptr<Line>> start(const LineOptions& options);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  /// Gives a bundle to the hub.
  Status push_release(const std::string& bundle) const;
  /// Rolls a release out to all nodes and waits for its end. `spec` adds to or replaces fields of the request.
  Result<RolloutResult> roll_out(std::int64_t release, const Json& spec, TimeNs timeout = 180 * kSecond) const;
  /// The nodes as they last reported.
  Result<std::vector<wire::NodeState>> node_states() const;
  /// Lets each source end after `items`, then waits until everything has reached the hub.
  /// `progress`, if set, is told how many items the slower node has emitted.
  Status drain(std::uint64_t items, TimeNs timeout, const std::function<void(std::uint64_t)>& progress = {}) const;
  /// All records the hub has stored, oldest first.
  Result<std::vector<Json>> records() const;

  const wire::HubClient& hub() const { return *hub_client_; }
  /// The page with the operator's secret in it.
  const std::string& page_url() const { return page_url_; }
  int broker_pid() const { return broker_pid_; }
  Process& hub_process() { return *hub_; }
  std::vector<Process>& agents() { return agents_; }
  /// Starts a node's agent again (after a test has ended it).
  Status restart_agent(std::size_t index);
  void stop();
  /// A process that should run and does not: its name and the end of its log.
  Status check_alive();

 private:
  explicit Line(LineOptions options) : options_(std::move(options)) {}
  Status start_hub();
  Status join_node(std::size_t index) const;
  Status wait_online(TimeNs timeout);
  Path node_home(std::size_t index) const;
  Result<Process> start_agent(std::size_t index) const;

  LineOptions options_;
  std::optional<Process> hub_;
  std::optional<wire::HubClient> hub_client_;
  std::vector<Process> agents_;
  std::string page_url_;
  int broker_pid_ = 0;
};

}  // namespace moru::factory
