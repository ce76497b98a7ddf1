// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/outbox.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "core/random.h"
#include "edge/streams/outbox_segment.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

std::string body_of(std::uint64_t n) { return fmt::format(R"({{"n":{},"pad":"{}"}})", n, std::string(n % 50, 'x')); }

class OutboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-outbox");
    ASSERT_TRUE(folder) << folder.error().message;
    temp_.emplace(std::move(*folder));
  }
  Path folder() const { return temp_->path() / "outbox"; }
  std::shared_ptr<Outbox> open(const OutboxOptions& options = {}) const {
    auto outbox = Outbox::open(folder(), "line", options);
    EXPECT_TRUE(outbox) << outbox.error().message;
    return outbox ? *outbox : nullptr;
  }
  /// Appends records `from`..`to` and makes them durable.
  static void fill(Outbox& outbox, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t n = from; n <= to; ++n) ASSERT_TRUE(outbox.append("result", body_of(n)));
    ASSERT_TRUE(outbox.sync());
  }
  static void expect_records(const Outbox& outbox, std::uint64_t from, std::uint64_t to) {
    const auto records = outbox.read(from - 1, 100'000);
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), to - from + 1);
    for (std::uint64_t n = from; n <= to; ++n) {
      EXPECT_EQ((*records)[n - from].sequence, n);
      EXPECT_EQ((*records)[n - from].body, body_of(n));
    }
  }
  std::vector<Path> segments() const {
    std::vector<Path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      if (entry.path().extension() == ".log") paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
  }
  /// Without the fsyncs of write_file_atomic(): the tests do it hundreds of times.
  static void overwrite(const Path& path, std::string_view bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }
  static std::uint64_t dropped(const Outbox& outbox, std::string_view reason) {
    for (const auto& [name, count] : outbox.ledger().dropped) {
      if (name == reason) return count;
    }
    return 0;
  }
  /// The ledger must say exactly this, and add up.
  static void expect_ledger(const Outbox& outbox, std::uint64_t in, std::uint64_t out, std::uint64_t in_flight, std::uint64_t stored,
                            std::uint64_t dropped) {
    const auto row = outbox.ledger();
    EXPECT_EQ(row.in, in);
    EXPECT_EQ(row.out, out);
    EXPECT_EQ(row.in_flight, in_flight);
    EXPECT_EQ(row.stored, stored);
    EXPECT_EQ(row.dropped_total(), dropped);
    EXPECT_TRUE(row.balanced());
  }

  std::optional<TempFolder> temp_;
};

TEST(Crc32c, GivesTheKnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283U);
}

TEST_F(OutboxTest, GivesBackWhatItTookInOrder) {
  const auto outbox = open();
  fill(*outbox, 1, 100);
  expect_records(*outbox, 1, 100);
  const auto some = outbox->read(40, 3);
  ASSERT_TRUE(some);
  ASSERT_EQ(some->size(), 3U);
  EXPECT_EQ(some->front().sequence, 41U);
  EXPECT_EQ(some->front().kind, "result");
  EXPECT_TRUE(outbox->read(100, 10)->empty());
}

TEST_F(OutboxTest, ShowsARecordOnlyWhenItIsDurable) {
  const auto outbox = open();
  ASSERT_TRUE(outbox->append("alert", "{}"));
  EXPECT_TRUE(outbox->read(0, 10)->empty());
  EXPECT_EQ(outbox->last(), 1U);
  ASSERT_TRUE(outbox->sync());
  EXPECT_EQ(outbox->read(0, 10)->size(), 1U);
}

TEST_F(OutboxTest, KeepsRecordsAcknowledgementsAndLedgerOverARestart) {
  {
    const auto outbox = open();
    fill(*outbox, 1, 30);
    outbox->mark_sent(20);
    ASSERT_TRUE(outbox->acknowledge(12));
    expect_ledger(*outbox, 30, 12, 8, 10, 0);
  }
  const auto outbox = open();
  expect_ledger(*outbox, 30, 12, 0, 18, 0);
  expect_records(*outbox, 13, 30);
  fill(*outbox, 31, 40);
  expect_records(*outbox, 13, 40);
}

TEST_F(OutboxTest, CountsSentRecordsAsInFlightUntilTheConnectionIsLost) {
  const auto outbox = open();
  fill(*outbox, 1, 10);
  outbox->mark_sent(7);
  expect_ledger(*outbox, 10, 0, 7, 3, 0);
  outbox->mark_unsent();
  expect_ledger(*outbox, 10, 0, 0, 10, 0);
  outbox->mark_sent(99);  // more than there is
  expect_ledger(*outbox, 10, 0, 10, 0, 0);
}

