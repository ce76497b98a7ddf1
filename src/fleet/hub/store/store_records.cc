// SPDX-License-Identifier: Apache-2.0
// Records: each is stored exactly once, whatever the network repeats, reorders or loses.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "fleet/hub/store/store.h"

namespace moru::fleet {
namespace {

constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20U;
constexpr std::int64_t kMaxRows = 5000;

struct Stored {
  std::uint64_t up_to = 0;
  std::vector<RecordRow> added;
};

Status check_sequence(const std::string& node, const wire::RecordBatch& batch) {
  std::uint64_t expected = batch.records.empty() ? 0 : batch.records.front().sequence;
  for (const wire::Record& record : batch.records) {
    if (record.sequence != expected || expected == 0 || std::cmp_greater(expected, std::numeric_limits<std::int64_t>::max())) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("records of node '{}', stream '{}': found sequence {}, expected {}, without holes from 1", node, batch.stream,
                              record.sequence, expected));
    }
    ++expected;
  }
  return {};
}

Result<std::uint64_t> stored_up_to(Database& db, std::int64_t node_id, const std::string& stream) {
  std::uint64_t stored = 0;
  MORU_RETURN_IF_ERROR(db.each("SELECT stored FROM streams WHERE node_id = ? AND stream = ?", {node_id, stream},
                               [&](const SqlRow& row) { stored = static_cast<std::uint64_t>(row.integer(0)); }));
  return stored;
}

/// A node whose outbox was lost starts again at 1: acknowledging that would throw its new records away.
Status check_repeat(Database& db, std::int64_t node_id, const std::string& node, const std::string& stream, const wire::Record& record) {
  if (record.kind == "lost") return {};  // damaged on the node's disk after the hub had it whole
  std::string body;
  MORU_RETURN_IF_ERROR(db.each("SELECT body FROM records WHERE node_id = ? AND stream = ? AND sequence = ?",
                               {node_id, stream, static_cast<std::int64_t>(record.sequence)},
                               [&](const SqlRow& row) { body = row.text(0); }));
  if (body == record.body) return {};
  return fail(ErrorCode::kCorrupt,
              fmt::format("records of node '{}', stream '{}': number {} came again with other content, expected a repeat; "
                          "the node lost its outbox: let it join again",
                          node, stream, record.sequence));
}

Result<Stored> store_batch(Database& db, const std::string& node, const wire::RecordBatch& batch, TimeNs now) {
  std::int64_t node_id = 0;
  MORU_RETURN_IF_ERROR(
      db.each("SELECT id FROM nodes WHERE name = ? AND active = 1", {node}, [&](const SqlRow& row) { node_id = row.integer(0); }));
  if (node_id == 0) return fail(ErrorCode::kNotFound, fmt::format("node '{}': no node of that name has joined", node));
  Stored result;
  MORU_ASSIGN_OR_RETURN(result.up_to, stored_up_to(db, node_id, batch.stream));
  if (batch.records.empty() || batch.records.front().sequence > result.up_to + 1) return result;
  if (batch.records.front().sequence <= result.up_to) {
    MORU_RETURN_IF_ERROR(check_repeat(db, node_id, node, batch.stream, batch.records.front()));
  }
  for (const wire::Record& record : batch.records) {
    if (record.sequence <= result.up_to) continue;
    MORU_ASSIGN_OR_RETURN(
        const std::int64_t changed,
        db.run("INSERT OR IGNORE INTO records (node_id, stream, sequence, kind, received_ns, body) VALUES (?, ?, ?, ?, ?, ?)",
               {node_id, batch.stream, static_cast<std::int64_t>(record.sequence), record.kind, now, record.body}));
    result.up_to = record.sequence;
    if (changed == 0) continue;
    result.added.push_back({db.last_row_id(), node, batch.stream, record.sequence, record.kind, now, record.body});
    MORU_RETURN_IF_ERROR(
        db.run("INSERT INTO counts (node_id, stream, kind, records) VALUES (?, ?, ?, 1) "
               "ON CONFLICT (node_id, stream, kind) DO UPDATE SET records = records + 1",
               {node_id, batch.stream, record.kind}));
  }
  MORU_RETURN_IF_ERROR(
      db.run("INSERT INTO streams (node_id, stream, stored) VALUES (?, ?, ?) "
             "ON CONFLICT (node_id, stream) DO UPDATE SET stored = excluded.stored",
             {node_id, batch.stream, static_cast<std::int64_t>(result.up_to)}));
  return result;
}

}  // namespace

Status Store::append_records(const std::string& node, wire::RecordBatch batch, StoredCallback done) {
  MORU_RETURN_IF_ERROR(check_sequence(node, batch));
  std::size_t bytes = 0;
  for (const wire::Record& record : batch.records) bytes += record.body.size() + record.kind.size();
  auto outcome = std::make_shared<Stored>();
  Job job;
  job.bytes = bytes;
  job.work = [this, node, outcome, batch = std::move(batch)](Database& db) -> Status {
    MORU_ASSIGN_OR_RETURN(*outcome, store_batch(db, node, batch, clock_.wall_now()));
    return {};
  };
  job.done = [outcome, done = std::move(done)](const Status& status) {
    if (status) {
      done(outcome->up_to, outcome->added);
    } else {
      done(fail(status.error()), {});
    }
  };
  {
    const std::lock_guard lock(mutex_);
    if (waiting_bytes_ + bytes > kMaxWaitingBytes) {
      return fail(ErrorCode::kResourceExhausted, fmt::format("records of node '{}': {} bytes wait for the disk, expected at most {}", node,
                                                             waiting_bytes_, kMaxWaitingBytes));
    }
    waiting_bytes_ += bytes;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return {};
}

Result<std::vector<RecordRow>> Store::records(const RecordFilter& filter) const {
  std::vector<RecordRow> rows;
  const std::int64_t limit = std::min(filter.limit, kMaxRows);
  // Two statements: behind a row the oldest are wanted, else the newest.
  constexpr std::string_view kBehind =
      "SELECT records.row, nodes.name, stream, sequence, kind, received_ns, body FROM records JOIN nodes ON nodes.id = records.node_id "
      "WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR nodes.name = ?2) AND records.row > ?3 ORDER BY records.row LIMIT ?4";
  constexpr std::string_view kNewest =
      "SELECT * FROM (SELECT records.row AS row, nodes.name, stream, sequence, kind, received_ns, body FROM records "
      "JOIN nodes ON nodes.id = records.node_id WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR nodes.name = ?2) AND records.row > ?3 "
      "ORDER BY records.row DESC LIMIT ?4) ORDER BY row";
  MORU_RETURN_IF_ERROR(
      read(filter.after ? kBehind : kNewest, {filter.kind, filter.node, filter.after.value_or(0), limit}, [&](const SqlRow& row) {
        rows.push_back({row.integer(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)), row.text(4), row.integer(5),
                        row.text(6)});
      }));
  return rows;
}

Result<std::vector<CountRow>> Store::counts() const {
  std::vector<CountRow> rows;
  MORU_RETURN_IF_ERROR(read(
      "SELECT nodes.name, stream, kind, records FROM counts JOIN nodes ON nodes.id = counts.node_id "
      "WHERE nodes.active = 1 ORDER BY nodes.name, stream, kind",
      {}, [&](const SqlRow& row) { rows.push_back({row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3))}); }));
  return rows;
}

}  // namespace moru::fleet
