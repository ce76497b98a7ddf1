// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/store/schema.h"

#include <fmt/format.h>

#include <array>

namespace moru::fleet {
namespace {

// One entry a version; an entry that was released is never changed, a new one is added behind it.
//
// A node that joins again under its name is a new row: its sequence numbers start again at 1, and the records of the
// former one stay what they were.
constexpr std::array<const char*, 1> kSteps = {R"(
CREATE TABLE nodes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1,
  joined_ns INTEGER NOT NULL,
  last_seen_ns INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX nodes_active ON nodes (name) WHERE active = 1;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  secret_sha256 TEXT NOT NULL,
  node TEXT NOT NULL,
  expires_ns INTEGER NOT NULL,
  used_ns INTEGER,
  used_by TEXT,
  request_sha256 TEXT
) STRICT;

CREATE TABLE releases (
  release INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  added_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE desired (
  node_id INTEGER PRIMARY KEY REFERENCES nodes (id),
  generation INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE rollouts (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  release INTEGER NOT NULL REFERENCES releases (release),
  active INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE rollout_history (
  rollout TEXT NOT NULL REFERENCES rollouts (id),
  at_ns INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  figures TEXT NOT NULL
) STRICT;
CREATE INDEX rollout_history_by_rollout ON rollout_history (rollout);

CREATE TABLE records (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  stream TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  kind TEXT NOT NULL,
  received_ns INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (node_id, stream, sequence)
) STRICT;
CREATE INDEX records_by_kind ON records (kind, row);

CREATE TABLE streams (
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  stream TEXT NOT NULL,
  stored INTEGER NOT NULL,
  PRIMARY KEY (node_id, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
  node_id INTEGER NOT NULL REFERENCES nodes (id),
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  records INTEGER NOT NULL,
  PRIMARY KEY (node_id, stream, kind)
) STRICT, WITHOUT ROWID;
)"};

}  // namespace

Status migrate(Database& database) {
  std::int64_t version = 0;
  MORU_RETURN_IF_ERROR(database.each("PRAGMA user_version", {}, [&](const SqlRow& row) { version = row.integer(0); }));
  if (version < 0 || version > static_cast<std::int64_t>(kSteps.size())) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("hub database: found schema version {}, expected at most {}; use the newer hub that wrote it", version, kSteps.size()));
  }
  for (auto step = static_cast<std::size_t>(version); step < kSteps.size(); ++step) {
    MORU_RETURN_IF_ERROR(database.execute(fmt::format("BEGIN IMMEDIATE; {}; PRAGMA user_version={}; COMMIT", kSteps[step], step + 1)));
  }
  return {};
}

}  // namespace moru::fleet
