// SPDX-License-Identifier: Apache-2.0
#include "trust/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "trust/openssl.h"

namespace moru::trust {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string unhex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return bytes;
}

// RFC 8032, section 7.1, TEST 3.
constexpr std::string_view kSecret = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
constexpr std::string_view kMessage = "af82";
constexpr std::string_view kSignature =
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

std::string private_pem(std::string_view raw_hex) {
  const std::string raw = unhex(raw_hex);
  const openssl::KeyPtr key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(raw.data()), raw.size()));
  return *openssl::write_private_key(key.get());
}

class KeysTest : public ::testing::Test {
 protected:
  Path path(const char* name) const { return folder_.path() / name; }
  TempFolder folder_ = std::move(*TempFolder::create("moru-keys"));
};

TEST_F(KeysTest, SignsTheVectorOfRfc8032) {
  ASSERT_TRUE(write_file_atomic(path("key.pem"), private_pem(kSecret), 0600));
  const auto key = SigningKey::load(path("key.pem"));
  ASSERT_TRUE(key) << key.error().message;
  const auto signature = key->sign(unhex(kMessage));
  ASSERT_TRUE(signature);
  EXPECT_EQ(*signature, unhex(kSignature));
  EXPECT_TRUE(key->public_key().verify(unhex(kMessage), unhex(kSignature)));
}

TEST_F(KeysTest, RefusesEveryFlippedBit) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key);
  const std::string message = "release 2";
  const auto signature = key->sign(message);
  ASSERT_TRUE(signature);
  const PublicKey public_key = key->public_key();
  ASSERT_TRUE(public_key.verify(message, *signature));
  for (std::size_t bit = 0; bit < signature->size() * 8; ++bit) {
    std::string tampered = *signature;
    tampered[bit / 8] = static_cast<char>(tampered[bit / 8] ^ (1 << (bit % 8)));
    const auto status = public_key.verify(message, tampered);
    ASSERT_FALSE(status) << "bit " << bit;
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  }
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string tampered = message;
    tampered[bit / 8] = static_cast<char>(tampered[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(public_key.verify(tampered, *signature));
  }
  EXPECT_FALSE(public_key.verify(message, ""));
  EXPECT_FALSE(public_key.verify(message, *signature + "x"));
}

TEST_F(KeysTest, PublicKeyGoesThroughPem) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key);
  const auto copy = PublicKey::from_pem(key->public_key().to_pem(), "test");
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->id(), key->public_key().id());
  EXPECT_EQ(copy->id().size(), 16U);
  EXPECT_TRUE(copy->verify("m", *key->sign("m")));
}

TEST_F(KeysTest, RefusesGarbageAndOtherKeyTypes) {
  const auto garbage = PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "trusted.pem");
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(garbage.error().message, HasSubstr("trusted.pem"));
  EXPECT_FALSE(PublicKey::from_pem("", "empty"));

  const openssl::KeyPtr ec(EVP_EC_gen("P-256"));
  ASSERT_TRUE(write_file_atomic(path("ec.pem"), *openssl::write_private_key(ec.get()), 0600));
  const auto wrong = SigningKey::load(path("ec.pem"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("expected Ed25519"));
}

TEST_F(KeysTest, SavesWithMode0600AndLoadsAgain) {
  const auto key = SigningKey::load_or_create(path("keys/release.pem"));
  ASSERT_TRUE(key) << key.error().message;
  struct stat info{};
  ASSERT_EQ(::stat(path("keys/release.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  const auto again = SigningKey::load_or_create(path("keys/release.pem"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key().id(), key->public_key().id());
}

TEST_F(KeysTest, RefusesAKeyThatOthersMayRead) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key);
  ASSERT_TRUE(key->save(path("key.pem")));
  for (const unsigned mode : {0640U, 0604U, 0660U, 0644U}) {
    ASSERT_EQ(::chmod(path("key.pem").c_str(), mode), 0);
    const auto loaded = SigningKey::load(path("key.pem"));
    ASSERT_FALSE(loaded) << mode;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(loaded.error().message, HasSubstr("chmod 600"));
    EXPECT_FALSE(SigningKey::load_or_create(path("key.pem"))) << "a bad file is never replaced";
  }
}

TEST_F(KeysTest, SaysThatTheFileIsMissing) {
  const auto missing = SigningKey::load(path("none.pem"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST_F(KeysTest, ErrorsDoNotShowTheKey) {
  std::string pem = private_pem(kSecret);
  const std::string body = pem.substr(28, 40);
  pem[pem.size() / 2] = '!';
  ASSERT_TRUE(write_file_atomic(path("key.pem"), pem, 0600));
  const auto loaded = SigningKey::load(path("key.pem"));
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, Not(HasSubstr(body)));
}

TEST_F(KeysTest, AnyOfTheTrustedKeysWillDo) {
  const auto a = SigningKey::generate();
  const auto b = SigningKey::generate();
  const auto c = SigningKey::generate();
  ASSERT_TRUE(a && b && c);
  const std::vector<PublicKey> trusted{a->public_key(), b->public_key()};
  EXPECT_TRUE(verify_with_any(trusted, "m", *b->sign("m")));
  const auto status = verify_with_any(trusted, "m", *c->sign("m"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(status.error().message, HasSubstr(a->public_key().id()));
  EXPECT_FALSE(verify_with_any({}, "m", *c->sign("m")));
}

}  // namespace
}  // namespace moru::trust
