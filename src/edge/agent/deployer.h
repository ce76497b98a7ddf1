// SPDX-License-Identifier: Apache-2.0
// Takes one release at a time from the hub's wish to a committed model, or back. No network and no thread of its own:
// it is stepped, and is handed what fetches and what loads.
//
//   fetching -> verifying -> warming up -> shadowing --commit--> soaking -> committed
//       |            |           |             |                    |
//       +------------+-----------+--> refused  +--> aborted         +--> rolled back (by itself), aborted (by the hub)
//
// A node without a release has nothing to shadow beside: it waits in "shadowing" with empty statistics. What has ended is
// kept on disk, so that no restart begins it again; what has not ended begins again from what is on disk already.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "edge/agent/candidate.h"
#include "edge/agent/release_store.h"
#include "edge/agent/soak.h"
#include "edge/streams/stages/infer.h"
#include "wire/messages.h"

namespace moru::edge {

/// Downloads the deployment's bundle to `to`, going on where an earlier call broke off. kUnavailable, kDeadlineExceeded
/// and kInternal are tried again; kCancelled when `cancelled` said so; all else refuses the deployment.
using Fetcher = std::function<Status(const wire::DesiredDeployment& deployment, const Path& to, const std::function<bool()>& cancelled)>;

struct DeployerOptions {
  TimeNs fetch_limit = 300 * kSecond;
  TimeNs prepare_limit = 60 * kSecond;   ///< verifying and warming up together
  TimeNs shadow_limit = 3600 * kSecond;  ///< until the hub decides
  TimeNs soak_limit = 300 * kSecond;     ///< until soak_items have passed
  TimeNs retry_pause = kSecond;          ///< between two attempts to fetch
  int warm_up_runs = 5;
  SoakRules soak;
};

class Deployer {
 public:
  Deployer(DeployerOptions options, Clock& clock, ReleaseStore store, std::shared_ptr<ModelSlot> slot, BundlePolicy policy, Fetcher fetch,
           SessionLoader load);
  ~Deployer();
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;

  /// At start: the current release from disk into the slot, checked as if it had just come; where it is damaged, the one
  /// before. kNotFound when there is none yet, else the error of the last attempt: the node then runs without a model.
  Status load_current();

  /// The hub's wish. From any thread; step() acts on it.
  void want(std::optional<wire::DesiredDeployment> wish);
  /// Goes on where that is possible without waiting; may take long (a download, a load). One thread. Returns when it is
  /// to be called again at the latest (steady clock); earlier when wake() is called.
  TimeNs step();
  /// Waits until `deadline` or something new is wanted or stop().
  void wait(TimeNs deadline);
  /// Ends a running fetch and all waiting; what is under way is left as it is, for the next start.
  void stop();
  bool stopping() const;

  /// What to report; nothing before the first deployment. From any thread.
  std::optional<wire::NodeDeploymentState> state() const;
  struct Running {
    std::int64_t release = 0;  ///< in the slot and committed; 0: none
    std::string name;
  };
  Running running() const;
  /// Grows with every change of phase, so that a change is reported at once. From any thread.
  std::uint64_t changes() const;

 private:
  using Phase = wire::DeploymentPhase;
  struct Active;

  bool cancelled(const std::string& id, TimeNs deadline) const;
  void take_wish();
  void begin(const wire::DesiredDeployment& wish);
  TimeNs fetch();
  TimeNs verify();
  TimeNs warm();
  TimeNs shadow();
  TimeNs soak();
  TimeNs start_soak();
  void commit();
  TimeNs enter(Phase phase, TimeNs limit);
  TimeNs refuse(const Error& error);
  TimeNs end(Phase phase, std::string reason);
  void put_back();
  void keep(const DeploymentOutcome& outcome);
  void report(const wire::NodeDeploymentState& state);
  void set_running(std::int64_t release, std::string name);
  Status load_release(const InstalledRelease& release);

  const DeployerOptions options_;
  Clock& clock_;
  ReleaseStore store_;
  const std::shared_ptr<ModelSlot> slot_;
  const BundlePolicy policy_;
  const Fetcher fetch_;
  const SessionLoader load_;
  std::unique_ptr<Active> active_;  // the deployment under way; only step()'s thread

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<wire::DesiredDeployment> wish_;
  std::uint64_t wish_number_ = 0;
  std::uint64_t seen_wish_ = 0;
  bool stopping_ = false;
  std::optional<wire::NodeDeploymentState> report_;
  std::uint64_t changes_ = 0;
  Running running_;
};

}  // namespace moru::edge
