// SPDX-License-Identifier: Apache-2.0
#include "model/formats/bundle/bundle.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/random.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

// A keyed digest in place of a real signature: this room does not know keys, it only calls functions.
std::string test_signature(std::string_view message) { return sha256_hex(std::string("test key").append(message)); }

Result<std::string> test_sign(std::string_view message) { return test_signature(message); }

Status test_verify(std::string_view message, std::string_view signature) {
  if (signature == test_signature(message)) return {};
  return fail(ErrorCode::kCorrupt, "signature: found one that fits no trusted key, expected one that does");
}

BundleHeader example_header() {
  BundleHeader header;
  header.name = "factory-line";
  header.version = 7;
  header.created = "2026-11-23T10:00:00Z";
  header.card = R"({"name":"factory-line","labels":["shirt","bag"]})";
  header.files = {{.name = "model.onnx", .target = "any", .format = "onnx"},
                  {.name = "model-x86.onnx", .target = "x86_64", .format = "onnx"}};
  return header;
}

std::vector<std::string> example_contents() {
  Rng rng(1);
  std::string big(20000, '\0');
  for (char& c : big) c = static_cast<char>(rng.below(256));
  return {big, "small"};
}

std::string example_bundle() {
  auto bytes = write_bundle(example_header(), example_contents(), test_sign);
  EXPECT_TRUE(bytes.has_value());
  return bytes.value_or("");
}

Result<Bundle> open(std::string_view bytes) { return Bundle::open(bytes, test_verify, "test.moru"); }

void expect_error(const Result<Bundle>& result, ErrorCode code, std::string_view part) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(part));
  EXPECT_THAT(result.error().message, testing::StartsWith("test.moru: "));
}

std::string u32(std::size_t value) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xFFU));
  return out;
}

/// A bundle whose header is whatever text is given, validly signed.
std::string signed_bundle(std::string_view header, std::string_view files) {
  std::string out = "MORUBDL1" + u32(header.size()) + u32(64) + std::string(header);
  out += test_signature(out);
  return out.append(files);
}

/// The header of a bundle whose one file holds "abc".
Json valid_header() {
  return {{"name", "m"},
          {"version", 1},
          {"created", "2026-11-23T10:00:00Z"},
          {"card", Json::object()},
          {"files", {{{"name", "f"}, {"target", "any"}, {"format", "onnx"}, {"sha256", sha256_hex("abc")}, {"size", 3}}}}};
}

TEST(Bundle, RoundTrips) {
  const std::string bytes = example_bundle();
  const auto bundle = open(bytes);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  EXPECT_EQ(bundle->header().name, "factory-line");
  EXPECT_EQ(bundle->header().version, 7);
  EXPECT_EQ(bundle->header().created, "2026-11-23T10:00:00Z");
  EXPECT_EQ(bundle->header().card, example_header().card);
  ASSERT_EQ(bundle->header().files.size(), 2U);
  EXPECT_EQ(bundle->header().files[1].name, "model-x86.onnx");
  EXPECT_EQ(bundle->header().files[1].sha256, sha256_hex("small"));
  EXPECT_EQ(bundle->contents(0), example_contents()[0]);
  EXPECT_EQ(bundle->contents(1), "small");
  EXPECT_EQ(bundle->digest(), sha256_hex(bytes));
}

TEST(Bundle, IsTheSameBytesEachTime) { EXPECT_EQ(example_bundle(), example_bundle()); }

TEST(Bundle, TakesSignaturesOfAnySize) {
  const Signer sign = [](std::string_view message) -> Result<std::string> { return test_signature(message).substr(0, 20); };
  const auto bytes = write_bundle(example_header(), example_contents(), sign);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const Verifier verify = [](std::string_view message, std::string_view signature) -> Status {
    if (signature == test_signature(message).substr(0, 20)) return {};
    return fail(ErrorCode::kCorrupt, "wrong");
  };
  EXPECT_TRUE(Bundle::open(*bytes, verify, "test.moru").has_value());
}

