// SPDX-License-Identifier: Apache-2.0
#include "model/formats/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace moru::model {
namespace {

using testing::HasSubstr;

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return out;
}

std::string idx(unsigned type, const std::vector<std::uint32_t>& extents, std::string_view elements) {
  std::string out{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>((extent >> shift) & 0xFFU));
  }
  return out.append(elements);
}

class Idx : public testing::Test {
 protected:
  Result<Tensor> load(std::string_view bytes, const std::string& name = "images") {
    const Path path = folder_.path() / name;
    EXPECT_TRUE(write_file_atomic(path, bytes).has_value());
    return load_idx(path);
  }
  void expect_error(const Result<Tensor>& result, ErrorCode code, std::string_view part) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(part));
    EXPECT_THAT(result.error().message, HasSubstr("images"));
  }
  TempFolder folder_ = *TempFolder::create("idx-test");
};

TEST_F(Idx, ReadsImagesAndLabels) {
  const auto images = load(idx(8, {2, 1, 3}, "abcdef"));
  ASSERT_TRUE(images.has_value()) << images.error().message;
  EXPECT_EQ(images->dims(), (Dims{2, 1, 3}));
  EXPECT_EQ(images->dtype(), DType::kUInt8);
  EXPECT_EQ(images->data<std::uint8_t>()[5], 'f');
  const auto labels = load(idx(8, {3}, "\x01\x02\x03"));
  ASSERT_TRUE(labels.has_value());
  EXPECT_EQ(labels->dims(), (Dims{3}));
}

TEST_F(Idx, ReadsCompressedFiles) {
  const std::string elements(std::size_t{300} * 1024, 'x');  // more than one piece of the decompressor
  const auto images = load(gzip(idx(8, {300, 32, 32}, elements)), "images.gz");
  ASSERT_TRUE(images.has_value()) << images.error().message;
  EXPECT_EQ(images->dims(), (Dims{300, 32, 32}));
}

TEST_F(Idx, RefusesAFileCutShortAnywhere) {
  const std::string whole = idx(8, {2, 2, 2}, "12345678");
  for (std::size_t size = 0; size < whole.size(); ++size) expect_error(load(whole.substr(0, size)), ErrorCode::kCorrupt, "expected");
  expect_error(load(whole.substr(0, 20)), ErrorCode::kCorrupt,
               "found 4 bytes of elements, expected 8 for extents [2, 2, 2]; the file is cut short");
}

TEST_F(Idx, RefusesACompressedFileCutShortAnywhere) {
  const std::string whole = gzip(idx(8, {2, 2, 2}, "12345678"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    expect_error(load(whole.substr(0, size), "images.gz"), ErrorCode::kCorrupt, "cut short");
}

TEST_F(Idx, RefusesDamageInACompressedFile) {
  std::string whole = gzip(idx(8, {2, 2, 2}, "12345678"));
  whole[whole.size() - 6] = static_cast<char>(whole[whole.size() - 6] ^ 1);  // in the checksum
  expect_error(load(whole, "images.gz"), ErrorCode::kCorrupt, "found damage");
  expect_error(load("not compressed", "images.gz"), ErrorCode::kCorrupt, "found damage");
  expect_error(load(gzip(idx(8, {1}, "1")) + "more", "images.gz"), ErrorCode::kCorrupt, "4 bytes after the gzip file's end");
}

TEST_F(Idx, RefusesTooManyElements) {
  expect_error(load(idx(8, {2}, "123")), ErrorCode::kCorrupt, "found 3 bytes of elements, expected 2");
}

TEST_F(Idx, RefusesWrongMagic) { expect_error(load("\x1f\x8b\x08\x01 and more"), ErrorCode::kCorrupt, "found 0x1f8b0801"); }

TEST_F(Idx, RefusesOtherElementTypes) {
  expect_error(load(idx(0x0D, {1}, "abcd")), ErrorCode::kUnsupported, "found elements of type 0x0d, expected 0x08");
}

TEST_F(Idx, RefusesRanksThatItDoesNotKnow) {
  expect_error(load(idx(8, {}, "")), ErrorCode::kUnsupported, "found rank 0");
  expect_error(load(idx(8, {1, 1, 1, 1, 1}, "a")), ErrorCode::kUnsupported, "found rank 5");
}

TEST_F(Idx, RefusesHugeExtentsWithoutAllocating) {
  expect_error(load(idx(8, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "a")), ErrorCode::kResourceExhausted, "extents [4294967295,");
  expect_error(load(idx(8, {0xFFFFFFFF}, "a")), ErrorCode::kCorrupt, "found 1 bytes of elements, expected 4294967295");
}

TEST_F(Idx, SaysWhichFileIsMissing) {
  const auto missing = load_idx(folder_.path() / "images-none");
  expect_error(missing, ErrorCode::kNotFound, "images-none");
}

TEST(IdxOfDebian, ReadsFashionMnist) {
  const Path folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  const auto images = load_idx(folder / "t10k-images-idx3-ubyte.gz");
  ASSERT_TRUE(images.has_value()) << images.error().message;
  EXPECT_EQ(images->dims(), (Dims{10000, 28, 28}));
  const auto labels = load_idx(folder / "t10k-labels-idx1-ubyte.gz");
  ASSERT_TRUE(labels.has_value()) << labels.error().message;
  EXPECT_EQ(labels->dims(), (Dims{10000}));
  std::vector<int> counts(10);
  for (const std::uint8_t label : labels->data<std::uint8_t>()) ++counts.at(label);
  EXPECT_THAT(counts, testing::Each(1000));
}

}  // namespace
}  // namespace moru::model
