// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/channel.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/json.h"

namespace moru::runtime {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    a = OwnedFd(ends[0]);
    b = OwnedFd(ends[1]);
  }
  OwnedFd a;
  OwnedFd b;
};

TEST(Channel, ValuesComeBackLineByLine) {
  Pair pair;
  ASSERT_TRUE(send_line(pair.a.get(), {{"text", "two\nlines"}}).has_value());
  ASSERT_TRUE(send_line(pair.a.get(), Json::array({1, 2})).has_value());
  pair.a.reset();
  LineReader reader;
  std::string line;
  EXPECT_FALSE(reader.next(&line));
  while (reader.fill(pair.b.get()).value()) {
  }
  ASSERT_TRUE(reader.next(&line));
  EXPECT_EQ(parse_json(line, "line").value()["text"], "two\nlines");
  ASSERT_TRUE(reader.next(&line));
  EXPECT_EQ(line, "[1,2]");
  EXPECT_FALSE(reader.next(&line));
}

TEST(Channel, HalfALineWaitsForItsRest) {
  Pair pair;
  LineReader reader;
  std::string line;
  ASSERT_EQ(::write(pair.a.get(), "[1,", 3), 3);
  ASSERT_TRUE(reader.fill(pair.b.get()).value());
  EXPECT_FALSE(reader.next(&line));
  ASSERT_EQ(::write(pair.a.get(), "2]\n", 3), 3);
  ASSERT_TRUE(reader.fill(pair.b.get()).value());
  ASSERT_TRUE(reader.next(&line));
  EXPECT_EQ(line, "[1,2]");
}

TEST(Channel, ALineWithoutEndIsRefused) {
  Pair pair;
  LineReader reader;
  const std::string piece(65536, 'x');
  Result<bool> more = true;
  for (int i = 0; i < 2000 && more; ++i) {
    ASSERT_EQ(::write(pair.a.get(), piece.data(), piece.size()), std::ssize(piece));
    more = reader.fill(pair.b.get());
  }
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code, ErrorCode::kResourceExhausted);
}

TEST(Channel, NobodyThereIsAnError) {
  Pair pair;
  pair.b.reset();
  EXPECT_EQ(send_line(pair.a.get(), 1).error().code, ErrorCode::kUnavailable);
}

TEST(Channel, ErrorsKeepCodeAndWords) {
  const auto status = status_of_answer(error_answer({ErrorCode::kUnsupported, "found an op, expected another"}));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(status.error().message, "found an op, expected another");
  EXPECT_TRUE(status_of_answer(Json::object()).has_value());
  EXPECT_EQ(status_of_answer(Json::array()).error().code, ErrorCode::kInternal);
  EXPECT_EQ(status_of_answer({{"error", 7}}).error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace moru::runtime
