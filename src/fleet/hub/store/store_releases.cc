// SPDX-License-Identifier: Apache-2.0
// Releases, rollouts and what each node is wished to do.
#include <fmt/format.h>

#include "fleet/hub/store/store.h"

namespace moru::fleet {
namespace {

ReleaseRow read_release(const SqlRow& row) {
  return {row.integer(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)), row.integer(4)};
}

Status write_desired(Database& db, const DesiredRow& row) {
  MORU_ASSIGN_OR_RETURN(
      const std::int64_t changed,
      db.run("INSERT INTO desired (node_id, generation, body) SELECT id, ?2, ?3 FROM nodes WHERE name = ?1 AND active = 1 "
             "ON CONFLICT (node_id) DO UPDATE SET generation = excluded.generation, body = excluded.body",
             {row.node, row.desired.generation, wire::write(row.desired)}));
  if (changed == 0) return fail(ErrorCode::kNotFound, fmt::format("node '{}': no node of that name has joined", row.node));
  return {};
}

}  // namespace

Status Store::add_release(const ReleaseRow& release) {
  return write([&](Database& db) -> Status {
    std::string known;
    MORU_RETURN_IF_ERROR(
        db.each("SELECT sha256 FROM releases WHERE release = ?", {release.release}, [&](const SqlRow& row) { known = row.text(0); }));
    if (known == release.sha256) return {};
    if (!known.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("release {}: found SHA-256 {}, expected {} as first pushed; give the bundle a new version", release.release,
                              release.sha256, known));
    }
    MORU_RETURN_IF_ERROR(db.run("INSERT INTO releases (release, name, sha256, size, added_ns) VALUES (?, ?, ?, ?, ?)",
                                {release.release, release.name, release.sha256, static_cast<std::int64_t>(release.size), release.added}));
    return {};
  });
}

Result<std::vector<ReleaseRow>> Store::releases() const {
  std::vector<ReleaseRow> rows;
  MORU_RETURN_IF_ERROR(read("SELECT release, name, sha256, size, added_ns FROM releases ORDER BY release", {},
                            [&](const SqlRow& row) { rows.push_back(read_release(row)); }));
  return rows;
}

Result<std::optional<ReleaseRow>> Store::release(std::int64_t number) const {
  std::optional<ReleaseRow> found;
  MORU_RETURN_IF_ERROR(read("SELECT release, name, sha256, size, added_ns FROM releases WHERE release = ?", {number},
                            [&](const SqlRow& row) { found = read_release(row); }));
  return found;
}

Result<std::int64_t> Store::next_rollout_number() const {
  std::int64_t last = 0;
  MORU_RETURN_IF_ERROR(read("SELECT coalesce(max(number), 0) FROM rollouts", {}, [&](const SqlRow& row) { last = row.integer(0); }));
  return last + 1;
}

Status Store::save_rollout(const RolloutRow& row, const std::optional<HistoryRow>& entry, const std::vector<DesiredRow>& desired) {
  return write([&](Database& db) -> Status {
    MORU_RETURN_IF_ERROR(
        db.run("INSERT INTO rollouts (id, release, active, body) VALUES (?, ?, ?, ?) "
               "ON CONFLICT (id) DO UPDATE SET active = excluded.active, body = excluded.body",
               {row.id, row.release, std::int64_t{row.active ? 1 : 0}, row.body}));
    if (entry) {
      MORU_RETURN_IF_ERROR(db.run("INSERT INTO rollout_history (rollout, at_ns, state, reason, figures) VALUES (?, ?, ?, ?, ?)",
                                  {row.id, entry->at, entry->state, entry->reason, entry->figures}));
    }
    for (const DesiredRow& wish : desired) MORU_RETURN_IF_ERROR(write_desired(db, wish));
    return {};
  });
}

Status Store::save_desired(const DesiredRow& desired) {
  return write([&](Database& db) { return write_desired(db, desired); });
}

Result<std::vector<RolloutRow>> Store::rollouts() const {
  std::vector<RolloutRow> rows;
  MORU_RETURN_IF_ERROR(read("SELECT id, release, active, body FROM rollouts ORDER BY number", {},
                            [&](const SqlRow& row) { rows.push_back({row.text(0), row.integer(1), row.integer(2) != 0, row.text(3)}); }));
  return rows;
}

Result<std::vector<HistoryRow>> Store::history(const std::string& rollout) const {
  std::vector<HistoryRow> rows;
  MORU_RETURN_IF_ERROR(read("SELECT at_ns, state, reason, figures FROM rollout_history WHERE rollout = ? ORDER BY rowid", {rollout},
                            [&](const SqlRow& row) { rows.push_back({row.integer(0), row.text(1), row.text(2), row.text(3)}); }));
  return rows;
}

Result<std::vector<DesiredRow>> Store::desired() const {
  std::vector<std::pair<std::string, std::string>> bodies;
  MORU_RETURN_IF_ERROR(read("SELECT nodes.name, desired.body FROM desired JOIN nodes ON nodes.id = desired.node_id WHERE nodes.active = 1",
                            {}, [&](const SqlRow& row) { bodies.emplace_back(row.text(0), row.text(1)); }));
  std::vector<DesiredRow> rows;
  for (const auto& [node, body] : bodies) {
    MORU_ASSIGN_OR_RETURN_IN("hub database: wish for node '" + node + "'", auto desired, wire::read_desired(body));
    rows.push_back({node, std::move(desired)});
  }
  return rows;
}

}  // namespace moru::fleet
