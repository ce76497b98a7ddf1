// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/url.h"

#include <gmock/gmock.h>

namespace moru::wire::server {
namespace {

TEST(ParseTarget, DecodesPathAndQuery) {
  const auto target = parse_target("/v1/records?kind=alert&node=a%20b+c&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/records");
  EXPECT_EQ(target->query.find("node")->second, "a b c");
  EXPECT_EQ(target->query.find("flag")->second, "");
}

TEST(ParseTarget, RefusesHostileTargets) {
  for (const char* text : {"", "v1", "http://x/", "*", "/../etc/passwd", "/a/../b", "/%2e%2e/etc/passwd", "/a/..%2fb", "/.", "/a//b",
                           "/%00", "/a%0d%0aSet-Cookie", "/%", "/%4", "/%zz", "/x?a=%1"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
  EXPECT_FALSE(parse_target("/" + std::string(5000, 'a')));
}

std::string range(const char* header) {
  const auto found = parse_range(header, 100);
  return found ? std::to_string(found->first) + "+" + std::to_string(found->length) : "none";
}

TEST(ParseRange, TakesOneRange) {
  EXPECT_EQ(range("bytes=0-9"), "0+10");
  EXPECT_EQ(range("bytes=90-"), "90+10");
  EXPECT_EQ(range("bytes=90-1000"), "90+10");
  EXPECT_EQ(range("bytes=-5"), "95+5");
  EXPECT_EQ(range("bytes=-500"), "0+100");
  EXPECT_EQ(range("bytes=100-"), "0+0");
}

TEST(ParseRange, IgnoresWhatItDoesNotKnow) {
  for (const char* text :
       {"", "items=0-9", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=1-x", "bytes=18446744073709551616-"}) {
    EXPECT_EQ(range(text), "none") << text;
  }
}

}  // namespace
}  // namespace moru::wire::server
