// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace moru::edge {
namespace {

using ::testing::ElementsAre;

/// What comes out of `bytes`, pushed so many at a time; a frame that is none as "!reason".
std::vector<std::string> frames(const FrameOptions& options, std::string_view bytes, std::size_t at_a_time) {
  Framer framer(options);
  std::vector<std::string> result;
  for (std::size_t i = 0; i < bytes.size(); i += at_a_time) {
    framer.push(bytes.substr(i, at_a_time));
    while (const auto frame = framer.next())
      result.push_back(frame->dropped.empty() ? std::string(frame->bytes) : "!" + std::string(frame->dropped));
  }
  return result;
}

TEST(Framer, LinesAreTheSameHoweverTheyCome) {
  const std::string bytes = "st\r\nof\n12345678\r\n123456789\n\na" + std::string(1000, 'x') + "\nlast\nrest";
  for (const std::size_t size : {1U, 2U, 3U, 7U, 4096U}) {
    EXPECT_THAT(frames({.max_length = 8}, bytes, size),
                ElementsAre("!cut off", "of", "12345678", "!frame too long", "", "!frame too long", "last"));
  }
}

TEST(Framer, ADelimiterMayHaveSeveralBytes) {
  for (const std::size_t size : {1U, 2U, 4096U})
    EXPECT_THAT(frames({.delimiter = "ab", .lines = false}, "abaxab\raba", size), ElementsAre("!cut off", "ax", "\r"));
}

TEST(Framer, FramesOfALengthFindTheirBeginningAgain) {
  for (const std::size_t size : {1U, 2U, 5U, 4096U}) {
    EXPECT_THAT(frames({.delimiter = "", .length = 4, .begin = "YY"}, "xxxYY12YY3YYY45xYY", size),
                ElementsAre("!out of step", "YY12", "YY3Y", "!out of step"));
    EXPECT_THAT(frames({.delimiter = "", .length = 3}, "12345678", size), ElementsAre("123", "456"));
  }
}

TEST(Framer, ANewLineForgetsWhatHadBegun) {
  Framer framer({});
  EXPECT_FALSE(framer.reset());
  framer.push("a\nb");
  EXPECT_EQ(framer.next()->dropped, "cut off");
  EXPECT_FALSE(framer.next());
  EXPECT_TRUE(framer.reset());
  framer.push("c\nd\n");
  EXPECT_EQ(framer.next()->dropped, "cut off");
  EXPECT_EQ(framer.next()->bytes, "d");
}

}  // namespace
}  // namespace moru::edge
