// SPDX-License-Identifier: Apache-2.0
// Where a backend's library is looked for, and what happens when it is not the one that was hoped for.
#include "runtime/backends/onnxruntime/library.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "core/files.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using testing::HasSubstr;

class FindLibraryTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-backends");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
    ::setenv("MORU_HOME", at("home").c_str(), 1);
    ::unsetenv("MORU_BACKEND_PATH");
  }
  void TearDown() override {
    ::unsetenv("MORU_HOME");
    ::unsetenv("MORU_BACKEND_PATH");
  }
  Path at(std::string_view name) const { return folder_->path() / name; }
  void put(std::string_view name) {
    ASSERT_TRUE(make_folders(at(name).parent_path()).has_value());
    ASSERT_TRUE(write_file_atomic(at(name), "x").has_value());
  }
  std::optional<TempFolder> folder_;
};

TEST_F(FindLibraryTest, MissingLibraryNamesThePlacesAndWhatToDo) {
  const auto found = find_backend_library("openfoo", "libfoo.so");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(found.error().message, HasSubstr("backend openfoo: found no libfoo.so in " + at("home/backends/openfoo").string()));
  EXPECT_THAT(found.error().message, HasSubstr("lib/moru/backends/openfoo"));
  EXPECT_THAT(found.error().message, HasSubstr("MORU_BACKEND_PATH"));
}

TEST_F(FindLibraryTest, HomeIsBeforeTheProgramAndThePathBeforeBoth) {
  EXPECT_THAT(find_backend_library("onnxruntime", "libonnxruntime.so").value(), HasSubstr("lib/moru/backends/onnxruntime/"));
  put("home/backends/onnxruntime/libonnxruntime.so");
  EXPECT_EQ(find_backend_library("onnxruntime", "libonnxruntime.so").value(), at("home/backends/onnxruntime/libonnxruntime.so"));
  put("b/libonnxruntime.so");
  ASSERT_TRUE(make_folders(at("a/libonnxruntime.so")).has_value());  // a folder of that name is not it
  ::setenv("MORU_BACKEND_PATH", ("::" + at("a").string() + ":" + at("b").string()).c_str(), 1);
  EXPECT_EQ(find_backend_library("onnxruntime", "libonnxruntime.so").value(), at("b/libonnxruntime.so"));
}

TEST_F(FindLibraryTest, FilesThatAreNotTheRuntimeAreRefusedWithTheReason) {
  put("libonnxruntime.so");
  const auto text = ort::open_library(at("libonnxruntime.so"));
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(text.error().message, HasSubstr("cannot be loaded"));
  const auto other = ort::open_library("libm.so.6");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(other.error().message, HasSubstr("has no OrtGetApiBase"));
}

TEST(OpenLibrary, OldRuntimeIsNamedWithItsVersion) {
  const auto old = ort::open_library(MORU_OLD_onnxruntime);
  ASSERT_FALSE(old.has_value());
  EXPECT_EQ(old.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(old.error().message, HasSubstr("is version 1.2.3, too old, expected ONNX Runtime with C interface 21; get a newer one"));
}

TEST(OpenLibrary, TheRuntimeOfThisBuildTellsItsVersion) {
  const auto& library = ort::library();
  ASSERT_TRUE(library.has_value()) << library.error().message;
  EXPECT_THAT(library->version, testing::MatchesRegex("1\\.[0-9]+\\.[0-9]+"));
  const BackendInfo info = find_backend("onnxruntime")->info();
  EXPECT_TRUE(info.available);
  EXPECT_EQ(info.version, library->version);
}

}  // namespace
}  // namespace moru::runtime
