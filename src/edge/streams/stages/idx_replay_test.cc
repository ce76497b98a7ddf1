// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::HasSubstr;

class IdxReplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-replay");
    ASSERT_TRUE(folder);
    temp_.emplace(std::move(*folder));
    testing::write_idx(temp_->path(), 40);
  }
  std::string options(std::string_view more = "") const { return fmt::format("folder: '{}'\n{}", temp_->path().string(), more); }
  std::unique_ptr<SourceStage> open(std::string_view more) {
    auto source = testing::make_source("idx_replay", options(more));
    EXPECT_TRUE(source) << source.error().message;
    const auto status = (*source)->open({.clock = &clock_, .resources = {}, .stream = "test", .stop = {}});
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*source);
  }
  std::string error_of(const std::string& text) const {
    auto source = testing::make_source("idx_replay", text);
    if (!source) return source.error().message;
    const auto status = (*source)->open({.clock = &system_clock(), .resources = {}, .stream = "test", .stop = {}});
    return status ? "no error" : status.error().message;
  }
  static std::vector<Item> run(SourceStage& source) {
    Caught caught;
    while (*source.produce(caught)) {
    }
    return std::move(caught.items);
  }

  std::optional<TempFolder> temp_;
  FakeClock clock_;
};

TEST_F(IdxReplayTest, EmitsImagesWithTheirClassAndLoops) {
  const auto source = open("items: 50");
  const auto items = run(*source);
  ASSERT_EQ(items.size(), 50U);
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(items[i].sequence, i + 1);
    const auto label = static_cast<std::int64_t>(i % 40 % 10);
    EXPECT_EQ(*items[i].get<std::int64_t>("truth"), label);
    EXPECT_EQ(*items[i].get<std::int64_t>("order"), label);
    const auto* image = items[i].get<model::Tensor>("image");
    ASSERT_NE(image, nullptr);
    EXPECT_EQ(image->dims(), (model::Dims{4, 4}));
    EXPECT_EQ(image->data<std::uint8_t>()[15], 25 * label);
  }
}

TEST_F(IdxReplayTest, WithoutLoopEndsWithTheData) { EXPECT_EQ(run(*open("loop: false")).size(), 40U); }

TEST_F(IdxReplayTest, UsesItsSliceOnly) {
  const auto items = run(*open("first: 15\ncount: 3\nitems: 4"));
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(*items[0].get<std::int64_t>("truth"), 5);
  EXPECT_EQ(*items[2].get<std::int64_t>("truth"), 7);
  EXPECT_EQ(*items[3].get<std::int64_t>("truth"), 5);
}

TEST_F(IdxReplayTest, SwapsByTheSeedAndTheItemAlone) {
  const auto items = run(*open("items: 20000\nswap_fraction: 0.02\nseed: 5"));
  std::vector<std::int64_t> by_other(10, 0);
  std::int64_t swapped = 0;
  for (const auto& item : items) {
    const auto order = *item.get<std::int64_t>("order");
    if (order == *item.get<std::int64_t>("truth")) continue;
    ++swapped;
    ++by_other[static_cast<std::size_t>(order)];
  }
  // 20,000 draws of 0.02: 400, with a standard deviation of 20.
  EXPECT_NEAR(static_cast<double>(swapped), 400.0, 100.0);
  EXPECT_GT(*std::ranges::min_element(by_other), 10);
  const auto again = run(*open("items: 300\nswap_fraction: 0.02\nseed: 5"));
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(*again[i].get<std::int64_t>("order"), *items[i].get<std::int64_t>("order"));
  const auto other = run(*open("items: 20000\nswap_fraction: 0.02\nseed: 6"));
  int different = 0;
  for (std::size_t i = 0; i < other.size(); ++i)
    different += *other[i].get<std::int64_t>("order") != *items[i].get<std::int64_t>("order") ? 1 : 0;
  EXPECT_GT(different, 500);
}

TEST_F(IdxReplayTest, KeepsItsScheduleWithoutDrift) {
  const auto source = open("rate_hz: 300\nitems: 1000");
  const TimeNs start = clock_.steady_now();
  Caught first;
  ASSERT_TRUE(*source->produce(first));  // the schedule begins here, before the clock moves
  std::atomic<bool> done{false};
  std::thread mover([&] {
    while (!done) {
      clock_.advance(kMillisecond);
      std::this_thread::yield();
    }
  });
  auto items = run(*source);
  done = true;
  mover.join();
  items.insert(items.begin(), first.items[0]);
  EXPECT_EQ(items.size() + source->missed(), items.back().sequence);
  for (const auto& item : items) {
    // Each item's time is its place in the schedule, whatever happened to the ones before.
    EXPECT_NEAR(static_cast<double>(item.emitted - start), static_cast<double>(item.sequence - 1) * 1e9 / 300.0, 2.0);
  }
}

