// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/store/store.h"

#include <gmock/gmock.h>

#include <future>
#include <map>
#include <thread>

#include "core/random.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;

wire::RecordBatch batch(std::uint64_t first, std::uint64_t last, const std::string& stream = "line") {
  wire::RecordBatch made;
  made.stream = stream;
  for (std::uint64_t i = first; i <= last; ++i)
    made.records.push_back({i, i % 10 == 0 ? "alert" : "result", "{\"item\":" + std::to_string(i) + "}"});
  return made;
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-store");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    reopen();
    join("node-1");
  }
  void reopen() {
    store_.reset();
    auto store = Store::open(folder_->path(), clock_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }
  TokenOutcome redeem(const std::string& id, const std::string& secret, const std::string& node, const std::string& request = "request") {
    const auto outcome = store_->redeem_token({id, secret, node, request});
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome.value_or(TokenOutcome::kUnknown);
  }
  void join(const std::string& node) {
    const std::string id = "token-" + std::to_string(++tokens_);
    ASSERT_TRUE(store_->add_token(id, "secret", node, clock_.wall_now() + kSecond));
    ASSERT_EQ(redeem(id, "secret", node), TokenOutcome::kAccepted);
  }
  Result<std::uint64_t> append(wire::RecordBatch records, const std::string& node = "node-1") {
    std::promise<Result<std::uint64_t>> promise;
    auto done = promise.get_future();
    const Status taken =
        store_->append_records(node, std::move(records), [&](Result<std::uint64_t> stored, const std::vector<RecordRow>& added) {
          added_ += added.size();
          promise.set_value(std::move(stored));
        });
    if (!taken) return fail(taken.error());
    return done.get();
  }

  std::optional<TempFolder> folder_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  int tokens_ = 0;
  std::size_t added_ = 0;
};

TEST_F(StoreTest, KeepsRecordsAcrossARestart) {
  EXPECT_EQ(append(batch(1, 25)).value(), 25U);
  reopen();
  const auto alerts = store_->records({.kind = "alert", .node = "node-1", .after = 0, .limit = 100});
  ASSERT_TRUE(alerts);
  ASSERT_EQ(alerts->size(), 2U);
  EXPECT_EQ((*alerts)[1].sequence, 20U);
  EXPECT_EQ((*alerts)[1].body, "{\"item\":20}");
  const auto counts = store_->counts();
  ASSERT_TRUE(counts);
  ASSERT_EQ(counts->size(), 2U);
  EXPECT_EQ((*counts)[1].records, 23U);
}

TEST_F(StoreTest, ARepeatedBatchIsStoredOnce) {
  EXPECT_EQ(append(batch(1, 10)).value(), 10U);
  EXPECT_EQ(append(batch(1, 10)).value(), 10U);
  EXPECT_EQ(append(batch(6, 15)).value(), 15U);
  EXPECT_EQ(added_, 15U);
  EXPECT_EQ(store_->records({.kind = "", .node = "", .after = 0, .limit = 100})->size(), 15U);
}

TEST_F(StoreTest, ABatchBehindAHoleIsNotStored) {
  EXPECT_EQ(append(batch(1, 5)).value(), 5U);
  EXPECT_EQ(append(batch(7, 9)).value(), 5U);
  EXPECT_EQ(append(batch(6, 9)).value(), 9U);
  EXPECT_EQ(added_, 9U);
}

TEST_F(StoreTest, ALostOutboxIsNotMistakenForARepeat) {
  EXPECT_EQ(append(batch(1, 5)).value(), 5U);
  auto other = batch(1, 2);
  other.records[0].body = "{\"item\":1000}";
  const auto outcome = append(other);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(outcome.error().message, HasSubstr("join again"));
}

TEST_F(StoreTest, ARecordThatTheNodeLostLaterStaysWhole) {
  EXPECT_EQ(append(batch(1, 5)).value(), 5U);
  auto damaged = batch(4, 6);
  damaged.records[0] = {4, "lost", "{}"};
  EXPECT_EQ(append(damaged).value(), 6U);
  EXPECT_EQ(store_->records({.kind = "lost", .node = "", .after = 0, .limit = 10})->size(), 0U);
}

