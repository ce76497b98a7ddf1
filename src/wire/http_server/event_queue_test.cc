// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/event_queue.h"

#include <gmock/gmock.h>

namespace moru::wire::server {
namespace {

TEST(EventQueue, GivesAllThatWaitsAtOnce) {
  EventQueue queue(10, true);
  EXPECT_TRUE(queue.push("a\n\n"));   // must be woken
  EXPECT_FALSE(queue.push("b\n\n"));  // is awake
  EXPECT_EQ(queue.take(), "a\n\nb\n\n");
  EXPECT_EQ(queue.take(), "");
  EXPECT_TRUE(queue.push("c\n\n"));
}

TEST(EventQueue, AListenerThatFallsBehindLosesTheOldestAndIsTold) {
  EventQueue queue(2, true);
  for (const char* event : {"a", "b", "c", "d"}) queue.push(event);
  EXPECT_FALSE(queue.too_slow());
  EXPECT_EQ(queue.take(), "event: lost\ndata: {\"events\":2}\n\ncd");
  queue.push("e");
  EXPECT_EQ(queue.take(), "e");
}

TEST(EventQueue, OrIsCutOff) {
  EventQueue queue(2, false);
  for (const char* event : {"a", "b"}) queue.push(event);
  EXPECT_FALSE(queue.too_slow());
  queue.push("c");
  EXPECT_TRUE(queue.too_slow());
}

TEST(EventQueue, IsBoundedByBytesToo) {
  EventQueue queue(1000, true);
  const std::string large(400'000, 'x');
  for (int i = 0; i < 5; ++i) queue.push(large);
  EXPECT_LT(queue.take().size(), 1'100'000U);
  queue.push(std::string(3'000'000, 'y'));  // one that is larger than all is still told
  EXPECT_GE(queue.take().size(), 3'000'000U);
}

}  // namespace
}  // namespace moru::wire::server
