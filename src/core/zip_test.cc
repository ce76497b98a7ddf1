// SPDX-License-Identifier: Apache-2.0
#include "core/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"

namespace moru {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kLimit = 1U << 20U;

std::string zip(const std::vector<ZipEntry>& entries, bool compress = false) {
  const auto bytes = write_zip(entries, compress);
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  return bytes.value_or("");
}

void expect_error(std::string_view bytes, ErrorCode code, std::string_view part, std::uint64_t limit = kLimit) {
  const auto result = read_zip(bytes, limit);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(part));
}

/// Puts `value` as little-endian 32 bits at `at`.
std::string patched(std::string bytes, std::size_t at, std::uint32_t value, std::size_t size = 4) {
  std::string number;
  for (std::size_t i = 0; i < size; ++i) number.push_back(static_cast<char>(value >> (8 * i) & 0xFFU));
  return bytes.replace(at, size, number);
}

/// The places in an archive of one stored entry "a" with 4 bytes.
constexpr std::size_t kCentral = 30 + 1 + 4;
constexpr std::size_t kEnd = kCentral + 46 + 1;

TEST(Zip, ContentsComeBack) {
  const std::vector<ZipEntry> entries = {{"a", "some text"}, {"empty", ""}, {"folder/b", std::string(100'000, 'x')}};
  for (const bool compress : {false, true}) {
    const std::string bytes = zip(entries, compress);
    EXPECT_EQ(bytes.size() < 1000, compress);
    const auto again = read_zip(bytes, kLimit);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    ASSERT_EQ(again->size(), entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ((*again)[i].name, entries[i].name);
      EXPECT_EQ((*again)[i].contents, entries[i].contents);
    }
  }
  EXPECT_EQ(read_zip(zip({}), kLimit).value().size(), 0U);
}

TEST(Zip, AllowsACommentAndExtraFields) {
  std::string bytes = patched(zip({{"a", "1234"}}), kEnd + 20, 3, 2) + "end";
  EXPECT_TRUE(read_zip(bytes, kLimit).has_value());
  // An extra field in the local header, as numpy.savez writes one: everything behind it moves.
  std::string extra = zip({{"a", "1234"}});
  extra.insert(31, "\x01\x00\x00\x00", 4);
  extra = patched(patched(extra, 28, 4, 2), kEnd + 4 + 16, static_cast<std::uint32_t>(kCentral + 4));
  const auto again = read_zip(extra, kLimit);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ((*again)[0].contents, "1234");
}

TEST(Zip, RefusesAFileCutShortAnywhere) {
  for (const bool compress : {false, true}) {
    const std::string whole = zip({{"a", "1234"}, {"b", "5678"}}, compress);
    for (std::size_t size = 0; size < whole.size(); ++size) expect_error(whole.substr(0, size), ErrorCode::kCorrupt, "expected");
  }
}

TEST(Zip, RefusesMoreThanTheLimitBeforeItInflates) {
  const std::string bomb = zip({{"a", std::string(60'000, 'x')}, {"b", std::string(60'000, 'x')}}, true);
  EXPECT_LT(bomb.size(), 500U);
  expect_error(bomb, ErrorCode::kResourceExhausted, "found 120000 bytes of contents, expected at most 100000", 100'000);
  // Contents that grow beyond what the directory says end there.
  std::string lie = zip({{"a", std::string(60'000, 'x')}}, true);
  const std::size_t central = lie.find("PK\x01\x02");
  expect_error(patched(lie, central + 24, 10), ErrorCode::kCorrupt, "found damaged data");
  // A claim that no data can meet costs no memory.
  expect_error(patched(lie, central + 24, 4'000'000'000U), ErrorCode::kCorrupt, "claim to become 4000000000", 1ULL << 40U);
}

TEST(Zip, RefusesPartsOutsideTheFileAndInOneAnother) {
  const std::string whole = zip({{"a", "1234"}});
  expect_error(patched(whole, kCentral + 42, 1000), ErrorCode::kCorrupt, "no header at byte 1000");
  expect_error(patched(whole, kCentral + 42, 1), ErrorCode::kCorrupt, "no header at byte 1");
  expect_error(patched(whole, kCentral + 20, 5), ErrorCode::kCorrupt, "expected them before the directory");
  expect_error(patched(whole, kEnd + 16, 0xFFFFFF00), ErrorCode::kCorrupt, "directory");
  expect_error(patched(whole, kEnd + 12, 3), ErrorCode::kCorrupt, "directory of 3 bytes");
  expect_error(patched(whole, kEnd + 8, 0x00020002), ErrorCode::kCorrupt, "found no directory row");
  // Two rows that name the same bytes.
  const std::string two = zip({{"a", "1234"}, {"b", "1234"}});
  const std::size_t second = two.rfind("PK\x01\x02");
  expect_error(patched(two, second + 46, 'a', 1), ErrorCode::kCorrupt, "found two entries 'a'");
  expect_error(patched(two, second + 42, 0), ErrorCode::kCorrupt, "another name in its header");
  // The first entry's data hold the second entry whole.
  const std::string inner = zip({{"b", "1234"}});
  std::string outer = zip({{"a", inner.substr(0, kCentral)}, {"b", "1234"}});
  const std::size_t row = outer.rfind("PK\x01\x02");
  expect_error(patched(outer, row + 42, 31), ErrorCode::kCorrupt, "found two entries that share byte 31");
}

TEST(Zip, RefusesOtherMethodsEncryptionAndParts) {
  const std::string whole = zip({{"a", "1234"}});
  expect_error(patched(whole, kCentral + 10, 12, 2), ErrorCode::kUnsupported, "method 12");
  expect_error(patched(whole, kCentral + 8, 1, 2), ErrorCode::kUnsupported, "encryption");
  expect_error(patched(whole, kCentral + 20, 0xFFFFFFFF), ErrorCode::kUnsupported, "Zip64");
  expect_error(patched(whole, kEnd + 4, 1, 2), ErrorCode::kUnsupported, "several parts");
}

TEST(Zip, RefusesDamage) {
  const std::string whole = zip({{"a", "1234"}});
  expect_error(patched(whole, 31, 'x', 1), ErrorCode::kCorrupt, "checksum");
  expect_error(patched(whole, 30, 'x', 1), ErrorCode::kCorrupt, "another name");
}

TEST(Zip, RefusesNamesThatLeaveTheFolder) {
  const std::string whole = zip({{"abcde", "1234"}});
  const auto renamed = [&](std::string_view name) {
    std::string bytes = whole;
    for (std::size_t at = bytes.find("abcde"); at != bytes.npos; at = bytes.find("abcde", at)) bytes.replace(at, 5, name);
    return bytes;
  };
  for (const std::string_view name : {"../ab", "a/../", "/etc/", "a\\..b", "ab\ncd"})
    expect_error(renamed(name), ErrorCode::kCorrupt, "found the name");
  EXPECT_TRUE(read_zip(renamed("a..bc"), kLimit).has_value());
  EXPECT_FALSE(write_zip(std::vector<ZipEntry>{{"../a", ""}}, false).has_value());
}

TEST(ZipReader, GivesAMemberInPiecesAndStopsWhenItsTakerDoes) {
  std::string text(1'000'000, 'x');
  Rng rng(3);
  for (char& c : text) c = static_cast<char>('a' + rng.below(4));
  for (const bool compress : {false, true}) {
    const std::string bytes = zip({{"small", "1"}, {"large", text}}, compress);
    const auto reader = ZipReader::open(bytes);
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    ASSERT_EQ(reader->members().size(), 2U);
    EXPECT_EQ(reader->members()[1].size, text.size());
    std::string found;
    std::size_t largest = 0;
    ASSERT_TRUE(reader->extract(1, [&](std::string_view piece) {
      found += piece;
      largest = std::max(largest, piece.size());
      return Status();
    }));
    EXPECT_EQ(found, text);
    EXPECT_LE(largest, 256U << 10U);
    const auto stopped = reader->extract(1, [](std::string_view) { return fail(ErrorCode::kIo, "disk full"); });
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, ErrorCode::kIo);
    EXPECT_THAT(stopped.error().message, HasSubstr("'large': disk full"));
  }
}

TEST(Zip, MutationsGiveAnErrorOrTheWhole) {
  const std::vector<ZipEntry> entries = {{"x.npy", "one thing and another"}, {"y.npy", std::string(300, 'y')}};
  Rng rng(11);
  for (const bool compress : {false, true}) {
    const std::string whole = zip(entries, compress);
    for (int i = 0; i < 5000; ++i) {
      std::string bytes = whole;
      for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
      if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size()));
      const auto result = read_zip(bytes, kLimit);
      if (!result) {
        EXPECT_NE(result.error().code, ErrorCode::kInternal) << result.error().message;
      }
    }
  }
}

}  // namespace
}  // namespace moru
