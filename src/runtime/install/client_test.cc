// SPDX-License-Identifier: Apache-2.0
// The package clients, played by scripts that a test writes: what they are asked, and what becomes of their answers.
#include "runtime/install/client.h"

#include <gmock/gmock.h>

#include <cstdlib>

namespace moru::runtime {
namespace {

using testing::HasSubstr;

constexpr PackageSpec kWheel = {.client = "pip",
                                .name = "Some-Thing",
                                .version = "1.2",
                                .tag = "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
                                .sha256 = "",
                                .files = {}};
constexpr PackageSpec kJar = {
    .client = "maven", .name = "org.some:thing", .version = "1.2", .tag = "linux-x86_64", .sha256 = "", .files = {}};

class PackageClient : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-client");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
    old_path_ = std::getenv("PATH");
    ASSERT_TRUE(make_folders(at("bin")).has_value());
    ASSERT_TRUE(make_folders(at("work")).has_value());
  }
  void TearDown() override { ::setenv("PATH", old_path_.c_str(), 1); }
  Path at(std::string_view name) const { return folder_->path() / name; }
  /// A program of that name, before all others in PATH.
  void play(std::string_view program, std::string_view script) {
    ASSERT_TRUE(write_file_atomic(at("bin") / program, "#!/bin/sh\n" + std::string(script), 0755).has_value());
    ::setenv("PATH", (at("bin").string() + ":" + old_path_).c_str(), 1);
  }
  Result<Path> fetch(const PackageSpec& package) {
    return fetch_package(package, at("work"), [&](std::uint64_t bytes) { seen_ = bytes; });
  }
  std::optional<TempFolder> folder_;
  std::string old_path_;
  std::uint64_t seen_ = 0;
};

TEST_F(PackageClient, PipIsAskedForTheWheelOfTheTagAndItsGrowthIsSeen) {
  // The argument after -d is where the wheel goes; PyPI's own names may have a build number and capitals.
  play("python3", R"(echo "$@" > ")" + at("asked").string() + R"("
echo hello; head -c 1000 /dev/zero > "$TMPDIR/part"; sleep 0.5
while [ "$1" != -d ]; do shift; done
mv "$TMPDIR/part" "$2/Some_Thing-1.2-77-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"
)");
  const auto archive = fetch(kWheel);
  ASSERT_TRUE(archive.has_value()) << archive.error().message;
  EXPECT_EQ(std::filesystem::file_size(*archive), 1000U);
  EXPECT_EQ(seen_, 1000U);
  EXPECT_THAT(
      read_file(at("asked")).value(),
      testing::AllOf(HasSubstr("--implementation=cp --python-version=3.11 --abi=cp311 "), HasSubstr("--no-deps --only-binary=:all: "),
                     HasSubstr("--platform=manylinux_2_27_x86_64 --platform=manylinux_2_28_x86_64 "), HasSubstr("Some-Thing==1.2")));
}

TEST_F(PackageClient, MavenKeepsARepositoryInTheFolder) {
  play("mvn", R"(for a in "$@"; do case "$a" in -Dmaven.repo.local=*) repo=${a#*=};; -Dartifact=*) echo "$a";; esac; done > ")" +
                  at("asked").string() + R"("
mkdir -p "$repo/org/some/thing/1.2" && echo jar > "$repo/org/some/thing/1.2/thing-1.2-linux-x86_64.jar"
)");
  const auto archive = fetch(kJar);
  ASSERT_TRUE(archive.has_value()) << archive.error().message;
  EXPECT_EQ(read_file(*archive).value(), "jar\n");
  EXPECT_EQ(read_file(at("asked")).value(), "-Dartifact=org.some:thing:1.2:jar:linux-x86_64\n");
}

TEST_F(PackageClient, ItsOwnWordsSayWhyItCouldNot) {
  play("python3", "echo WARNING: something else >&2\nprintf 'ERROR: no \\033[31msuch thing\\n' >&2\necho ERROR: more >&2\nexit 3\n");
  const auto archive = fetch(kWheel);
  ASSERT_FALSE(archive.has_value());
  EXPECT_EQ(archive.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(archive.error().message, HasSubstr("pip ended with exit code 3 and says 'ERROR: no ?[31msuch thing'"));
}

TEST_F(PackageClient, MissingOneNamesTheDebianPackageThatBringsIt) {
  play("python3", "echo /usr/bin/python3: No module named pip >&2\nexit 1\n");
  auto archive = fetch(kWheel);
  ASSERT_FALSE(archive.has_value());
  EXPECT_EQ(archive.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(archive.error().message, testing::AllOf(HasSubstr("found a Python without pip"), HasSubstr("apt-get install python3-pip")));
  ::setenv("PATH", at("work").c_str(), 1);
  archive = fetch(kJar);
  ASSERT_FALSE(archive.has_value());
  EXPECT_EQ(archive.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(archive.error().message, testing::AllOf(HasSubstr("found no program 'mvn'"), HasSubstr("apt-get install maven")));
}

TEST_F(PackageClient, OneThatEndsWellButBringsNothingIsAnError) {
  play("python3", "exit 0\n");
  const auto archive = fetch(kWheel);
  ASSERT_FALSE(archive.has_value());
  EXPECT_THAT(archive.error().message, HasSubstr("found no some_thing-1.2-cp311"));
}

TEST_F(PackageClient, ArchivesAreFoundByNameVersionAndTag) {
  for (const std::string_view name : {"some_thing-1.3-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
                                      "some_other-1.2-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
                                      "some_thing-1.2-cp311-cp311-win_amd64.whl", "some_thing-1.2.whl", "thing-1.2.jar"}) {
    ASSERT_TRUE(write_file_atomic(at("work") / name, "x").has_value());
  }
  const auto none = find_archive(kWheel, at("work"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("get it with: python3 -m pip download"));
  EXPECT_FALSE(find_archive(kJar, at("work")).has_value());
  EXPECT_FALSE(find_archive(kWheel, at("nowhere")).has_value());
  ASSERT_TRUE(write_file_atomic(at("work") / archive_name(kWheel), "x").has_value());
  ASSERT_TRUE(write_file_atomic(at("work") / archive_name(kJar), "x").has_value());
  EXPECT_TRUE(find_archive(kWheel, at("work")).has_value());
  EXPECT_TRUE(find_archive(kJar, at("work")).has_value());
}

}  // namespace
}  // namespace moru::runtime
