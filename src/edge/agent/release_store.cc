// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/release_store.h"

#include <algorithm>

#include "core/json.h"

namespace moru::edge {
namespace {

using wire::DeploymentPhase;

constexpr std::uint64_t kMaxFileBytes = 4U << 20U;
constexpr DeploymentPhase kEndings[] = {DeploymentPhase::kCommitted, DeploymentPhase::kAborted, DeploymentPhase::kRolledBack,
                                        DeploymentPhase::kRefused};

Json write_release(const InstalledRelease& release) {
  return Json{{"release", release.release}, {"name", release.name}, {"sha256", release.sha256}};
}

Result<InstalledRelease> read_release(const Json& json, const std::string& key, const std::string& where) {
  MORU_ASSIGN_OR_RETURN(const Json object, json_field<Json>(json, key, where));
  InstalledRelease release;
  MORU_ASSIGN_OR_RETURN(release.release, json_field<std::int64_t>(object, "release", where));
  MORU_ASSIGN_OR_RETURN(release.name, json_field<std::string>(object, "name", where));
  MORU_ASSIGN_OR_RETURN(release.sha256, json_field<std::string>(object, "sha256", where));
  if (release.release < 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: release is {}, expected 0 or more", where, release.release));
  return release;
}

Result<DeploymentOutcome> read_outcome(const Json& json, const std::string& where) {
  DeploymentOutcome outcome;
  MORU_ASSIGN_OR_RETURN(outcome.id, json_field<std::string>(json, "id", where));
  MORU_ASSIGN_OR_RETURN(outcome.release, json_field<std::int64_t>(json, "release", where));
  MORU_ASSIGN_OR_RETURN(const std::string phase, json_field<std::string>(json, "phase", where));
  MORU_ASSIGN_OR_RETURN(outcome.reason, json_field<std::string>(json, "reason", where));
  for (const DeploymentPhase ending : kEndings) {
    outcome.phase = ending;
    if (to_string(ending) == phase) return outcome;
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: phase is unknown, expected the end of a deployment", where));
}

Error as_damage(const Error& error) {
  return {ErrorCode::kCorrupt, error.message + "; put a good copy there, or remove the file: the node then begins without a release"};
}

}  // namespace

Result<ReleaseStore> ReleaseStore::open(HomePaths paths) {
  ReleaseStore store(std::move(paths));
  const std::string where = store.paths_.current().string();
  auto text = read_file(store.paths_.current(), kMaxFileBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return store;
  if (!text) return fail(std::move(text).error());
  const auto read = [&]() -> Status {
    MORU_ASSIGN_OR_RETURN(const Json json, parse_json(*text, where));
    MORU_ASSIGN_OR_RETURN(store.current_, read_release(json, "current", where));
    MORU_ASSIGN_OR_RETURN(store.previous_, read_release(json, "previous", where));
    MORU_ASSIGN_OR_RETURN(const Json outcomes, json_field<Json>(json, "deployments", where));
    for (const Json& entry : outcomes) {
      MORU_ASSIGN_OR_RETURN(auto outcome, read_outcome(entry, where));
      store.outcomes_.push_back(std::move(outcome));
    }
    return {};
  };
  if (const Status status = read(); !status) return fail(as_damage(status.error()));
  return store;
}

const DeploymentOutcome* ReleaseStore::outcome(const std::string& id) const {
  const auto it = std::ranges::find(outcomes_, id, &DeploymentOutcome::id);
  return it == outcomes_.end() ? nullptr : &*it;
}

Path ReleaseStore::bundle_path(std::int64_t release) const { return paths_.releases() / std::to_string(release) / "bundle.moru"; }
Path ReleaseStore::incoming_path(const std::string& id) const { return paths_.incoming() / (id + ".moru"); }

Status ReleaseStore::install(const std::string& id, std::int64_t release) const {
  const Path target = bundle_path(release);
  MORU_RETURN_IF_ERROR(make_folders(target.parent_path()));
  if (::rename(incoming_path(id).c_str(), target.c_str()) != 0) return fail(errno_error("rename to", target));
  MORU_RETURN_IF_ERROR(sync_folder(target.parent_path()));
  return sync_folder(paths_.releases());
}

Status ReleaseStore::commit(const std::string& id, const InstalledRelease& release) {
  MORU_RETURN_IF_ERROR(install(id, release.release));
  ReleaseStore next = *this;
  if (current_.release != release.release) next.previous_ = current_;
  next.current_ = release;
  next.remember({.id = id, .release = release.release, .phase = DeploymentPhase::kCommitted, .reason = {}});
  MORU_RETURN_IF_ERROR(next.save());
  *this = std::move(next);
  remove_others();
  return {};
}

Status ReleaseStore::close(const DeploymentOutcome& outcome) {
  std::error_code ignored;
  std::filesystem::remove(incoming_path(outcome.id), ignored);
  Path part = incoming_path(outcome.id);
  std::filesystem::remove(part += ".part", ignored);
  remember(outcome);
  remove_others();
  return save();
}

void ReleaseStore::remember(const DeploymentOutcome& outcome) {
  std::erase_if(outcomes_, [&](const DeploymentOutcome& other) { return other.id == outcome.id; });
  outcomes_.push_back(outcome);
  if (outcomes_.size() > kMaxOutcomes) outcomes_.erase(outcomes_.begin());
}

Status ReleaseStore::save() const {
  Json outcomes = Json::array();
  for (const DeploymentOutcome& outcome : outcomes_) {
    outcomes.push_back(
        Json{{"id", outcome.id}, {"release", outcome.release}, {"phase", to_string(outcome.phase)}, {"reason", outcome.reason}});
  }
  const Json json{{"current", write_release(current_)}, {"previous", write_release(previous_)}, {"deployments", std::move(outcomes)}};
  return write_file_atomic(paths_.current(), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", 0600);
}

void ReleaseStore::remove_others() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(paths_.releases(), error)) {
    const std::string name = entry.path().filename().string();
    if (name == std::to_string(current_.release) || name == std::to_string(previous_.release)) continue;
    std::error_code ignored;
    std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace moru::edge