TEST_F(IdxReplayTest, EmitsAnItemOnlyWhenItIsDue) {
  const auto source = open("rate_hz: 0.5\nlate_ms: 1000000");  // the clock may run ahead of the thread below
  Caught caught;
  ASSERT_TRUE(*source->produce(caught));  // the first is due at once
  ASSERT_EQ(caught.items.size(), 1U);
  const TimeNs before = clock_.steady_now();
  std::atomic<bool> done{false};
  TimeNs emitted_at = 0;
  std::thread caller([&] {
    while (caught.items.size() < 2) {
      ASSERT_TRUE(*source->produce(caught));  // returns without an item when its 50 ms are over
    }
    emitted_at = clock_.steady_now();
    done = true;
  });
  while (!done) {
    clock_.advance(kMillisecond);
    std::this_thread::yield();
  }
  caller.join();
  EXPECT_GE(emitted_at - before, 2 * kSecond);
  EXPECT_EQ(caught.items[1].emitted - before, 2 * kSecond);
}

TEST_F(IdxReplayTest, ItemsThatNobodyTookInTimeAreMissedAndTheirNumbersSkipped) {
  const auto source = open("rate_hz: 100\nlate_ms: 200");
  Caught caught;
  ASSERT_TRUE(*source->produce(caught));
  clock_.advance(kSecond);  // the line stands for a second: items 2 to 101 are due, the last 21 of them are not too late
  ASSERT_TRUE(*source->produce(caught));
  EXPECT_EQ(source->missed(), 79U);
  EXPECT_EQ(caught.items.back().sequence, 81U);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(*source->produce(caught));
  EXPECT_EQ(caught.items.back().sequence, 101U);
  EXPECT_EQ(source->missed(), 79U);
}

TEST_F(IdxReplayTest, DrainEndsItAtThatItem) {
  const auto source = open("items: 30");
  source->drain_at(12);
  EXPECT_EQ(run(*source).size(), 12U);
}

TEST_F(IdxReplayTest, GoesOnWhereItWasWhenItIsOpenedAgain) {
  const auto source = open("items: 6");
  Caught caught;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(*source->produce(caught));
  ASSERT_TRUE(source->close());
  ASSERT_TRUE(source->open({.clock = &clock_, .resources = {}, .stream = "test", .stop = {}}));
  ASSERT_TRUE(*source->produce(caught));
  EXPECT_EQ(caught.items.back().sequence, 4U);
}

TEST_F(IdxReplayTest, MistakesAreNamed) {
  EXPECT_THAT(error_of("{}"), HasSubstr("expected either 'folder' or both 'images' and 'labels'"));
  EXPECT_THAT(error_of(options("images: x")), HasSubstr("two places"));
  EXPECT_THAT(error_of(options("rate_h: 3")), HasSubstr("did you mean"));
  EXPECT_THAT(error_of(options("first: 39\ncount: 2")), HasSubstr("within the 40 images"));
  EXPECT_THAT(error_of(options("part: train")), HasSubstr("train-images"));
  EXPECT_THAT(error_of(options("swap_fraction: 1.5")), HasSubstr("between 0 and 1"));
}

TEST_F(IdxReplayTest, AFileThatIsCutShortIsRefused) {
  const Path images = temp_->path() / "t10k-images-idx3-ubyte";
  std::filesystem::resize_file(images, 300);
  EXPECT_THAT(error_of(options()), HasSubstr("t10k-images"));
}

TEST_F(IdxReplayTest, ImagesAndLabelsMustBeAsMany) {
  testing::write_idx(temp_->path() / "other", 30);
  EXPECT_THAT(error_of(fmt::format("images: '{}'\nlabels: '{}'", (temp_->path() / "t10k-images-idx3-ubyte").string(),
                                   (temp_->path() / "other" / "t10k-labels-idx1-ubyte").string())),
              HasSubstr("[40, 4, 4]"));
}

}  // namespace
}  // namespace moru::edge
