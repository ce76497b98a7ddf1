// SPDX-License-Identifier: Apache-2.0
// What a process that is killed leaves behind: everything it had said to be durable must be there.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "core/random.h"
#include "edge/streams/outbox.h"

namespace moru::edge {
namespace {

const OutboxOptions kOptions{.max_bytes = 1 << 20, .segment_bytes = 8192};

std::string body_of(std::uint64_t n) { return fmt::format(R"({{"n":{}}})", n); }

/// What the child says over the pipe after each sync: the last durable record, and how far it has acknowledged.
struct Progress {
  std::uint64_t durable = 0;
  std::uint64_t acknowledged = 0;
};

/// Appends, syncs, acknowledges and reports until it is killed. Never returns.
[[noreturn]] void run_child(const Path& folder, int pipe, std::uint64_t seed) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Rng random(seed);
  const auto outbox = Outbox::open(folder, "line", kOptions);
  if (!outbox) ::_exit(3);
  while (true) {
    const auto group = 1 + random.below(20);
    for (std::uint64_t i = 0; i < group; ++i) {
      if (!(*outbox)->append("result", body_of((*outbox)->last() + 1))) ::_exit(4);
    }
    if (!(*outbox)->sync()) ::_exit(5);
    Progress progress{(*outbox)->last(), (*outbox)->acknowledged()};
    if (random.below(3) == 0) {
      progress.acknowledged += random.below(progress.durable - progress.acknowledged + 1);
      if (!(*outbox)->acknowledge(progress.acknowledged)) ::_exit(6);
    }
    if (::write(pipe, &progress, sizeof(progress)) != sizeof(progress)) ::_exit(7);
  }
}

/// Starts a child, kills it after `reports` reports, and returns the last one.
Progress run_and_kill(const Path& folder, std::uint64_t seed, std::uint64_t reports) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) run_child(folder, ends[1], seed);
  ::close(ends[1]);
  Progress last;
  for (std::uint64_t i = 0; i < reports; ++i) {
    if (::read(ends[0], &last, sizeof(last)) != sizeof(last)) break;
  }
  ::kill(child, SIGKILL);
  Progress more;
  while (::read(ends[0], &more, sizeof(more)) == sizeof(more)) last = more;  // said before it died
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  return last;
}

TEST(OutboxCrash, EverythingReportedAsDurableIsThereAfterKill) {
  auto temp = TempFolder::create("moru-outbox-crash");
  ASSERT_TRUE(temp);
  const Path folder = temp->path() / "outbox";
  Rng random(20261123);
  for (int round = 0; round < 25; ++round) {
    const auto seen = run_and_kill(folder, random.next(), 1 + random.below(40));
    const auto outbox = Outbox::open(folder, "line", kOptions);
    ASSERT_TRUE(outbox) << outbox.error().message;
    ASSERT_GE((*outbox)->last(), seen.durable) << "round " << round;
    ASSERT_GE((*outbox)->acknowledged(), seen.acknowledged) << "round " << round;
    const auto ledger = (*outbox)->ledger();
    EXPECT_TRUE(ledger.balanced());
    EXPECT_EQ(ledger.dropped_total(), 0U);
    EXPECT_EQ(ledger.in, (*outbox)->last());
    const auto records = (*outbox)->read(0, 1'000'000);
    ASSERT_TRUE(records) << records.error().message;
    std::uint64_t n = (*outbox)->acknowledged();
    for (const auto& record : *records) {
      ASSERT_EQ(record.sequence, ++n);
      ASSERT_EQ(record.body, body_of(n));
    }
    ASSERT_EQ(n, (*outbox)->last());
    if ((*outbox)->last() - (*outbox)->acknowledged() > 5000) {
      ASSERT_TRUE((*outbox)->acknowledge((*outbox)->last()));
    }
  }
}

TEST(OutboxCrash, AFullFileSystemDropsWithItsReasonAndKeepsTheRest) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small file system";
  auto temp = TempFolder::create("moru-outbox-disk");
  ASSERT_TRUE(temp);
  const Path disk = temp->path() / "disk";
  ASSERT_TRUE(make_folders(disk));
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=96k") != 0) GTEST_SKIP() << "may not mount here";
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  {
    const auto outbox = Outbox::open(disk / "outbox", "line", {.max_bytes = 1 << 20, .segment_bytes = 8192});
    ASSERT_TRUE(outbox) << outbox.error().message;
    for (int i = 0; i < 4000; ++i) {
      const auto status = (*outbox)->append("result", body_of(taken + 1));
      ++(status ? taken : refused);
      if (i % 25 == 0) {
        ASSERT_TRUE((*outbox)->sync());
      }
    }
    ASSERT_TRUE((*outbox)->sync());
    EXPECT_GT(taken, 500U);
    EXPECT_GT(refused, 500U);
    ASSERT_TRUE((*outbox)->acknowledge(taken));
    ASSERT_TRUE((*outbox)->append("result", body_of(taken + 1)));  // there is room again
    ASSERT_TRUE((*outbox)->sync());
    ++taken;
  }
  {
    const auto outbox = Outbox::open(disk / "outbox", "line");
    ASSERT_TRUE(outbox) << outbox.error().message;
    const auto ledger = (*outbox)->ledger();
    EXPECT_EQ(ledger.in, taken + refused);
    EXPECT_EQ(ledger.out, taken - 1);
    EXPECT_EQ(ledger.stored, 1U);
    EXPECT_EQ(ledger.dropped_total(), refused);
  }
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace moru::edge
