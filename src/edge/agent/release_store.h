// SPDX-License-Identifier: Apache-2.0
// The releases on a node's disk, which of them runs, and how deployments ended. Survives power cuts: every change is
// one atomic write of current.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/agent/home.h"
#include "wire/messages.h"

namespace moru::edge {

/// How a deployment ended. Kept, so that the same id is answered the same way for ever and never begun again.
struct DeploymentOutcome {
  std::string id;
  std::int64_t release = 0;
  wire::DeploymentPhase phase = wire::DeploymentPhase::kRefused;  ///< committed, aborted, rolled back or refused
  std::string reason;
};

struct InstalledRelease {
  std::int64_t release = 0;  ///< 0: none
  std::string name;
  std::string sha256;  ///< of the bundle
};

/// Threads: one owner.
class ReleaseStore {
 public:
  /// Reads the home's current.json; none is an empty node. kCorrupt when it is not what this class wrote.
  static Result<ReleaseStore> open(HomePaths paths);

  const InstalledRelease& current() const { return current_; }
  const InstalledRelease& previous() const { return previous_; }
  const DeploymentOutcome* outcome(const std::string& id) const;
  Path bundle_path(std::int64_t release) const;
  /// Where the bundle of a deployment is fetched to.
  Path incoming_path(const std::string& id) const;

  /// The incoming bundle of `id` goes to its place; then, in one write, it becomes the current release and the
  /// deployment's outcome is kept. Releases other than this and the one before are deleted. A crash in between leaves the
  /// former release current.
  Status commit(const std::string& id, const InstalledRelease& release);
  /// Keeps the end of a deployment that took nothing new into its place; its bundle is deleted. At most kMaxOutcomes
  /// are kept.
  Status close(const DeploymentOutcome& outcome);

  static constexpr std::size_t kMaxOutcomes = 200;

 private:
  explicit ReleaseStore(HomePaths paths) : paths_(std::move(paths)) {}
  Status install(const std::string& id, std::int64_t release) const;
  Status save() const;
  void remember(const DeploymentOutcome& outcome);
  void remove_others() const;

  HomePaths paths_;
  InstalledRelease current_;
  InstalledRelease previous_;
  std::vector<DeploymentOutcome> outcomes_;  // oldest first
};

}  // namespace moru::edge
