// SPDX-License-Identifier: Apache-2.0
// Installs of a package that the test makes, from a folder: what is put where, and what never is.
#include "runtime/install/install.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/digest.h"
#include "core/file_lock.h"
#include "core/random.h"
#include "core/zip.h"

namespace moru::runtime {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::array kFiles = {PackageFile{"thing/capi/libthing.so.1", "libthing.so"},
                               PackageFile{"thing.libs/libhelp.so", "more/libhelp.so"}};

class InstallBackend : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-install");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
    ASSERT_TRUE(make_folders(at("from")).has_value());
    ::setenv("MORU_HOME", at("home").c_str(), 1);
    publish("one");
  }
  void TearDown() override { ::unsetenv("MORU_HOME"); }

  Path at(std::string_view name) const { return folder_->path() / name; }
  Path installed(std::string_view file = "") const { return at("home/backends/thing") / file; }

  static std::string wheel(std::string_view content) {
    const std::vector<ZipEntry> entries = {{"../outside", "never"},
                                           {"thing/capi/libthing.so.1", std::string(content)},
                                           {"thing/other", "not wanted"},
                                           {"thing.libs/libhelp.so", std::string(100'000, 'h')}};
    return write_zip(std::span(entries).subspan(1), true).value();
  }
  /// Makes the package what the folder has and what the table pins.
  void publish(std::string_view content, std::string_view version = "1.0") { publish_bytes(wheel(content), version); }
  void publish_bytes(const std::string& bytes, std::string_view version = "1.0") {
    version_ = version;
    digest_ = sha256_hex(bytes);
    ASSERT_TRUE(write_file_atomic(at("from") / fmt::format("thing-{}-py3-none-any.whl", version), bytes).has_value());
    package_ = {.client = "pip", .name = "thing", .version = version_, .tag = "py3-none-any", .sha256 = digest_, .files = kFiles};
  }
  BackendSpec backend() const {
    BackendSpec spec{};
    spec.name = "thing";
    spec.packages = {&package_, 1};
    return spec;
  }
  Result<Installation> install() const { return install_backend(backend(), {.from = at("from")}); }
  Error refused() const {
    const auto result = install();
    return result ? Error{ErrorCode::kInternal, "installed"} : result.error();
  }
  std::vector<std::string> names(const Path& folder) const {
    std::vector<std::string> all;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) all.push_back(entry.path().filename());
    return all;
  }
  /// Runs an install in a child of its own that is killed at the moment of the rename.
  void install_and_die() const {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto done = install_backend(backend(), {.from = at("from"), .progress = [](InstallStep step, const PackageSpec&, auto, auto) {
                                                      if (step == InstallStep::kPut) ::raise(SIGKILL);
                                                    }});
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
  }

  std::optional<TempFolder> folder_;
  std::string version_;
  std::string digest_;
  PackageSpec package_;
};

TEST_F(InstallBackend, PutsTheListedMembersUnderTheirNamesAndNothingElse) {
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kAbsent);
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  const auto result =
      install_backend(backend(), {.from = at("from"), .progress = [&](InstallStep step, const PackageSpec&, auto d, auto t) {
                                    if (step == InstallStep::kUnpack) std::tie(done, total) = std::pair(d, t);
                                  }});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->state, InstallState::kOk);
  EXPECT_EQ(result->size_bytes, 100'003U);
  EXPECT_EQ(done, total);
  EXPECT_EQ(total, 100'003U);
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "one");
  EXPECT_THAT(names(installed()), UnorderedElementsAre("libthing.so", "more", "manifest.json"));
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre("thing", ".lock"));
  EXPECT_EQ(result->manifest.packages.at(0).version, "1.0");
  EXPECT_EQ(result->manifest.files.at(0).sha256, sha256_hex("one"));
  EXPECT_EQ(find_backend_library("thing", "libthing.so").value(), installed("libthing.so").string());
}

TEST_F(InstallBackend, SecondInstallLooksOnly) {
  ASSERT_TRUE(install().has_value());
  std::filesystem::remove_all(at("from"));
  const auto again = install();
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->state, InstallState::kOk);
}

TEST_F(InstallBackend, ChangedFilesAreSeenAndMadeGood) {
  ASSERT_TRUE(install().has_value());
  ASSERT_TRUE(write_file_atomic(installed("libthing.so"), "bad").has_value());
  auto found = look_at_installation(backend());
  EXPECT_EQ(found.state, InstallState::kChanged);
  EXPECT_THAT(found.detail, HasSubstr("libthing.so': found SHA-256"));
  ASSERT_TRUE(install().has_value());
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "one");
  std::filesystem::remove(installed("more/libhelp.so"));
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kChanged);
  ASSERT_TRUE(write_file_atomic(installed(kManifestFile), "{").has_value());
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kChanged);
  ASSERT_TRUE(install().has_value());
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kOk);
}

TEST_F(InstallBackend, OtherVersionIsSeenAndReplaced) {
  ASSERT_TRUE(install().has_value());
  publish("two", "2.0");
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kOtherVersion);
  ASSERT_TRUE(install().has_value());
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "two");
  EXPECT_EQ(look_at_installation(backend()).manifest.packages.at(0).version, "2.0");
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre("thing", ".lock"));
}

TEST_F(InstallBackend, AnotherDigestIsRefusedAndTheOldOneStays) {
  ASSERT_TRUE(install().has_value());
  publish("two", "2.0");
  ASSERT_TRUE(write_file_atomic(at("from/thing-2.0-py3-none-any.whl"), wheel("evil")).has_value());
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, testing::AllOf(HasSubstr("install thing: thing-2.0-py3-none-any.whl: found SHA-256"), HasSubstr(digest_)));
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "one");
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre("thing", ".lock"));
}

