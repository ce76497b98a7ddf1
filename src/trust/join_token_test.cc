// SPDX-License-Identifier: Apache-2.0
#include "trust/join_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"

namespace moru::trust {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFingerprint(64, 'a');

JoinToken token() { return *make_token("https://127.0.0.1:8443", kFingerprint, 1'800'000'000 * kSecond); }

TEST(JoinToken, GoesThroughText) {
  const JoinToken before = token();
  const std::string text = write_token(before);
  EXPECT_TRUE(text.starts_with("moru1."));
  EXPECT_EQ(text.find_first_of(" +/=\n"), std::string::npos);
  const auto after = read_token("  " + text + "\n");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->hub_url, before.hub_url);
  EXPECT_EQ(after->ca_fingerprint, before.ca_fingerprint);
  EXPECT_EQ(after->id, before.id);
  EXPECT_EQ(after->secret, before.secret);
  EXPECT_EQ(after->expires, before.expires);
}

TEST(JoinToken, IdAndSecretAreNew) {
  const JoinToken a = token();
  const JoinToken b = token();
  EXPECT_NE(a.id, b.id);
  EXPECT_NE(a.secret, b.secret);
  EXPECT_EQ(a.secret.size(), 64U);
}

TEST(JoinToken, RefusesWhatIsNotAToken) {
  for (const char* text : {"", "moru1.", "moru2.e30", "hello", "moru1.e30", "moru1.####", "moru1.W10", "moru1.e", "moru1.eyJ1cmwiOjF9"}) {
    const auto result = read_token(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_THAT(result.error().message, HasSubstr("join token: ")) << text;
  }
  EXPECT_FALSE(read_token("moru1." + std::string(100'000, 'A')));
}

TEST(JoinToken, RefusesFieldsThatAreWrong) {
  const auto reread = [](auto&& change) {
    JoinToken changed = token();
    change(changed);
    return read_token(write_token(changed));
  };
  EXPECT_FALSE(reread([](JoinToken& t) { t.hub_url = "http://127.0.0.1:8443"; }));
  EXPECT_FALSE(reread([](JoinToken& t) { t.hub_url = "https://a b"; }));
  EXPECT_FALSE(reread([](JoinToken& t) { t.ca_fingerprint = "abc"; }));
  EXPECT_FALSE(reread([](JoinToken& t) { t.id = "../../../../etc/"; }));
  EXPECT_FALSE(reread([](JoinToken& t) { t.secret.pop_back(); }));
  EXPECT_FALSE(reread([](JoinToken& t) { t.expires = 0; }));
  EXPECT_TRUE(reread([](JoinToken&) {}));
}

TEST(JoinToken, ErrorsNeverShowTheSecret) {
  JoinToken wrong = token();
  wrong.secret += "00";
  const auto result = read_token(write_token(wrong));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, Not(HasSubstr(wrong.secret.substr(0, 16))));
}

TEST(JoinToken, SurvivesMutations) {
  const std::string text = write_token(token());
  Rng rng(20261123);
  for (int round = 0; round < 2000; ++round) {
    std::string mutated = text;
    for (std::uint64_t i = 0; i <= rng.below(4); ++i) mutated[rng.below(mutated.size())] = static_cast<char>(rng.below(256));
    mutated.resize(mutated.size() - rng.below(20));
    const auto result = read_token(mutated);
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    } else {
      EXPECT_EQ(result->secret.size(), 64U);
    }
  }
}

TEST(RandomHex, GivesAsManyBytesAsAskedFor) {
  EXPECT_EQ(random_hex(16)->size(), 32U);
  EXPECT_NE(*random_hex(16), *random_hex(16));
  EXPECT_FALSE(random_hex(0));
  EXPECT_FALSE(random_hex(-1));
}

}  // namespace
}  // namespace moru::trust
