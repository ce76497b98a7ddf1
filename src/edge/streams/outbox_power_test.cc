// SPDX-License-Identifier: Apache-2.0
// What a killed process and a power cut leave of an outbox, at every change that it makes on disk. MORU_TEST_POINTS=all takes all
// points; otherwise a tenth of them, a different one each day (MORU_TEST_SEED names another).
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "edge/streams/disk_for_test.h"
#include "edge/streams/outbox.h"

namespace moru::edge {
namespace {

const OutboxOptions kOptions{.max_bytes = 1 << 20, .segment_bytes = 4096};
constexpr std::uint64_t kScenario = 20261130;

/// Bodies differ in length, so that a torn write is torn everywhere.
std::string body_of(std::uint64_t n) { return fmt::format(R"({{"n":{},"x":"{}"}})", n, std::string((n * 37) % 300, 'x')); }

std::uint64_t seed_of_today() {
  if (const char* text = std::getenv("MORU_TEST_SEED")) return std::strtoull(text, nullptr, 10);
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::days>(std::chrono::system_clock::now().time_since_epoch()).count());
}

/// Which points are looked at.
class Points {
 public:
  Points() : all_(std::getenv("MORU_TEST_POINTS") != nullptr), seed_(seed_of_today()) {
    testing::Test::RecordProperty("seed", std::to_string(seed_));
  }
  bool has(std::size_t point) const { return all_ || (point + seed_) % 10 == 0; }
  std::uint64_t seed() const { return seed_; }

 private:
  bool all_;
  std::uint64_t seed_;
};

/// What the outbox had said, and the receiver had, after so many changes of the disk.
struct Promise {
  std::size_t changes = 0;
  std::uint64_t durable = 0;
  std::uint64_t received = 0;
};

/// Appends, syncs, acknowledges, and opens anew, always in the same way. `said` is told after each promise.
template <class Said>
void work(const Path& folder, std::size_t rounds, const Said& said) {
  Rng random(kScenario);
  Promise promise;
  auto outbox = Outbox::open(folder, "line", kOptions);
  for (std::size_t round = 0; round < rounds; ++round) {
    if (!outbox) return;
    for (auto more = 1 + random.below(3); more > 0; --more) {
      static_cast<void>((*outbox)->append("result", body_of((*outbox)->last() + 1)));
    }
    if ((*outbox)->sync()) promise.durable = (*outbox)->last();
    said(promise, **outbox);
    if (random.below(3) == 0) {
      promise.received += random.below(promise.durable - promise.received + 1);
      said(promise, **outbox);
      static_cast<void>((*outbox)->acknowledge(promise.received));
    }
    if (random.below(12) == 0) {
      outbox = fail(ErrorCode::kInternal, "closed");
      outbox = Outbox::open(folder, "line", kOptions);
    }
  }
}

/// Opens what was left, and holds it to what had been promised.
void check_kept(const Path& folder, const Promise& promise, TimeNs* slowest) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outbox = Outbox::open(folder, "line", kOptions);
  const TimeNs took = (std::chrono::steady_clock::now() - begin).count();
  *slowest = std::max(*slowest, took);
  ASSERT_TRUE(outbox) << outbox.error().message;
  Outbox& box = **outbox;
  ASSERT_LE(box.acknowledged(), promise.received);
  ASSERT_GE(box.last(), promise.durable);
  ASSERT_TRUE(box.ledger().balanced());
  const auto records = box.read(0, 1'000'000);
  ASSERT_TRUE(records) << records.error().message;
  std::uint64_t n = box.acknowledged();
  for (const auto& record : *records) {
    ASSERT_EQ(record.sequence, ++n);
    if (record.kind == kLostKind && n > promise.durable) continue;
    ASSERT_EQ(record.kind, "result") << "record " << n << " of " << promise.durable << " durable ones";
    ASSERT_EQ(record.body, body_of(n));
  }
  ASSERT_EQ(n, box.last());
  ASSERT_TRUE(box.append("result", body_of(box.last() + 1)));
  ASSERT_TRUE(box.sync());
  ASSERT_EQ(box.read(n, 10).value_or(std::vector<wire::Record>{}).size(), 1U);
}

/// For scripts/measure_streams.
void report(std::size_t points, std::size_t states, TimeNs slowest) {
  testing::Test::RecordProperty("points", std::to_string(points));
  testing::Test::RecordProperty("states", std::to_string(states));
  testing::Test::RecordProperty("slowest_start_us", std::to_string(slowest / 1000));
}

const Promise& promised_at(const std::vector<Promise>& promises, std::size_t changes) {
  std::size_t at = 0;
  while (at + 1 < promises.size() && promises[at + 1].changes <= changes) ++at;
  return promises[at];
}