TEST_F(OutboxTest, RefusesAnAcknowledgementOfWhatWasNeverDurable) {
  const auto outbox = open();
  fill(*outbox, 1, 5);
  ASSERT_TRUE(outbox->append("result", "{}"));
  const auto status = outbox->acknowledge(6);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(outbox->acknowledge(5));
  EXPECT_TRUE(outbox->acknowledge(3));  // an old one: nothing to do
  EXPECT_EQ(outbox->acknowledged(), 5U);
}

TEST_F(OutboxTest, DeletesSegmentsThatAreAcknowledgedAndGoesOnCounting) {
  {
    const auto outbox = open({.segment_bytes = 4096});
    for (std::uint64_t n = 1; n <= 500; n += 10) fill(*outbox, n, n + 9);
    const auto before = segments().size();
    EXPECT_GT(before, 5U);
    ASSERT_TRUE(outbox->acknowledge(250));
    EXPECT_LT(segments().size(), before);
    expect_records(*outbox, 251, 500);
    ASSERT_TRUE(outbox->acknowledge(500));
    EXPECT_LE(segments().size(), 1U);
  }
  const auto outbox = open();
  EXPECT_EQ(outbox->last(), 500U);
  expect_ledger(*outbox, 500, 500, 0, 0, 0);
  fill(*outbox, 501, 502);
  expect_records(*outbox, 501, 502);
}

TEST_F(OutboxTest, DropsTheNewRecordWhenItIsFullAndTakesAgainWhenThereIsRoom) {
  const OutboxOptions options{.max_bytes = 32 << 10, .segment_bytes = 4096};
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  {
    const auto outbox = open(options);
    for (int i = 0; i < 2000; ++i) {
      if (outbox->append("result", body_of(taken + 1))) {
        ++taken;
      } else {
        ++refused;
      }
      if (i % 20 == 0) {
        ASSERT_TRUE(outbox->sync());
      }
    }
    ASSERT_TRUE(outbox->sync());
    EXPECT_GT(refused, 100U);
    EXPECT_EQ(dropped(*outbox, "outbox full"), refused);
  }
  const auto outbox = open(options);
  expect_ledger(*outbox, taken + refused, 0, 0, taken, refused);
  ASSERT_TRUE(outbox->acknowledge(taken));
  fill(*outbox, taken + 1, taken + 50);
  expect_records(*outbox, taken + 1, taken + 50);
}

TEST_F(OutboxTest, HasRoomAgainWhenOneUnsyncedBurstHadFilledIt) {
  const auto outbox = open({.max_bytes = 16 << 10});
  std::uint64_t taken = 0;
  while (outbox->append("result", body_of(taken + 1))) ++taken;
  ASSERT_TRUE(outbox->sync());
  ASSERT_TRUE(outbox->acknowledge(taken));
  fill(*outbox, taken + 1, taken + 20);
  expect_records(*outbox, taken + 1, taken + 20);
}

TEST_F(OutboxTest, KeepsRoomForAlertsWhenResultsHaveFilledIt) {
  const auto outbox = open({.max_bytes = 16 << 10});
  std::uint64_t results = 0;
  std::uint64_t alerts = 0;
  while (outbox->append("result", std::string(100, 'r'))) ++results;
  while (outbox->append("alert", std::string(100, 'a'))) ++alerts;
  EXPECT_NEAR(static_cast<double>(alerts) / static_cast<double>(results + alerts), 0.125, 0.01);
  EXPECT_FALSE(outbox->append("result", "{}"));
  ASSERT_TRUE(outbox->sync());
  const auto records = outbox->read(0, 10'000);
  ASSERT_TRUE(records);
  EXPECT_EQ(records->size(), results + alerts);
  EXPECT_EQ(records->back().kind, "alert");
}

TEST_F(OutboxTest, LetsGoOfAReceiptWhenTheRecordIsDurable) {
  const auto outbox = open();
  std::vector<std::uint64_t> settled;
  const auto book = std::make_shared<ReceiptBook>([&](std::uint64_t number, Outcome) { settled.push_back(number); });
  ASSERT_TRUE(outbox->append("result", "{}", book->issue(1)));
  EXPECT_TRUE(settled.empty());
  ASSERT_TRUE(outbox->sync());
  EXPECT_EQ(settled, std::vector<std::uint64_t>{1});
}

TEST_F(OutboxTest, DropsARecordThatIsTooLarge) {
  const auto outbox = open();
  const auto status = outbox->append("result", std::string(kMaxRecordBytes + 1, 'x'));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(outbox->append("result", std::string(kMaxRecordBytes, 'x')));
  EXPECT_FALSE(outbox->append("", "{}"));
  EXPECT_EQ(dropped(*outbox, "too large"), 2U);
  expect_ledger(*outbox, 3, 0, 0, 1, 2);
}

TEST_F(OutboxTest, IsOpenOnlyOnceAndForOneStream) {
  {
    const auto outbox = open();
    const auto second = Outbox::open(folder(), "line");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  }
  const auto other = Outbox::open(folder(), "another");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("'line'"));
}

