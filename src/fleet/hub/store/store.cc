// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/store/store.h"

#include <fmt/format.h>

#include <future>
#include <utility>

#include "core/digest.h"
#include "fleet/hub/store/schema.h"

namespace moru::fleet {

Result<std::unique_ptr<Store>> Store::open(const Path& folder, const Clock& clock) {
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  const Path file = folder / "hub.db";
  MORU_ASSIGN_OR_RETURN(Database writer, Database::open(file, false));
  MORU_RETURN_IF_ERROR(migrate(writer));
  MORU_ASSIGN_OR_RETURN(Database reader, Database::open(file, true));
  return std::unique_ptr<Store>(new Store(std::move(writer), std::move(reader), clock));
}

Store::Store(Database writer, Database reader, const Clock& clock)
    : clock_(clock), writer_(std::move(writer)), reader_(std::move(reader)), thread_([this] { write_loop(); }) {}

Store::~Store() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Status Store::write(std::function<Status(Database&)> work) {
  std::promise<Status> promise;
  auto done = promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(work), [&promise](const Status& status) { promise.set_value(status); }, 0});
  }
  wake_.notify_one();
  return done.get();
}

Status Store::read(std::string_view sql, SqlValues values, const std::function<void(const SqlRow&)>& row) const {
  const std::lock_guard lock(read_mutex_);
  return reader_.each(sql, values, row);
}

void Store::write_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto jobs = std::exchange(jobs_, {});
    waiting_bytes_ = 0;
    lock.unlock();
    commit_together(jobs);
    lock.lock();
  }
}

/// A job that fails takes back its own changes only; a commit that fails fails them all.
void Store::commit_together(std::vector<Job>& jobs) {
  std::vector<Status> outcomes(jobs.size());
  Status whole = writer_.execute("BEGIN IMMEDIATE");
  for (std::size_t i = 0; whole && i < jobs.size(); ++i) {
    whole = writer_.execute("SAVEPOINT job");
    if (!whole) break;
    outcomes[i] = jobs[i].work(writer_);
    if (!outcomes[i]) whole = writer_.execute("ROLLBACK TO job");
    if (whole) whole = writer_.execute("RELEASE job");
  }
  if (whole) whole = writer_.execute("COMMIT");
  // After a failed commit SQLite may or may not have left the transaction; a ROLLBACK outside of one changes nothing.
  if (!whole) static_cast<void>(writer_.execute("ROLLBACK"));
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].done(whole ? outcomes[i] : whole);
}

Status Store::add_token(const std::string& id, const std::string& secret, const std::string& node, TimeNs expires) {
  return write([&](Database& db) -> Status {
    MORU_RETURN_IF_ERROR(
        db.run("INSERT INTO tokens (id, secret_sha256, node, expires_ns) VALUES (?, ?, ?, ?)", {id, sha256_hex(secret), node, expires}));
    return {};
  });
}

namespace {

struct Token {
  std::string secret_sha256;
  std::string node;
  TimeNs expires = 0;
  bool used = false;
  std::string used_by;
  std::string request_sha256;
};

TokenOutcome judge(const std::optional<Token>& token, const TokenUse& use, TimeNs now) {
  // Digests are compared, so the time it takes tells nothing about the secret.
  if (!token || token->secret_sha256 != sha256_hex(use.secret)) return TokenOutcome::kUnknown;
  const bool again = token->used && token->used_by == use.node && token->request_sha256 == use.request_sha256;
  if (token->used && !again) return TokenOutcome::kUsed;
  if (now >= token->expires) return TokenOutcome::kExpired;
  if (!token->node.empty() && token->node != use.node) return TokenOutcome::kWrongName;
  return TokenOutcome::kAccepted;
}

Result<bool> active_node_exists(Database& db, const std::string& name) {
  bool exists = false;
  MORU_RETURN_IF_ERROR(db.each("SELECT 1 FROM nodes WHERE name = ? AND active = 1", {name}, [&](const SqlRow&) { exists = true; }));
  return exists;
}

Result<TokenOutcome> redeem(Database& db, const TokenUse& use, TimeNs now) {
  std::optional<Token> token;
  MORU_RETURN_IF_ERROR(db.each(
      "SELECT secret_sha256, node, expires_ns, used_ns, used_by, request_sha256 FROM tokens WHERE id = ?", {use.token_id},
      [&](const SqlRow& row) { token = Token{row.text(0), row.text(1), row.integer(2), !row.is_null(3), row.text(4), row.text(5)}; }));
  const TokenOutcome outcome = judge(token, use, now);
  if (outcome != TokenOutcome::kAccepted || token->used) return outcome;
  MORU_ASSIGN_OR_RETURN(const bool taken, active_node_exists(db, use.node));
  if (taken && token->node.empty()) return TokenOutcome::kNameTaken;
  MORU_RETURN_IF_ERROR(db.run("UPDATE nodes SET active = 0 WHERE name = ? AND active = 1", {use.node}));
  MORU_RETURN_IF_ERROR(db.run("INSERT INTO nodes (name, joined_ns) VALUES (?, ?)", {use.node, now}));
  MORU_RETURN_IF_ERROR(db.run("UPDATE tokens SET used_ns = ?, used_by = ?, request_sha256 = ? WHERE id = ?",
                              {now, use.node, use.request_sha256, use.token_id}));
  return outcome;
}

}  // namespace

Result<TokenOutcome> Store::redeem_token(const TokenUse& use) {
  TokenOutcome outcome = TokenOutcome::kUnknown;
  MORU_RETURN_IF_ERROR(write([&](Database& db) -> Status {
    MORU_ASSIGN_OR_RETURN(outcome, redeem(db, use, clock_.wall_now()));
    return {};
  }));
  return outcome;
}

Result<std::vector<NodeRow>> Store::nodes() const {
  std::vector<NodeRow> rows;
  MORU_RETURN_IF_ERROR(read("SELECT name, joined_ns, last_seen_ns, state FROM nodes WHERE active = 1 ORDER BY name", {},
                            [&](const SqlRow& row) { rows.push_back({row.text(0), row.integer(1), row.integer(2), row.text(3)}); }));
  return rows;
}

Result<bool> Store::has_node(const std::string& name) const {
  const std::lock_guard lock(read_mutex_);
  return active_node_exists(reader_, name);
}

Status Store::save_states(std::vector<NodeRow> rows) {
  return write([&](Database& db) -> Status {
    for (const NodeRow& row : rows) {
      MORU_RETURN_IF_ERROR(
          db.run("UPDATE nodes SET last_seen_ns = ?, state = ? WHERE name = ? AND active = 1", {row.last_seen, row.state, row.name}));
    }
    return {};
  });
}

}  // namespace moru::fleet
