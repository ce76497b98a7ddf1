// SPDX-License-Identifier: Apache-2.0
// What the tests of all backends do not ask: a library that is not there, or is another one. Copy them to a *_test.cc in the backend's
// folder.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

#include "core/files.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using testing::ExitedWithCode;
using testing::HasSubstr;

TEST(Skeleton, IsInTheTableAndTellsItsVersion) {
  const BackendSpec* backend = find_backend("skeleton");
  ASSERT_NE(backend, nullptr);
  const BackendInfo info = backend->info();
  ASSERT_TRUE(info.available) << info.reason;
  EXPECT_EQ(info.version, "1.4");
}

/// A process opens its library once, so each of these runs in one of its own.
class SkeletonLibraryDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    ::setenv("MORU_BACKEND_PATH", folder_.path().c_str(), 1);
  }
  void TearDown() override { ::unsetenv("MORU_BACKEND_PATH"); }

  [[noreturn]] static void say_reason() {
    const BackendInfo info = find_backend("skeleton")->info();
    std::fputs(info.available ? "available" : info.reason.c_str(), stderr);
    std::_Exit(0);
  }
  Path library() const { return folder_.path() / "libskeleton.so"; }

  TempFolder folder_ = TempFolder::create("skeleton").value();
};

TEST_F(SkeletonLibraryDeathTest, NoLibraryAtAll) {
  ASSERT_TRUE(write_file_atomic(library(), "no library").has_value());
  EXPECT_EXIT(say_reason(), ExitedWithCode(0), HasSubstr("cannot be loaded"));
}

TEST_F(SkeletonLibraryDeathTest, AnotherLibrary) {
  const auto other = find_backend_library("onnxruntime", "libonnxruntime.so");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  std::filesystem::create_symlink(*other, library());
  EXPECT_EXIT(say_reason(), ExitedWithCode(0), HasSubstr("is another library, expected Skeleton 1.x; put the right file there"));
}

}  // namespace
}  // namespace moru::runtime
