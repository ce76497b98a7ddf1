// SPDX-License-Identifier: Apache-2.0
#include "core/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

namespace moru {
namespace {

using testing::HasSubstr;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-files");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
  }
  Path at(std::string_view name) const { return folder_->path() / name; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_->path())) all.push_back(entry.path().filename());
    return all;
  }
  std::optional<TempFolder> folder_;
};

TEST_F(FilesTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  ASSERT_TRUE(write_file_atomic(at("a"), "old").has_value());
  ASSERT_TRUE(write_file_atomic(at("a"), std::string("new\0bytes", 9)).has_value());
  EXPECT_EQ(read_file(at("a")).value(), std::string("new\0bytes", 9));
  EXPECT_THAT(names(), testing::ElementsAre("a"));
}

TEST_F(FilesTest, AtomicWriteSetsTheModeWhateverTheUmask) {
  const mode_t old = ::umask(0077);
  EXPECT_TRUE(write_file_atomic(at("public"), "x").has_value());
  ::umask(0);
  EXPECT_TRUE(write_file_atomic(at("secret"), "x", 0600).has_value());
  ::umask(old);
  struct stat info{};
  ASSERT_EQ(::stat(at("public").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
  ASSERT_EQ(::stat(at("secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(FilesTest, AtomicWriteShowsReadersTheOldOrTheNewContentNeverAMixture) {
  const std::string old_content(300'000, 'a');
  const std::string new_content(200'000, 'b');
  ASSERT_TRUE(write_file_atomic(at("a"), old_content).has_value());
  std::atomic<bool> done{false};
  std::jthread writer([&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(write_file_atomic(at("a"), i % 2 == 0 ? new_content : old_content).has_value());
    done = true;
  });
  int reads = 0;
  do {
    const auto content = read_file(at("a"));
    ASSERT_TRUE(content.has_value());
    ASSERT_TRUE(*content == old_content || *content == new_content) << content->size();
    ++reads;
  } while (!done);
  EXPECT_GT(reads, 0);
}

TEST_F(FilesTest, AtomicWriteSurvivesLeftoversOfACrashedProcessWithThisId) {
  // A leftover for every number that the next writes will try first.
  for (int i = 0; i < 100; ++i) std::ofstream(at(".a." + std::to_string(::getpid()) + "." + std::to_string(i) + ".tmp")) << "half";
  ASSERT_TRUE(write_file_atomic(at("a"), "whole").has_value());
  EXPECT_EQ(read_file(at("a")).value(), "whole");
}

TEST_F(FilesTest, AtomicWriteIntoAMissingFolderNamesTheFileNotTheTemporary) {
  const auto status = write_file_atomic(at("no/such/folder/a"), "x");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(status.error().message, HasSubstr("no/such/folder/a'"));
  EXPECT_THAT(status.error().message, testing::Not(HasSubstr(".tmp")));
}

TEST_F(FilesTest, AtomicWriteOverAFolderFailsAndKeepsIt) {
  ASSERT_TRUE(make_folders(at("a/b")).has_value());
  ASSERT_FALSE(write_file_atomic(at("a"), "x").has_value());
  EXPECT_TRUE(std::filesystem::is_directory(at("a/b")));
  EXPECT_THAT(names(), testing::ElementsAre("a"));
}

/// In a child that may mount: a file system of 64 KiB with an old file on it, then a write that does not fit.
/// Exit code 0: refused in the right words, the old file whole, nothing left beside. 77: this machine lets nobody mount.
int fill_small_disk(const Path& folder) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL) return 77;
  if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
  if (!write_file_atomic(folder / "a", "old")) return 1;
  const auto status = write_file_atomic(folder / "a", std::string(1'000'000, 'x'));
  if (status || status.error().code != ErrorCode::kIo) return 2;
  if (status.error().message.find("No space left on device; free some space") == std::string::npos) return 3;
  if (read_file(folder / "a").value_or("") != "old") return 4;
  const auto entries = std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
  return entries == 1 ? 0 : 5;
}

TEST_F(FilesTest, FullDiskKeepsTheOldFileAndSaysWhatToDo) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(fill_small_disk(folder_->path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this machine does not let tests mount a file system";
  EXPECT_EQ(status, 0) << "see fill_small_disk, code " << WEXITSTATUS(status);
}

TEST(ErrnoError, HasACodeAndAdviceForEachCause) {
  errno = ENOSPC;
  auto error = errno_error("write", "/x");
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_EQ(error.message, "write '/x': No space left on device; free some space there, or choose another folder with MORU_HOME");
  errno = EACCES;
  error = errno_error("open", "/x");
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_EQ(error.message, "open '/x': Permission denied; check the permissions of the folder");
  errno = ENOENT;
  EXPECT_EQ(errno_error("open", "/x").code, ErrorCode::kNotFound);
}

TEST_F(FilesTest, ReadRefusesMissingFilesFoldersAndWhatIsTooBig) {
  EXPECT_EQ(read_file(at("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(folder_->path()).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(write_file_atomic(at("ten"), "0123456789").has_value());
  EXPECT_EQ(read_file(at("ten"), 10).value(), "0123456789");
  EXPECT_EQ(read_file(at("ten"), 9).error().code, ErrorCode::kResourceExhausted);
}

TEST(ReadFile, ReadsFilesThatSayTheyAreEmptyAndEndlessOnesUpToTheLimit) {
  EXPECT_THAT(read_file("/proc/self/status").value(), HasSubstr("Pid:"));
  EXPECT_EQ(read_file("/dev/zero", 1000).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(FilesTest, PermissionDeniedIsAnIoErrorWithAdvice) {
  ASSERT_TRUE(write_file_atomic(at("a"), "x", 0000).has_value());
  ASSERT_EQ(::chmod(folder_->path().c_str(), 0555), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Permissions bind everybody but root.
    if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(77);
    const auto read = read_file(at("a"));
    const auto write = write_file_atomic(at("b"), "x");
    const bool right = !read && read.error().code == ErrorCode::kIo && !write && write.error().code == ErrorCode::kIo &&
                       write.error().message.find("check the permissions") != std::string::npos;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ::chmod(folder_->path().c_str(), 0755);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this machine does not let tests give up root";
  EXPECT_EQ(status, 0);
}

TEST_F(FilesTest, MakeFoldersMakesAllAndTakesExistingOnes) {
  ASSERT_TRUE(make_folders(at("a/b/c"), 0700).has_value());
  EXPECT_TRUE(make_folders(at("a/b/c")).has_value());
  struct stat info{};
  ASSERT_EQ(::stat(at("a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_TRUE(write_file_atomic(at("file"), "x").has_value());
  EXPECT_EQ(make_folders(at("file")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(make_folders(at("file/below")).has_value());
  EXPECT_TRUE(make_folders("").has_value());
}

TEST_F(FilesTest, SyncFolderWantsAFolder) {
  EXPECT_TRUE(sync_folder(folder_->path()).has_value());
  EXPECT_EQ(sync_folder(at("none")).error().code, ErrorCode::kNotFound);
}

TEST(TempFolderTest, IsRemovedWithTheObjectAndMovesOnce) {
  Path path;
  {
    auto folder = TempFolder::create("moru-temp");
    ASSERT_TRUE(folder.has_value());
    path = folder->path();
    const TempFolder moved(std::move(*folder));
    ASSERT_TRUE(write_file_atomic(moved.path() / "x", "y").has_value());
    EXPECT_EQ(moved.path(), path);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(FilesTest, MappedFileShowsTheBytes) {
  ASSERT_TRUE(write_file_atomic(at("a"), "hello").has_value());
  auto mapped = MappedFile::open(at("a"));
  ASSERT_TRUE(mapped.has_value());
  const MappedFile moved(std::move(*mapped));
  EXPECT_EQ(moved.bytes(), "hello");
  ASSERT_TRUE(write_file_atomic(at("empty"), "").has_value());
  EXPECT_EQ(MappedFile::open(at("empty")).value().bytes(), "");
  EXPECT_EQ(MappedFile::open(at("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder_->path()).error().code, ErrorCode::kInvalidArgument);
}

TEST(MoruHome, IsTheVariableElseAFolderOfTheUser) {
  ::setenv("MORU_HOME", "/somewhere", 1);
  EXPECT_EQ(moru_home(), Path("/somewhere"));
  ::unsetenv("MORU_HOME");
  ::setenv("HOME", "/home/kim", 1);
  EXPECT_EQ(moru_home(), Path("/home/kim/.moru"));
}

}  // namespace
}  // namespace moru