TEST_F(OutboxTest, CutsATornTailAtEveryByteAndLosesOnlyTheTornRecord) {
  {
    const auto outbox = open();
    fill(*outbox, 1, 20);
  }
  const Path log = segments().front();
  const auto whole = read_file(log);
  ASSERT_TRUE(whole);
  // The state as a power cut leaves it before the last records were synced: it knows of none of them.
  const auto second_to_last = encode_frame(19, "result", body_of(19)).size() + encode_frame(20, "result", body_of(20)).size();
  for (std::size_t cut = whole->size() - second_to_last; cut < whole->size(); ++cut) {
    std::filesystem::remove_all(folder());
    {
      const auto fresh = open();
    }
    overwrite(log, std::string_view(*whole).substr(0, cut));
    const auto outbox = open();
    const std::uint64_t expected = cut >= whole->size() - encode_frame(20, "result", body_of(20)).size() ? 19 : 18;
    ASSERT_EQ(outbox->last(), expected) << "cut at " << cut;
    expect_ledger(*outbox, expected, 0, 0, expected, 0);
    fill(*outbox, expected + 1, expected + 3);
    expect_records(*outbox, 1, expected + 3);
  }
}

TEST_F(OutboxTest, CountsDurableRecordsThatTheDiskLostAsCrashAndNeverReusesTheirNumbers) {
  {
    const auto outbox = open();
    fill(*outbox, 1, 20);
  }
  const Path log = segments().front();
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - encode_frame(20, "result", body_of(20)).size() - 1);
  {
    const auto outbox = open();
    EXPECT_EQ(dropped(*outbox, "crash"), 2U);
    EXPECT_EQ(outbox->last(), 20U);
    fill(*outbox, 21, 25);
    const auto records = outbox->read(17, 100);
    ASSERT_TRUE(records);
    ASSERT_EQ(records->size(), 8U);
    EXPECT_EQ((*records)[0].kind, "result");
    EXPECT_EQ((*records)[1].kind, kLostKind);
    EXPECT_EQ((*records)[2].kind, kLostKind);
    EXPECT_EQ((*records)[3].sequence, 21U);
    EXPECT_EQ(outbox->ledger().dropped_total(), 2U);
  }
  EXPECT_EQ(open()->ledger().dropped_total(), 2U);  // counted once
}

TEST_F(OutboxTest, AFlippedByteLosesOneRecordAndLeavesNoHole) {
  {
    const auto outbox = open();
    fill(*outbox, 1, 4);
  }
  const Path log = segments().front();
  const auto whole = read_file(log);
  const auto state = read_file(folder() / "state");
  ASSERT_TRUE(whole && state);
  for (std::size_t at = 0; at < whole->size(); ++at) {
    std::string damaged = *whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    overwrite(log, damaged);
    overwrite(folder() / "state", *state);
    const auto outbox = open();
    ASSERT_TRUE(outbox);
    const auto records = outbox->read(0, 100);
    ASSERT_TRUE(records);
    ASSERT_EQ(records->size(), 4U) << "flip at " << at;
    std::uint64_t lost = 0;
    for (std::uint64_t n = 1; n <= 4; ++n) {
      const auto& record = (*records)[n - 1];
      ASSERT_EQ(record.sequence, n);
      if (record.kind == kLostKind) {
        ++lost;
      } else {
        ASSERT_EQ(record.body, body_of(n)) << "flip at " << at;
      }
    }
    ASSERT_EQ(lost, 1U) << "flip at " << at;
    ASSERT_EQ(outbox->ledger().dropped_total(), 1U) << "flip at " << at;
    ASSERT_TRUE(outbox->ledger().balanced());
  }
}

