// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/deployer.h"

#include <fmt/format.h>

#include "core/log.h"
#include "core/text.h"

namespace moru::edge {
namespace {

using wire::DesiredDeployment;
using wire::NodeDeploymentState;

/// Nothing to do until something is wanted; the wait ends then by itself.
constexpr TimeNs kIdle = 3600 * kSecond;
constexpr TimeNs kShadowTick = 100 * kMillisecond;
constexpr TimeNs kSoakTick = 20 * kMillisecond;

bool may_try_again(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kInternal;
}

}  // namespace

struct Deployer::Active {
  DesiredDeployment wish;
  Phase phase = Phase::kFetching;
  TimeNs deadline = 0;      // of the phase
  TimeNs limit = 0;         // its length, for messages
  TimeNs next_attempt = 0;  // of fetching
  std::unique_ptr<CheckedBundle> bundle;
  InstalledRelease release;
  std::shared_ptr<LoadedModel> candidate;
  std::shared_ptr<LoadedModel> former;
  std::optional<InferenceStats> former_stats;
  wire::ShadowStats shadow;
};

Deployer::Deployer(DeployerOptions options, Clock& clock, ReleaseStore store, std::shared_ptr<ModelSlot> slot, BundlePolicy policy,
                   Fetcher fetch, SessionLoader load)
    : options_(options),
      clock_(clock),
      store_(std::move(store)),
      slot_(std::move(slot)),
      policy_(std::move(policy)),
      fetch_(std::move(fetch)),
      load_(std::move(load)) {}

Deployer::~Deployer() = default;

Status Deployer::load_release(const InstalledRelease& release) {
  const ExpectedBundle expected{.release = release.release, .size = 0, .sha256 = release.sha256};
  MORU_ASSIGN_OR_RETURN(const auto bundle, CheckedBundle::open(store_.bundle_path(release.release), expected, policy_));
  MORU_ASSIGN_OR_RETURN(auto model, load_candidate(*bundle, load_));
  MORU_RETURN_IF_ERROR(warm_up(*model, options_.warm_up_runs));
  slot_->swap(std::move(model));
  set_running(release.release, release.name);
  return {};
}

Status Deployer::load_current() {
  if (store_.current().release == 0) return fail(ErrorCode::kNotFound, "no release has been committed on this node yet");
  auto status = load_release(store_.current());
  if (status || store_.previous().release == 0) return status;
  MORU_LOG(kError, "current release cannot be loaded, taking the one before", "release", store_.current().release, "previous",
           store_.previous().release, "error", status.error().message);
  return load_release(store_.previous());
}

void Deployer::want(std::optional<DesiredDeployment> wish) {
  {
    const std::lock_guard lock(mutex_);
    wish_ = std::move(wish);
    ++wish_number_;
  }
  wake_.notify_all();
}

void Deployer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

bool Deployer::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Deployer::wait(TimeNs deadline) {
  std::unique_lock lock(mutex_);
  while (!stopping_ && wish_number_ == seen_wish_ && clock_.steady_now() < deadline) clock_.wait_until(lock, wake_, deadline);
}

std::optional<NodeDeploymentState> Deployer::state() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

Deployer::Running Deployer::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::uint64_t Deployer::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

void Deployer::set_running(std::int64_t release, std::string name) {
  const std::lock_guard lock(mutex_);
  running_ = {release, std::move(name)};
}

void Deployer::report(const NodeDeploymentState& state) {
  {
    const std::lock_guard lock(mutex_);
    const bool same = report_ && report_->id == state.id && report_->phase == state.phase;
    report_ = state;
    if (same) return;
    ++changes_;
  }
  MORU_LOG(kInfo, "deployment", "id", state.id, "release", state.release, "phase", to_string(state.phase), "reason", state.reason);
}

/// Whether a blocking step of deployment `id` should end early.
bool Deployer::cancelled(const std::string& id, TimeNs deadline) const {
  const TimeNs now = clock_.steady_now();
  const std::lock_guard lock(mutex_);
  return stopping_ || now >= deadline || !wish_ || wish_->id != id || wish_->action == "abort";
}

TimeNs Deployer::step() {
  take_wish();
  if (active_ == nullptr || stopping()) return clock_.steady_now() + kIdle;
  switch (active_->phase) {
    case Phase::kFetching: return fetch();
    case Phase::kVerifying: return verify();
    case Phase::kWarmingUp: return warm();
    case Phase::kShadowing: return shadow();
    default: return soak();
  }
}

void Deployer::take_wish() {
  std::optional<DesiredDeployment> wish;
  {
    const std::lock_guard lock(mutex_);
    if (wish_number_ == seen_wish_) return;
    seen_wish_ = wish_number_;
    wish = wish_;
  }
  if (active_ != nullptr) {
    if (!wish) {
      end(Phase::kAborted, "the hub does not want it any more");
    } else if (wish->id != active_->wish.id) {
      end(Phase::kAborted, fmt::format("deployment {} took its place", wish->id));
    } else if (wish->action == "abort") {
      end(Phase::kAborted, "the hub ended the rollout");
      return;
    } else {
      active_->wish = std::move(*wish);
      return;
    }
  }
  if (wish) begin(*wish);
}

void Deployer::begin(const DesiredDeployment& wish) {
  const DeploymentOutcome* known = store_.outcome(wish.id);
  const bool runs = running().release == wish.release;
  const bool lost = known != nullptr && known->phase == Phase::kCommitted && store_.current().release == wish.release && !runs;
  if (known != nullptr && !lost) {
    return report({.id = wish.id, .release = known->release, .phase = known->phase, .reason = known->reason, .shadow = {}});
  }
  const auto close = [&](Phase phase, std::string reason) {
    keep({.id = wish.id, .release = wish.release, .phase = phase, .reason = std::move(reason)});
  };
  if (wish.action == "abort") return close(Phase::kAborted, "the hub ended the rollout before it began here");
  if (runs && store_.current().sha256 == wish.sha256) return close(Phase::kCommitted, {});
  if (wish.release < store_.current().release || runs) {
    return close(Phase::kRefused, fmt::format("release {} is not newer than release {} that runs here, expected a newer one", wish.release,
                                              store_.current().release));
  }
  active_ = std::make_unique<Active>();
  active_->wish = wish;
  enter(Phase::kFetching, options_.fetch_limit);
}

/// Enters a phase; it is stepped at once.
TimeNs Deployer::enter(Phase phase, TimeNs limit) {
  active_->phase = phase;
  active_->limit = limit;
  active_->deadline = clock_.steady_now() + limit;
  report({.id = active_->wish.id, .release = active_->wish.release, .phase = phase, .reason = {}, .shadow = active_->shadow});
  return clock_.steady_now();
}

TimeNs Deployer::fetch() {
  Active& active = *active_;
  const TimeNs now = clock_.steady_now();
  if (now >= active.deadline) {
    return refuse({ErrorCode::kDeadlineExceeded,
                   fmt::format("fetching: not done within {}, expected the whole bundle", human_duration_ns(active.limit))});
  }
  if (now < active.next_attempt) return active.next_attempt;
  const Path to = store_.incoming_path(active.wish.id);
  Status status;
  std::error_code error;
  if (!std::filesystem::exists(to, error)) {
    status = fetch_(active.wish, to, [this, id = active.wish.id, deadline = active.deadline] { return cancelled(id, deadline); });
  }
  if (status) return enter(Phase::kVerifying, options_.prepare_limit);
  // Whoever cancelled (a new wish, a stop, the deadline) is heard at the next step.
  if (status.error().code == ErrorCode::kCancelled) return clock_.steady_now();
  if (!may_try_again(status.error().code)) return refuse(status.error().in("fetching"));
  MORU_LOG(kWarn, "bundle not fetched yet", "id", active.wish.id, "error", status.error().message);
  active.next_attempt = clock_.steady_now() + options_.retry_pause;
  return active.next_attempt;
}

TimeNs Deployer::verify() {
  Active& active = *active_;
  const ExpectedBundle expected{.release = active.wish.release, .size = active.wish.size, .sha256 = active.wish.sha256};
  auto bundle = CheckedBundle::open(store_.incoming_path(active.wish.id), expected, policy_);
  if (!bundle) return refuse(bundle.error().in("verifying"));
  active.bundle = std::move(*bundle);
  active.release = {.release = active.bundle->release(), .name = active.bundle->name(), .sha256 = active.bundle->sha256()};
  const TimeNs left = active.deadline - clock_.steady_now();
  return enter(Phase::kWarmingUp, left);
}

TimeNs Deployer::warm() {
  Active& active = *active_;
  auto model = load_candidate(*active.bundle, load_);
  active.bundle.reset();  // the session keeps what it needs
  if (!model) return refuse(model.error().in("loading"));
  if (const Status status = warm_up(**model, options_.warm_up_runs); !status) return refuse(status.error());
  if (clock_.steady_now() >= active.deadline) {
    return refuse({ErrorCode::kDeadlineExceeded, fmt::format("warm-up: not done within {}, expected a model that is ready sooner",
                                                             human_duration_ns(options_.prepare_limit))});
  }
  active.candidate = std::move(*model);
  if (slot_->has_model()) slot_->set_shadow(active.candidate);
  return enter(Phase::kShadowing, options_.shadow_limit);
}

TimeNs Deployer::shadow() {
  Active& active = *active_;
  if (slot_->has_model()) active.shadow = slot_->shadow_stats();
  if (active.wish.action == "commit") return start_soak();
  const TimeNs now = clock_.steady_now();
  if (now >= active.deadline) {
    return end(Phase::kAborted, fmt::format("the hub did not decide within {}", human_duration_ns(active.limit)));
  }
  report({.id = active.wish.id, .release = active.wish.release, .phase = active.phase, .reason = {}, .shadow = active.shadow});
  return now + kShadowTick;
}

TimeNs Deployer::start_soak() {
  Active& active = *active_;
  if (slot_->has_model()) active.former_stats = slot_->stats();
  slot_->set_shadow(nullptr);
  active.former = slot_->swap(active.candidate);
  return enter(Phase::kSoaking, options_.soak_limit);
}

TimeNs Deployer::soak() {
  Active& active = *active_;
  const InferenceStats stats = slot_->stats();
  const SoakResult result = judge_soak(stats, active.former_stats, static_cast<std::uint64_t>(active.wish.soak_items), options_.soak);
  const TimeNs now = clock_.steady_now();
  if (result.verdict == SoakVerdict::kBad) return end(Phase::kRolledBack, result.reason);
  if (result.verdict == SoakVerdict::kGood) {
    commit();
    return now;
  }
  if (now >= active.deadline) {
    return end(Phase::kRolledBack, fmt::format("soak: {} live items came within {}, expected {}", stats.items,
                                               human_duration_ns(active.limit), active.wish.soak_items));
  }
  return now + kSoakTick;
}

void Deployer::commit() {
  const std::string id = active_->wish.id;
  const InstalledRelease release = active_->release;
  if (const Status status = store_.commit(id, release); !status) {
    end(Phase::kRolledBack, status.error().in("commit").message);
    return;
  }
  const wire::ShadowStats shadow = active_->shadow;
  active_.reset();
  set_running(release.release, release.name);
  report({.id = id, .release = release.release, .phase = Phase::kCommitted, .reason = {}, .shadow = shadow});
}

/// What ran before runs again; the candidate is dropped.
void Deployer::put_back() {
  if (active_->phase == Phase::kShadowing) slot_->set_shadow(nullptr);
  if (active_->phase == Phase::kSoaking) slot_->swap(active_->former);
}

void Deployer::keep(const DeploymentOutcome& outcome) {
  if (const Status status = store_.close(outcome); !status) {
    MORU_LOG(kError, "end of a deployment not written down", "id", outcome.id, "error", status.error().message);
  }
  report({.id = outcome.id,
          .release = outcome.release,
          .phase = outcome.phase,
          .reason = outcome.reason,
          .shadow = active_ ? active_->shadow : wire::ShadowStats{}});
}

TimeNs Deployer::refuse(const Error& error) { return end(Phase::kRefused, error.message); }

TimeNs Deployer::end(Phase phase, std::string reason) {
  put_back();
  active_->bundle.reset();  // its file is deleted next
  keep({.id = active_->wish.id, .release = active_->wish.release, .phase = phase, .reason = std::move(reason)});
  active_.reset();
  return clock_.steady_now();
}

}  // namespace moru::edge