TEST_F(StoreTest, RefusesHolesInsideABatchAndUnknownNodes) {
  auto hole = batch(1, 3);
  hole.records[2].sequence = 4;
  EXPECT_EQ(append(hole).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(append(batch(1, 3), "stranger").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(append(batch(0, 3)).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(StoreTest, EveryRecordIsThereOnceWhateverIsRepeated) {
  // A sender that knows only acknowledgements: repeats, loses and reorders batches by a seeded dice.
  Rng rng(7);
  std::uint64_t acknowledged = 0;
  while (acknowledged < 2000) {
    const std::uint64_t first = acknowledged + 1 + (rng.below(4) == 0 ? rng.below(20) : 0);
    const std::uint64_t start = rng.below(3) == 0 && first > 30 ? first - rng.below(30) : first;
    const auto stored = append(batch(start, std::min<std::uint64_t>(2000, start + rng.below(60))));
    ASSERT_TRUE(stored) << stored.error().message;
    if (rng.below(5) != 0) acknowledged = std::max(acknowledged, *stored);
  }
  std::map<std::uint64_t, int> seen;
  std::int64_t after = 0;
  while (true) {
    const auto rows = store_->records({.kind = "", .node = "node-1", .after = after, .limit = 700});
    ASSERT_TRUE(rows);
    if (rows->empty()) break;
    for (const auto& row : *rows) ++seen[row.sequence];
    after = rows->back().row;
  }
  ASSERT_EQ(seen.size(), 2000U);
  for (const auto& [sequence, times] : seen) EXPECT_EQ(times, 1) << sequence;
  EXPECT_EQ(added_, 2000U);
}

TEST_F(StoreTest, StreamsAreCountedApart) {
  EXPECT_EQ(append(batch(1, 5, "a")).value(), 5U);
  EXPECT_EQ(append(batch(1, 3, "b")).value(), 3U);
  EXPECT_EQ(store_->records({.kind = "", .node = "", .after = std::nullopt, .limit = 2})->back().stream, "b");
}

TEST_F(StoreTest, ManyWritersCommitTogether) {
  join("node-2");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (std::uint64_t i = 1; i <= 50; ++i) {
        std::promise<bool> done;
        auto future = done.get_future();
        const auto taken = store_->append_records(
            t % 2 == 0 ? "node-1" : "node-2", batch(i, i, "s" + std::to_string(t)),
            [&](const Result<std::uint64_t>& stored, const auto&) { done.set_value(stored.has_value() && *stored == i); });
        ASSERT_TRUE(taken);
        EXPECT_TRUE(future.get());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_->records({.kind = "", .node = "", .after = 0, .limit = 1000})->size(), 200U);
}

TEST_F(StoreTest, ATokenWorksOnce) {
  ASSERT_TRUE(store_->add_token("t", "s3cret", "", clock_.wall_now() + kSecond));
  EXPECT_EQ(redeem("t", "wrong", "a"), TokenOutcome::kUnknown);
  EXPECT_EQ(redeem("other", "s3cret", "a"), TokenOutcome::kUnknown);
  EXPECT_EQ(redeem("t", "s3cret", "a"), TokenOutcome::kAccepted);
  EXPECT_EQ(redeem("t", "s3cret", "b"), TokenOutcome::kUsed);
  EXPECT_EQ(redeem("t", "s3cret", "a", "another request"), TokenOutcome::kUsed);
  EXPECT_EQ(redeem("t", "s3cret", "a"), TokenOutcome::kAccepted) << "the same request again: its answer was lost";
  EXPECT_EQ(store_->nodes()->size(), 2U);
}

TEST_F(StoreTest, ATokenExpires) {
  ASSERT_TRUE(store_->add_token("t", "s3cret", "", clock_.wall_now() + kSecond));
  clock_.advance(kSecond);
  EXPECT_EQ(redeem("t", "s3cret", "a"), TokenOutcome::kExpired);
  EXPECT_EQ(store_->nodes()->size(), 1U);
}

TEST_F(StoreTest, ANameIsTakenUnlessTheTokenIsForIt) {
  ASSERT_TRUE(store_->add_token("any", "s", "", clock_.wall_now() + kSecond));
  EXPECT_EQ(redeem("any", "s", "node-1"), TokenOutcome::kNameTaken);
  ASSERT_TRUE(store_->add_token("mine", "s", "node-1", clock_.wall_now() + kSecond));
  EXPECT_EQ(redeem("mine", "s", "node-2"), TokenOutcome::kWrongName);
  EXPECT_EQ(append(batch(1, 4)).value(), 4U);
  EXPECT_EQ(redeem("mine", "s", "node-1"), TokenOutcome::kAccepted);
  // The new node counts from 1 again; what the old one sent stays.
  EXPECT_EQ(append(batch(1, 2)).value(), 2U);
  EXPECT_EQ(store_->records({.kind = "", .node = "node-1", .after = 0, .limit = 100})->size(), 6U);
}

TEST_F(StoreTest, KeepsNoSecret) {
  ASSERT_TRUE(store_->add_token("t", "do-not-store-this-secret", "", clock_.wall_now() + kSecond));
  store_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path())) {
    EXPECT_EQ(read_file(entry.path())->find("do-not-store-this-secret"), std::string::npos) << entry.path();
  }
  reopen();
}

TEST_F(StoreTest, AReleaseNumberKeepsItsBytes) {
  const ReleaseRow release{2, "line", std::string(64, 'a'), 10, 1};
  EXPECT_TRUE(store_->add_release(release));
  EXPECT_TRUE(store_->add_release(release));
  auto other = release;
  other.sha256 = std::string(64, 'b');
  EXPECT_THAT(store_->add_release(other).error().message, HasSubstr("new version"));
  EXPECT_EQ(store_->releases()->size(), 1U);
  EXPECT_FALSE(store_->release(3)->has_value());
}

TEST_F(StoreTest, AStepOfARolloutIsStoredWholeOrNotAtAll) {
  ASSERT_TRUE(store_->add_release({2, "line", std::string(64, 'a'), 10, 1}));
  wire::Desired desired;
  desired.generation = 1;
  const HistoryRow entry{5, "pending", "staging", "{}"};
  EXPECT_FALSE(store_->save_rollout({"r1", 2, true, "{}"}, entry, {{"node-1", desired}, {"stranger", desired}}));
  EXPECT_TRUE(store_->rollouts()->empty());
  EXPECT_TRUE(store_->desired()->empty());
  EXPECT_TRUE(store_->save_rollout({"r1", 2, true, "{}"}, entry, {{"node-1", desired}}));
  EXPECT_EQ(store_->desired()->size(), 1U);
  EXPECT_EQ(store_->history("r1")->size(), 1U);
  EXPECT_EQ(store_->next_rollout_number().value(), 2);
}

TEST_F(StoreTest, RefusesADatabaseOfANewerHub) {
  store_.reset();
  {
    auto database = Database::open(folder_->path() / "hub.db", false);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("PRAGMA user_version=99"));
  }
  const auto store = Store::open(folder_->path(), clock_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
}

TEST_F(StoreTest, RefusesAFileThatIsNoDatabase) {
  store_.reset();
  ASSERT_TRUE(write_file_atomic(folder_->path() / "hub.db", std::string(8192, 'x')));
  const auto store = Store::open(folder_->path(), clock_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace moru::fleet