TEST_F(InstallBackend, DamagedArchivesOfTheRightDigestAreRefused) {
  const std::string whole = wheel("one");
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    publish_bytes(whole.substr(0, size));
    EXPECT_EQ(refused().code, ErrorCode::kCorrupt) << size;
  }
  std::string flipped = whole;
  flipped[40 + std::string_view("thing/capi/libthing.so.1").size() - 8] ^= 1;
  publish_bytes(flipped);
  EXPECT_EQ(refused().code, ErrorCode::kCorrupt);
  publish_bytes(write_zip(std::vector<ZipEntry>{{"thing/capi/libthing.so.1", "x"}}, false).value());
  EXPECT_EQ(refused().code, ErrorCode::kCorrupt);
  EXPECT_THAT(refused().message, HasSubstr("found no member 'thing.libs/libhelp.so', expected one"));
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre(".lock"));
}

TEST_F(InstallBackend, MissingArchiveSaysHowToGetIt) {
  std::filesystem::remove_all(at("from"));
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, testing::AllOf(HasSubstr("found no thing-1.0-py3-none-any.whl"), HasSubstr("pip download")));
}

TEST_F(InstallBackend, KilledAtTheRenameLeavesTheOldOneAndTheNextInstallCleansUp) {
  install_and_die();
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kAbsent);
  EXPECT_EQ(names(at("home/backends")).size(), 2U);  // the lock and what the dead one left
  ASSERT_TRUE(install().has_value());
  publish("two", "2.0");
  install_and_die();
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "one");
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kOtherVersion);
  ASSERT_TRUE(install().has_value());
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "two");
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre("thing", ".lock"));
}

TEST_F(InstallBackend, FoldersOfTheUsersOwnAreLeftAlone) {
  ASSERT_TRUE(make_folders(installed()).has_value());
  ASSERT_TRUE(write_file_atomic(installed("libthing.so"), "mine").has_value());
  EXPECT_EQ(look_at_installation(backend()).state, InstallState::kOwn);
  EXPECT_EQ(refused().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(remove_backend(backend()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_file(installed("libthing.so")).value(), "mine");
}

TEST_F(InstallBackend, RemoveTakesWhatWasInstalledAndNothingElse) {
  EXPECT_EQ(remove_backend(backend()).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(install().has_value());
  ASSERT_TRUE(remove_backend(backend()).has_value());
  EXPECT_THAT(names(at("home/backends")), UnorderedElementsAre(".lock"));
  ASSERT_TRUE(install().has_value());
  ASSERT_TRUE(write_file_atomic(installed("more/notes"), "mine").has_value());
  const auto removed = remove_backend(backend());
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_EQ(removed->files.size(), 2U);
  EXPECT_THAT(names(installed()), UnorderedElementsAre("more"));
  EXPECT_EQ(read_file(installed("more/notes")).value(), "mine");
}

TEST_F(InstallBackend, ManifestThatNamesFilesElsewhereRemovesNothing) {
  ASSERT_TRUE(install().has_value());
  ASSERT_TRUE(write_file_atomic(at("home/precious"), "x").has_value());
  std::string text = read_file(installed(kManifestFile)).value();
  for (const std::string_view bad : {"../../precious", "/etc/passwd", "a//b", "more/../../../precious"}) {
    std::string hostile = text;
    hostile.replace(hostile.find("libthing.so"), 11, bad);
    ASSERT_TRUE(write_file_atomic(installed(kManifestFile), hostile).has_value());
    EXPECT_EQ(remove_backend(backend()).error().code, ErrorCode::kCorrupt) << bad;
    EXPECT_EQ(look_at_installation(backend()).state, InstallState::kChanged);
  }
  EXPECT_TRUE(std::filesystem::exists(at("home/precious")));
  EXPECT_TRUE(std::filesystem::exists(installed("libthing.so")));
}

TEST_F(InstallBackend, OneAtATime) {
  ASSERT_TRUE(make_folders(at("home/backends")).has_value());
  {
    const auto lock = FileLock::take(at("home/backends/.lock"));
    ASSERT_TRUE(lock.has_value());
    EXPECT_EQ(refused().code, ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(install().has_value());
}

TEST_F(InstallBackend, OtherMachinesAndBuiltInBackendsAreRefusedWithWords) {
  package_.tag = "py3-none-manylinux_2_28_riscv9";
  EXPECT_EQ(refused().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused().message, HasSubstr("MORU_BACKEND_PATH"));
  BackendSpec none = backend();
  none.packages = {};
  const auto built_in = install_backend(none, {});
  ASSERT_FALSE(built_in.has_value());
  EXPECT_EQ(built_in.error().code, ErrorCode::kInvalidArgument);
}

/// 0 when a file system of 64 kB keeps the install out, whole; else the step that failed, 77 when none can be mounted.
int install_on_small_disk(const BackendSpec& backend, const Path& home, const Path& from) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL) return 77;
  if (::mount("tmpfs", home.c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
  const auto result = install_backend(backend, {.from = from});
  if (result || result.error().code != ErrorCode::kIo) return 1;
  if (result.error().message.find("No space left on device; free some space") == std::string::npos) return 2;
  const auto entries = std::distance(std::filesystem::directory_iterator(home / "backends"), std::filesystem::directory_iterator());
  return entries == 1 ? 0 : 3;
}

TEST_F(InstallBackend, FullDiskIsToldAndLeavesNoLitter) {
  ASSERT_TRUE(make_folders(at("home")).has_value());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(install_on_small_disk(backend(), at("home"), at("from")));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this machine does not let tests mount a file system";
  EXPECT_EQ(status, 0) << "see install_on_small_disk, code " << WEXITSTATUS(status);
}

}  // namespace
}  // namespace moru::runtime
