// SPDX-License-Identifier: Apache-2.0
#include "core/file_pieces.h"

#include <gmock/gmock.h>

#include <optional>
#include <string>

#include "core/file_lock.h"

namespace moru {
namespace {

class FilePieces : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-pieces");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
  }
  Path at(std::string_view name) const { return folder_->path() / name; }
  std::optional<TempFolder> folder_;
};

TEST_F(FilePieces, WhatIsWrittenInPiecesIsReadInPieces) {
  std::string all;
  {
    auto writer = FileWriter::create(at("a"));
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    for (int i = 0; i < 100; ++i) {
      const std::string piece(10'000, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(writer->write(piece).has_value());
      all += piece;
    }
    ASSERT_TRUE(writer->finish().has_value());
  }
  std::string found;
  const auto read = read_file_in_pieces(at("a"), [&](std::string_view piece) {
    EXPECT_LE(piece.size(), 256U << 10U);
    found += piece;
    return Status();
  });
  EXPECT_TRUE(read.has_value());
  EXPECT_EQ(found, all);
  const auto stopped = read_file_in_pieces(at("a"), [](std::string_view) { return Status(fail(ErrorCode::kCancelled, "enough")); });
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST_F(FilePieces, MissingFilesFoldersAndTakenNamesAreErrors) {
  const auto nothing = [](std::string_view) { return Status(); };
  EXPECT_EQ(read_file_in_pieces(at("none"), nothing).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_file_in_pieces(folder_->path(), nothing).has_value());
  ASSERT_TRUE(write_file_atomic(at("a"), "x").has_value());
  EXPECT_EQ(FileWriter::create(at("a")).error().code, ErrorCode::kIo);
  EXPECT_EQ(FileWriter::create(at("no/folder")).error().code, ErrorCode::kNotFound);
}

TEST_F(FilePieces, ALockIsHeldOnceAndLetGoWithItsObject) {
  {
    const auto lock = FileLock::take(at("lock"));
    ASSERT_TRUE(lock.has_value()) << lock.error().message;
    EXPECT_EQ(FileLock::take(at("lock")).error().code, ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(FileLock::take(at("lock")).has_value());
  EXPECT_EQ(FileLock::take(at("no/lock")).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace moru
