// SPDX-License-Identifier: Apache-2.0
// All state of the hub that must outlive it: nodes, join tokens, releases, rollouts, records. One SQLite file, one
// writing thread; what many callers hand in meanwhile is committed together (one fsync for all).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "sqlite/sqlite.h"
#include "wire/messages.h"

namespace moru::fleet {

struct NodeRow {
  std::string name;
  TimeNs joined = 0;
  TimeNs last_seen = 0;  ///< 0: never
  std::string state;     ///< wire::NodeState as JSON; empty: never reported
};

struct ReleaseRow {
  std::int64_t release = 0;
  std::string name;
  std::string sha256;
  std::uint64_t size = 0;
  TimeNs added = 0;
};

struct RolloutRow {
  std::string id;
  std::int64_t release = 0;
  bool active = false;
  std::string body;  ///< JSON, see rollout/rollout.h
};

struct HistoryRow {
  TimeNs at = 0;
  std::string state;
  std::string reason;
  std::string figures;  ///< JSON object
};

struct DesiredRow {
  std::string node;
  wire::Desired desired;
};

struct RecordRow {
  std::int64_t row = 0;  ///< grows with every record; `after` of the next question
  std::string node;
  std::string stream;
  std::uint64_t sequence = 0;
  std::string kind;
  TimeNs received = 0;
  std::string body;
};

struct CountRow {
  std::string node;
  std::string stream;
  std::string kind;
  std::uint64_t records = 0;
};

struct RecordFilter {
  std::string kind;                   ///< empty: any
  std::string node;                   ///< empty: any
  std::optional<std::int64_t> after;  ///< rows behind this one; absent: the newest `limit`
  std::int64_t limit = 100;
};

struct TokenUse {
  std::string token_id;
  std::string secret;
  std::string node;
  std::string request_sha256;
};

/// What redeeming a token came to. Only kAccepted changes anything.
enum class TokenOutcome { kAccepted, kUnknown, kUsed, kExpired, kNameTaken, kWrongName };

/// Threads: all functions from any thread. Functions that write return once their transaction is on disk.
class Store {
 public:
  /// Opens or makes `folder`/hub.db. Errors: kIo, kCorrupt, kUnsupported (written by a newer hub).
  static Result<std::unique_ptr<Store>> open(const Path& folder, const Clock& clock);
  /// Commits what was handed in, then ends.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// The hub keeps only the secret's SHA-256. With `node`, the token is good for that name only, also when a node of
  /// that name has joined before (it is replaced).
  Status add_token(const std::string& id, const std::string& secret, const std::string& node, TimeNs expires);
  /// Spends a token and enters the node, both or neither. The same request again (its answer was lost on the way) is
  /// accepted again while the token is valid.
  Result<TokenOutcome> redeem_token(const TokenUse& use);

  Result<std::vector<NodeRow>> nodes() const;
  Result<bool> has_node(const std::string& name) const;
  /// Last states, many at once; unknown nodes are passed over.
  Status save_states(std::vector<NodeRow> rows);

  /// kInvalidArgument when that release exists with another digest; the same again is fine.
  Status add_release(const ReleaseRow& release);
  Result<std::vector<ReleaseRow>> releases() const;
  Result<std::optional<ReleaseRow>> release(std::int64_t number) const;

  /// The number that the next rollout will get.
  Result<std::int64_t> next_rollout_number() const;
  /// A step of a rollout in one transaction: its row, an entry of its history (if any), and the changed wishes of nodes.
  Status save_rollout(const RolloutRow& row, const std::optional<HistoryRow>& entry, const std::vector<DesiredRow>& desired);
  Status save_desired(const DesiredRow& desired);
  Result<std::vector<RolloutRow>> rollouts() const;
  Result<std::vector<HistoryRow>> history(const std::string& rollout) const;
  Result<std::vector<DesiredRow>> desired() const;

  /// Takes a batch without waiting. `done` is called from the writing thread after the commit with the sequence number
  /// up to which everything of this stream is stored, and with the rows that were new. A repeated record changes
  /// nothing. A batch that begins behind a hole is not stored: `done` gets the old number. kCorrupt: a number comes
  /// again with other content. kResourceExhausted (returned, `done` is not called): more than 64 MiB are waiting.
  using StoredCallback = std::function<void(Result<std::uint64_t> stored, const std::vector<RecordRow>& added)>;
  Status append_records(const std::string& node, wire::RecordBatch batch, StoredCallback done);
  /// Oldest first.
  Result<std::vector<RecordRow>> records(const RecordFilter& filter) const;
  Result<std::vector<CountRow>> counts() const;

 private:
  struct Job {
    std::function<Status(Database&)> work;
    std::function<void(const Status&)> done;
    std::size_t bytes = 0;
  };
  Store(Database writer, Database reader, const Clock& clock);
  Status write(std::function<Status(Database&)> work);
  void write_loop();
  void commit_together(std::vector<Job>& jobs);
  Status read(std::string_view sql, SqlValues values, const std::function<void(const SqlRow&)>& row) const;

  const Clock& clock_;
  Database writer_;  // the writing thread's own
  mutable std::mutex read_mutex_;
  mutable Database reader_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace moru::fleet
