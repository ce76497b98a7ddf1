// SPDX-License-Identifier: Apache-2.0
// The sources that read whole files: read_wav, read_images.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "edge/streams/stage_for_test.h"
#include "edge/streams/wav_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::wav_bytes;

class FoldersTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view bytes) const { ASSERT_TRUE(write_file_atomic(folder_.path() / name, bytes)); }
  std::unique_ptr<SourceStage> make(std::string_view stage, const std::string& more) {
    auto source = testing::make_source(stage, "{path: " + folder_.path().string() + more + "}");
    EXPECT_TRUE(source) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  Status open(SourceStage& source) { return source.open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}); }
  std::string run(std::string_view stage, const std::string& more = "") {
    const auto source = make(stage, more);
    if (const auto opened = open(*source); !opened) return opened.error().message;
    while (true) {
      const auto produced = source->produce(caught_);
      if (!produced) return produced.error().message;
      if (!*produced) return "";
    }
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const Item& item : caught_.items) names.emplace_back(*item.text("file"));
    return names;
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-folders"));
  FakeClock clock_;
  testing::Caught caught_;
};

TEST_F(FoldersTest, WavGivesChunksWithTheirPlaceAndTime) {
  write("a.wav", wav_bytes(1, 1000, 16, false, {0, 0x4000, 0x2000, 0x1000, 0x0800}));
  ASSERT_EQ(run("read_wav", ", samples: 2, full_scale: 20, unit: Pa"), "");
  ASSERT_EQ(caught_.items.size(), 2U) << "what is left is less than a chunk";
  const Item& second = caught_.items[1];
  EXPECT_EQ(second.sequence, 2U);
  EXPECT_THAT(second.get<model::Tensor>("samples")->data<float>(), ElementsAre(5.0F, 2.5F));
  EXPECT_EQ(*second.get<std::int64_t>("sample_rate"), 1000);
  EXPECT_EQ(*second.get<std::int64_t>("position"), 2);
  EXPECT_EQ(second.text("file"), "a.wav");
  EXPECT_EQ(second.event_time - caught_.items[0].event_time, 2 * kMillisecond);
  EXPECT_EQ(caught_.items[0].event_time, clock_.wall_now());
}

TEST_F(FoldersTest, FilesComeInTheOrderOfTheirNamesAndDamagedOnesAreDropped) {
  write("3.wav", wav_bytes(1, 1000, 16, false, {1}));
  write("2.wav", wav_bytes(1, 1000, 16, false, {1, 2}).substr(0, 58));
  write("1.WAV", wav_bytes(2, 1000, 32, true, {1, 2}));
  write("4.wav", wav_bytes(1, 2000, 16, false, {1}));
  write("5.wav", "");
  write("6.wav", wav_bytes(1, 1000, 8, false, {1}));
  write("7.txt", "no sound");
  ASSERT_EQ(run("read_wav", ", samples: 1, sample_rate_hz: 1000"), "");
  EXPECT_THAT(files(), ElementsAre("1.WAV", "3.wav"));
  EXPECT_THAT(caught_.reasons, ElementsAre("damaged file", "other format", "damaged file", "other format"));
}

TEST_F(FoldersTest, AFileThatIsCutOffWhileItIsReadIsDropped) {
  write("a.wav", wav_bytes(1, 1000, 16, false, {1, 2, 3, 4}));
  const auto source = make("read_wav", ", samples: 1");
  ASSERT_TRUE(open(*source));
  ASSERT_TRUE(source->produce(caught_));
  std::filesystem::resize_file(folder_.path() / "a.wav", 20);
  ASSERT_TRUE(source->produce(caught_));
  EXPECT_FALSE(*source->produce(caught_));
  EXPECT_EQ(caught_.items.size(), 1U);
  EXPECT_THAT(caught_.reasons, ElementsAre("damaged file"));
}