TEST_F(OutboxTest, ADamagedStateFallsBackToTheOtherSlotAndThenToTheRecords) {
  {
    const auto outbox = open();
    fill(*outbox, 1, 8);
    ASSERT_TRUE(outbox->acknowledge(3));
  }
  const auto state = read_file(folder() / "state");
  ASSERT_TRUE(state);
  for (const std::size_t slot : {std::size_t{0}, std::size_t{4096}}) {
    std::string damaged = *state;
    damaged[slot + 20] = static_cast<char>(damaged[slot + 20] ^ 1);
    ASSERT_TRUE(write_file_atomic(folder() / "state", damaged));
    const auto outbox = open();
    EXPECT_EQ(outbox->last(), 8U);
    EXPECT_LE(outbox->acknowledged(), 3U);
  }
  std::string both = *state;
  both[20] = static_cast<char>(both[20] ^ 1);
  both[4096 + 20] = static_cast<char>(both[4096 + 20] ^ 1);
  ASSERT_TRUE(write_file_atomic(folder() / "state", both));
  {
    const auto outbox = open();
    EXPECT_EQ(outbox->acknowledged(), 0U);
    expect_records(*outbox, 1, 8);
  }
  for (const Path& log : segments()) std::filesystem::remove(log);
  ASSERT_TRUE(write_file_atomic(folder() / "state", both));
  const auto lost = Outbox::open(folder(), "line");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kCorrupt);
}

/// The kernel refuses to let a file grow beyond the limit (EFBIG), as a full disk refuses (ENOSPC).
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_F(OutboxTest, AFullDiskDropsWithItsReasonAndGoesOnWhenThereIsRoom) {
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  {
    const auto outbox = open();
    {
      const FileSizeLimit limit(10'000);  // the state file has its 8192 bytes already
      for (int i = 0; i < 300; ++i) {
        const auto status = outbox->append("result", body_of(taken + 1));
        if (status) {
          ++taken;
        } else {
          EXPECT_EQ(status.error().code, ErrorCode::kIo);
          ++refused;
        }
      }
      ASSERT_TRUE(outbox->sync());
    }
    EXPECT_GT(taken, 10U);
    EXPECT_GT(refused, 10U);
    fill(*outbox, taken + 1, taken + 20);
    taken += 20;
    expect_records(*outbox, 1, taken);
    EXPECT_EQ(dropped(*outbox, "disk full"), refused);
  }
  const auto outbox = open();
  expect_records(*outbox, 1, taken);
  expect_ledger(*outbox, taken + refused, 0, 0, taken, refused);
}

TEST_F(OutboxTest, WaitsForRecordsUntilOneIsDurableOrItIsWoken) {
  const auto outbox = open();
  EXPECT_FALSE(outbox->wait_for_records(0, kMillisecond));
  std::thread writer([&] { fill(*outbox, 1, 1); });
  EXPECT_TRUE(outbox->wait_for_records(0, 60 * kSecond));
  writer.join();
  std::atomic<bool> done{false};
  std::thread waiter([&] {
    EXPECT_FALSE(outbox->wait_for_records(1, 60 * kSecond));
    done = true;
  });
  while (!done) {
    outbox->wake();
    std::this_thread::yield();
  }
  waiter.join();
}

TEST_F(OutboxTest, WritersAReaderAndAReceiverWorkAtTheSameTime) {
  constexpr std::uint64_t kWriters = 3;
  constexpr std::uint64_t kEach = 2000;
  const auto outbox = open({.segment_bytes = 8192});
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        ASSERT_TRUE(outbox->append("result", R"({"a":1})"));
        if (i % 50 == 0) {
          ASSERT_TRUE(outbox->sync());
        }
      }
      ASSERT_TRUE(outbox->sync());
    });
  }
  std::atomic<bool> done{false};
  std::thread watcher([&] {
    while (!done) ASSERT_TRUE(outbox->ledger().balanced());
  });
  std::uint64_t received = 0;
  Rng random(7);
  while (received < kWriters * kEach) {
    ASSERT_TRUE(outbox->wait_for_records(received, 60 * kSecond));
    const auto records = outbox->read(received, 1 + static_cast<std::size_t>(random.below(200)));
    ASSERT_TRUE(records) << records.error().message;
    for (const auto& record : *records) ASSERT_EQ(record.sequence, ++received);
    outbox->mark_sent(received);
    ASSERT_TRUE(outbox->acknowledge(received));
  }
  for (auto& thread : threads) thread.join();
  done = true;
  watcher.join();
  expect_ledger(*outbox, kWriters * kEach, kWriters * kEach, 0, 0, 0);
  EXPECT_LE(segments().size(), 1U);
}

}  // namespace
}  // namespace moru::edge