TEST(Bundle, IsRefusedWithAnyFlippedByteOfHeaderAndSignature) {
  const std::string whole = example_bundle();
  const std::size_t end = whole.size() - 20005;  // where the files begin
  std::string bytes = whole;
  for (std::size_t i = 0; i < end; ++i) {
    for (const int mask : {0x01, 0x80}) {
      bytes[i] = static_cast<char>(whole[i] ^ mask);
      EXPECT_FALSE(open(bytes).has_value()) << "byte " << i;
    }
    bytes[i] = whole[i];
  }
}

TEST(Bundle, IsRefusedWithAFlippedByteOfItsFiles) {
  const std::string whole = example_bundle();
  for (std::size_t i = whole.size() - 20005; i < whole.size(); i += 4096) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(whole[i] ^ 1);
    expect_error(open(bytes), ErrorCode::kCorrupt, "file 'model.onnx': found SHA-256");
  }
  std::string bytes = whole;
  bytes.back() = 'L';
  expect_error(open(bytes), ErrorCode::kCorrupt, "file 'model-x86.onnx': found SHA-256");
}

TEST(Bundle, IsRefusedWhenCutShortAnywhere) {
  const std::string whole = example_bundle();
  const std::size_t files = whole.size() - 20005;
  for (std::size_t size = 0; size <= files; ++size) expect_error(open(whole.substr(0, size)), ErrorCode::kCorrupt, "found");
  for (const std::size_t size : {files + 1, files + 19999, files + 20000, files + 20001, whole.size() - 1}) {
    expect_error(open(whole.substr(0, size)), ErrorCode::kCorrupt, "bytes of files, expected 20005");
  }
}

TEST(Bundle, IsRefusedWithBytesAfterItsEnd) {
  expect_error(open(example_bundle() + "x"), ErrorCode::kCorrupt, "found 20006 bytes of files");
}

TEST(Bundle, SaysWhatItFoundInPlaceOfABundle) {
  expect_error(open(""), ErrorCode::kCorrupt, "found an empty file, expected a bundle");
  expect_error(open("MORU\x01"), ErrorCode::kCorrupt, "found 'MORU\\x01', expected a bundle");
  std::string newer = example_bundle();
  newer[7] = '2';
  expect_error(open(newer), ErrorCode::kUnsupported, "found bundle format '2', expected format 1");
}

TEST(Bundle, IsRefusedWithSizesBeyondTheLimits) {
  const std::string tail(100, 'x');
  expect_error(open("MORUBDL1" + u32((1U << 20U) + 1) + u32(64) + tail), ErrorCode::kCorrupt, "found a header of 1048577 bytes");
  expect_error(open("MORUBDL1" + u32(0) + u32(64) + tail), ErrorCode::kCorrupt, "found a header of 0 bytes");
  expect_error(open("MORUBDL1" + u32(10) + u32(0xFFFFFFFF) + tail), ErrorCode::kCorrupt, "found a signature of 4294967295 bytes");
  expect_error(open("MORUBDL1" + u32(10) + u32(0) + tail), ErrorCode::kCorrupt, "found a signature of 0 bytes");
  expect_error(open("MORUBDL1" + u32(1U << 20U) + u32(64) + tail), ErrorCode::kCorrupt, "cut short");
}

TEST(Bundle, VerifiesTheSignatureBeforeItReadsTheHeader) {
  std::string bytes = "MORUBDL1" + u32(5) + u32(64) + "{bad}" + std::string(64, '0');
  expect_error(open(bytes), ErrorCode::kCorrupt, "fits no trusted key");
  expect_error(open(signed_bundle("{bad}", "")), ErrorCode::kCorrupt, "that are not JSON");
}

TEST(Bundle, TakesAHandMadeHeader) { EXPECT_TRUE(open(signed_bundle(valid_header().dump(), "abc")).has_value()); }

TEST(Bundle, IsRefusedWhenAFieldIsMissingOrWrong) {
  const std::vector<Json> wrong = {nullptr, -1, "..", Json::array(), 1e300, std::string(200, 'a')};
  const Json valid = valid_header();
  for (const auto& [key, value] : valid.items()) {
    Json header = valid_header();
    header.erase(key);
    expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, fmt::format("field '{}' is missing", key));
    for (const Json& other : wrong) {
      if (key == "created" && other == "..") continue;  // any short printable text is taken as a time stamp
      header[key] = other;
      expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, key);
    }
  }
  for (const auto& [key, value] : valid["files"][0].items()) {
    Json header = valid_header();
    header["files"][0].erase(key);
    expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, fmt::format("field '{}' is missing", key));
    for (const Json& other : wrong) {
      header["files"][0][key] = other;
      expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "expected");
    }
  }
}