TEST_F(FoldersTest, ImagesAreTensorsOfTheColoursAskedFor) {
  write("a.pgm", "P5 2 1 255\nab");
  write("b.ppm", "P6 1 1 255\nabc");
  write("c.png", "no image");
  ASSERT_EQ(run("read_images"), "");
  ASSERT_EQ(caught_.items.size(), 2U);
  EXPECT_THAT(caught_.items[0].get<model::Tensor>("image")->dims(), ElementsAre(1, 2));
  EXPECT_THAT(caught_.items[1].get<model::Tensor>("image")->dims(), ElementsAre(1, 1, 3));
  EXPECT_THAT(caught_.reasons, ElementsAre("other format"));
  ASSERT_EQ(run("read_images", ", colour: rgb, items: 1"), "");
  EXPECT_THAT(caught_.items[2].get<model::Tensor>("image")->dims(), ElementsAre(1, 2, 3));
  const auto grey = make("read_images", ", colour: grey");
  EXPECT_EQ(grey->bind()->find("image")->dims->size(), 2U);
}

TEST_F(FoldersTest, WatchedFilesAreReadWhenNobodyWritesToThemAnyMore) {
  const auto source = make("read_images", ", watch: true, settle_ms: 1000, items: 3");
  ASSERT_TRUE(open(*source)) << "an empty folder may fill";
  const TimeNs start = clock_.wall_now();
  write("b.pgm", "P5 1 1 255\na");
  std::atomic<std::size_t> have{0};
  std::atomic<bool> done{false};
  std::thread caller([&] {
    for (auto more = source->produce(caught_); more && *more; more = source->produce(caught_)) have = caught_.items.size();
    done = true;
  });
  const auto advance_until = [&](std::size_t items) {
    while (!done && have < items) {
      clock_.advance(10 * kMillisecond);
      std::this_thread::yield();
    }
  };
  advance_until(1);
  write("a.pgm", "P5 1 1 255\nb");
  advance_until(2);
  write("b.pgm", "P5 2 1 255\nab");  // as a camera that has one file
  advance_until(3);
  caller.join();
  EXPECT_THAT(files(), ElementsAre("b.pgm", "a.pgm", "b.pgm"));
  EXPECT_GE(caught_.items[0].event_time - start, kSecond);
  EXPECT_GE(caught_.items[1].event_time - caught_.items[0].event_time, kSecond);
}

TEST_F(FoldersTest, ThePaceIsKeptAndALateItemDoesNotMakeTheNextOnesHurry) {
  for (int i = 0; i < 4; ++i) write(fmt::format("{}.pgm", i), "P5 1 1 255\na");
  const auto source = make("read_images", ", rate_hz: 10");
  ASSERT_TRUE(open(*source));
  const TimeNs start = clock_.steady_now();
  ASSERT_TRUE(source->produce(caught_));
  clock_.advance(kSecond);
  for (int calls = 0; caught_.items.size() < 3 && calls < 10; ++calls) ASSERT_TRUE(source->produce(caught_));
  ASSERT_EQ(caught_.items.size(), 3U);
  EXPECT_EQ(caught_.items[1].emitted - start, 100 * kMillisecond);
  EXPECT_EQ(caught_.items[2].emitted - start, 900 * kMillisecond);
}

TEST_F(FoldersTest, MistakesAreFoundBeforeAnythingRuns) {
  EXPECT_THAT(run("read_wav"), HasSubstr("expected some named *.wav"));
  const auto mistake = [](std::string_view options) { return testing::make_source("read_wav", options).error().message; };
  EXPECT_THAT(mistake("{path: x, samples: 0}"), HasSubstr("0"));
  EXPECT_THAT(mistake("{path: x, smaples: 1}"), HasSubstr("did you mean 'samples'?"));
  EXPECT_THAT(mistake("{path: x, time: wall}"), HasSubstr("'wall'"));
}

}  // namespace
}  // namespace moru::edge
