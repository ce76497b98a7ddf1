// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "core/files.h"

namespace moru::edge {
namespace {

/// The hub's side: keeps what comes and answers when told to.
class FakeHub {
 public:
  Status take(const wire::RecordBatch& batch) {
    const std::lock_guard lock(mutex_);
    if (!reachable_) return fail(ErrorCode::kUnavailable, "no network");
    batches_.push_back(batch);
    for (const wire::Record& record : batch.records) {
      if (record.sequence == stored_ + 1) {
        stored_ = record.sequence;
      } else if (record.sequence <= stored_) {
        ++repeats_;
      } else {
        ++holes_;
      }
    }
    changed_.notify_all();
    return {};
  }
  bool wait_stored(std::uint64_t sequence) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return stored_ >= sequence; });
  }
  bool wait_repeats(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return repeats_ >= count; });
  }
  void set_reachable(bool reachable) {
    const std::lock_guard lock(mutex_);
    reachable_ = reachable;
  }
  std::vector<wire::RecordBatch> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::uint64_t holes() {
    const std::lock_guard lock(mutex_);
    return holes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reachable_ = true;
  std::vector<wire::RecordBatch> batches_;
  std::uint64_t stored_ = 0;
  std::uint64_t repeats_ = 0;
  std::uint64_t holes_ = 0;
};

class SenderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto outbox = Outbox::open(folder_.path() / "outbox", "line");
    ASSERT_TRUE(outbox) << outbox.error().message;
    outbox_ = *outbox;
  }
  std::unique_ptr<Sender> start(const SenderOptions& options = {}) {
    return std::make_unique<Sender>(options, system_clock(), outbox_, "line",
                                    [this](const wire::RecordBatch& batch) { return hub_.take(batch); });
  }
  void append(int count, std::size_t body_bytes = 20) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(outbox_->append("result", "{\"x\":\"" + std::string(body_bytes, 'a') + "\"}"));
    ASSERT_TRUE(outbox_->sync());
  }
  TempFolder folder_ = std::move(*TempFolder::create("moru-sender"));
  std::shared_ptr<Outbox> outbox_;
  FakeHub hub_;
};

TEST_F(SenderTest, SendsWhatIsThereAndWhatComesInOrder) {
  append(5);
  const auto sender = start();
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_stored(5));
  append(3);
  ASSERT_TRUE(hub_.wait_stored(8));
  EXPECT_EQ(hub_.holes(), 0U);
  EXPECT_EQ(outbox_->acknowledged(), 0U) << "sent is not stored";
  EXPECT_EQ(outbox_->ledger().out, 0U);
  sender->acknowledged({.stream = "line", .sequence = 8});
  EXPECT_TRUE(sender->flush(20 * kSecond));
  EXPECT_EQ(outbox_->acknowledged(), 8U);
  EXPECT_EQ(outbox_->ledger().out, 8U);
  EXPECT_TRUE(outbox_->ledger().balanced());
}

TEST_F(SenderTest, BatchesAreBounded) {
  append(450);
  const auto sender = start();
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_stored(450));
  for (const auto& batch : hub_.batches()) EXPECT_LE(batch.records.size(), 200U);

  append(20, 10'000);
  sender->acknowledged({.stream = "line", .sequence = 450});
  ASSERT_TRUE(hub_.wait_stored(470));
  for (const auto& batch : hub_.batches()) {
    std::size_t bytes = 0;
    for (const auto& record : batch.records) bytes += record.body.size();
    EXPECT_LE(bytes, std::size_t{64} << 10U);
  }
}

TEST_F(SenderTest, TheWindowHoldsBackUntilAnAnswerComes) {
  append(100);
  const auto sender = start({.max_records = 10, .window = 3, .answer_limit = 3600 * kSecond});
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_stored(30));
  sender->acknowledged({.stream = "line", .sequence = 10});
  ASSERT_TRUE(hub_.wait_stored(40));
  EXPECT_EQ(hub_.batches().size(), 4U) << "one answer, one more batch";
}

TEST_F(SenderTest, WhatIsNotAnsweredIsSentAgain) {
  append(3);
  const auto sender = start({.answer_limit = 50 * kMillisecond});
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_repeats(3));
  sender->acknowledged({.stream = "line", .sequence = 3});
  EXPECT_TRUE(sender->flush(20 * kSecond));
}

TEST_F(SenderTest, AfterANewConnectionAllThatIsNotStoredIsSentAgain) {
  append(10);
  const auto sender = start({.answer_limit = 3600 * kSecond});
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_stored(10));
  sender->acknowledged({.stream = "line", .sequence = 4});
  sender->connected(false);
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_repeats(6));
  EXPECT_EQ(hub_.batches().back().records.front().sequence, 5U);
}

TEST_F(SenderTest, ANetworkThatRefusesIsTriedAgain) {
  hub_.set_reachable(false);
  append(3);
  const auto sender = start();
  sender->connected(true);
  EXPECT_FALSE(sender->flush(50 * kMillisecond));
  hub_.set_reachable(true);
  EXPECT_TRUE(hub_.wait_stored(3));
}

TEST_F(SenderTest, AnswersThatCannotBeTrueAreIgnored) {
  append(3);
  const auto sender = start({.answer_limit = 50 * kMillisecond});
  sender->connected(true);
  ASSERT_TRUE(hub_.wait_stored(3));
  sender->acknowledged({.stream = "other", .sequence = 3});
  sender->acknowledged({.stream = "line", .sequence = 1'000'000});
  ASSERT_TRUE(hub_.wait_repeats(3)) << "it goes on";
  EXPECT_EQ(outbox_->acknowledged(), 0U);
  sender->acknowledged({.stream = "line", .sequence = 3});
  EXPECT_TRUE(sender->flush(20 * kSecond));
}

TEST_F(SenderTest, NothingIsSentWithoutAConnectionAndItEndsAtOnce) {
  append(3);
  auto sender = start();
  EXPECT_FALSE(sender->flush(20 * kSecond)) << "does not wait for what cannot come";
  const TimeNs began = system_clock().steady_now();
  sender.reset();
  EXPECT_LT(system_clock().steady_now() - began, 2 * kSecond);
  EXPECT_TRUE(hub_.batches().empty());
}

}  // namespace
}  // namespace moru::edge