TEST(Bundle, IsRefusedWithUnknownFields) {
  Json header = valid_header();
  header["versoin"] = 2;
  expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "found unknown field 'versoin' (did you mean 'version'?)");
}

TEST(Bundle, IsRefusedWithHugeFileSizes) {
  Json header = valid_header();
  header["files"][0]["size"] = std::uint64_t{1} << 63U;
  expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "found size 9223372036854775808");
  header["files"][0]["size"] = std::uint64_t{1} << 32U;
  expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "found 3 bytes of files, expected 4294967296");
  header["files"].push_back(header["files"][0]);
  header["files"][1]["name"] = "g";
  expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "bytes together, expected at most 4294967296");
}

TEST(Bundle, IsRefusedWithTheSameNameTwice) {
  Json header = valid_header();
  header["files"].push_back(header["files"][0]);
  expect_error(open(signed_bundle(header.dump(), "abcabc")), ErrorCode::kCorrupt, "files: found 'f' twice");
}

TEST(Bundle, IsRefusedWithNamesThatLeaveTheFolder) {
  for (const std::string& name : std::vector<std::string>{"../up", "a/b", "a\\b", ".", "..", ".hidden", "", std::string("nul\0l", 5),
                                                          std::string("sp ace"), "\xc3\xa4"}) {
    Json header = valid_header();
    header["files"][0]["name"] = name;
    expect_error(open(signed_bundle(header.dump(), "abc")), ErrorCode::kCorrupt, "file name: found");
  }
}

TEST(Bundle, CannotBeWrittenWrong) {
  const auto message = [](BundleHeader header, const std::vector<std::string>& contents) {
    const auto result = write_bundle(std::move(header), contents, test_sign);
    return result ? std::string("written") : result.error().message;
  };
  EXPECT_THAT(message(example_header(), {"one"}), HasSubstr("found 1 contents, expected 2"));
  BundleHeader header = example_header();
  header.files[1].name = header.files[0].name;
  EXPECT_THAT(message(header, {"a", "b"}), HasSubstr("'model.onnx' twice"));
  header = example_header();
  header.card = "[1]";
  EXPECT_THAT(message(header, {"a", "b"}), HasSubstr("card: found array, expected an object"));
  header = example_header();
  header.card = "{\"label\": \"" + std::string(1U << 20U, 'x') + "\"}";
  EXPECT_THAT(message(header, {"a", "b"}), HasSubstr("shorten the model card"));
  header = example_header();
  header.files.clear();
  EXPECT_THAT(message(header, {}), HasSubstr("files: found none"));
}

TEST(Bundle, PassesOnTheSignersError) {
  const Signer sign = [](std::string_view) -> Result<std::string> {
    return fail(ErrorCode::kUnavailable, "key: found none, expected one");
  };
  const auto result = write_bundle(example_header(), example_contents(), sign);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
}

TEST(Bundle, RefusesASignerWhoseSignaturesChangeInSize) {
  std::size_t size = 10;
  const Signer sign = [&](std::string_view) -> Result<std::string> { return std::string(size++, 's'); };
  const auto result = write_bundle(example_header(), example_contents(), sign);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("another size at each call"));
}

TEST(Bundle, SelectsTheBestFileForAMachine) {
  const std::string bytes = example_bundle();
  const auto bundle = open(bytes);
  ASSERT_TRUE(bundle.has_value());
  EXPECT_EQ(bundle->select({"x86_64", "any"}).value(), 1U);
  EXPECT_EQ(bundle->select({"aarch64", "any"}).value(), 0U);
  const auto none = bundle->select({"riscv64"});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(none.error().message, HasSubstr("found files for any, x86_64, expected one for riscv64"));
}

TEST(Bundle, AMachineTakesItsOwnTargetFirstAndAnyLast) {
  const auto targets = machine_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.back(), "any");
}

}  // namespace
}  // namespace moru::model