class OutboxPower : public testing::Test {
 protected:
  void SetUp() override {
    // In memory where there is such a folder: thousands of small disks are made.
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
    auto temp = TempFolder::create("moru-outbox-power");
    ASSERT_TRUE(temp);
    temp_ = std::make_unique<TempFolder>(std::move(*temp));
    ASSERT_TRUE(make_folders(root()));
  }
  Path root() const { return temp_->path() / "disk"; }
  Path after() const { return temp_->path() / "after"; }

  /// The work on a fresh disk, with notes.
  std::vector<DiskOp> record(const DiskPlan& plan, std::size_t rounds, std::vector<Promise>* promises) {
    materialise({}, root());
    promises->assign(1, {});
    DiskRecorder disk(root(), plan);
    work(root() / "outbox", rounds, [&](Promise promise, Outbox&) {
      promise.changes = disk.count();
      promises->push_back(promise);
    });
    syncs_ = disk.syncs();
    return disk.take();
  }

  /// Every state that a cut after `count` changes may leave keeps what had been promised by then.
  void check_cut(const std::vector<DiskOp>& ops, std::size_t count, const Promise& promise, Rng& random) {
    SCOPED_TRACE(fmt::format("power cut after {} changes", count));
    states_ += for_each_power_cut(ops, count, 64, random, [&](const DiskImage& image) {
      if (HasFatalFailure()) return;
      materialise(image, after());
      DiskRecorder quiet(after(), {});  // nothing has to be fsynced to be looked at
      check_kept(after() / "outbox", promise, &slowest_);
    });
    ++points_;
  }

  std::unique_ptr<TempFolder> temp_;
  std::size_t syncs_ = 0;
  std::size_t points_ = 0;
  std::size_t states_ = 0;
  TimeNs slowest_ = 0;
};

TEST_F(OutboxPower, EveryStateThatAPowerCutMayLeaveKeepsWhatWasPromised) {
  const Points points;
  std::vector<Promise> promises;
  const auto ops = record({}, 120, &promises);
  ASSERT_GT(ops.size(), 500U);
  ASSERT_GT(promises.back().received, 50U);
  Rng random(points.seed());
  for (std::size_t count = 0; count <= ops.size(); ++count) {
    if (!points.has(count)) continue;
    check_cut(ops, count, promised_at(promises, count), random);
    if (HasFatalFailure()) return;
  }
  report(points_, states_, slowest_);
  EXPECT_LT(slowest_, kSecond);
}

TEST_F(OutboxPower, AfterAnFsyncThatFailedNothingPromisedIsLostAndTheFileIsNotWrittenAgain) {
  const Points points;
  std::vector<Promise> promises;
  record({}, 30, &promises);
  const std::size_t syncs = syncs_;
  ASSERT_GT(syncs, 30U);
  Rng random(points.seed());
  for (std::size_t failing = 0; failing < syncs; ++failing) {
    if (!points.has(failing)) continue;
    SCOPED_TRACE(fmt::format("fsync {} fails", failing));
    const auto ops = record({.kill_at = {}, .fail_sync = failing}, 30, &promises);
    std::optional<std::size_t> given_up;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].kind == DiskOp::Kind::kSync && ops[i].failed && ops[i].file != 0)
        given_up = ops[i].file;  // 0: the state, written in place
      if (given_up && ops[i].kind == DiskOp::Kind::kWrite) {
        EXPECT_NE(ops[i].file, *given_up) << "change " << i;
      }
    }
    for (std::size_t count = failing; count <= ops.size(); count += 7) check_cut(ops, count, promised_at(promises, count), random);
    if (HasFailure()) return;
  }
  report(points_, states_, slowest_);
}

/// Does the work until it is killed, and says each promise over the pipe.
[[noreturn]] void be_killed(const Path& root, std::size_t at, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const DiskRecorder disk(root, {.kill_at = at, .fail_sync = {}});
  work(root / "outbox", 200, [&](const Promise& promise, Outbox&) {
    if (::write(pipe, &promise, sizeof(promise)) != sizeof(promise)) ::_exit(7);
  });
  ::_exit(0);
}

TEST_F(OutboxPower, KilledAtEveryChangeItKeepsWhatWasPromised) {
  const Points points;
  for (std::size_t at = 0; at < 600; ++at) {
    if (!points.has(at)) continue;
    SCOPED_TRACE(fmt::format("killed at change {}", at));
    materialise({}, root());
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) be_killed(root(), at, ends[1]);
    ::close(ends[1]);
    Promise promise;
    for (Promise next; ::read(ends[0], &next, sizeof(next)) == sizeof(next);) promise = next;
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    check_kept(root() / "outbox", promise, &slowest_);
    if (HasFatalFailure()) return;
    ++points_;
  }
  report(points_, points_, slowest_);
  EXPECT_LT(slowest_, kSecond);
}

}  // namespace
}  // namespace moru::edge
