// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/release_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moru::edge {
namespace {

using ::testing::HasSubstr;
using wire::DeploymentPhase;

class ReleaseStoreTest : public ::testing::Test {
 protected:
  ReleaseStore open() {
    auto store = ReleaseStore::open(paths_);
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }
  void arrive(const ReleaseStore& store, const std::string& id) {
    ASSERT_TRUE(make_folders(paths_.incoming()));
    ASSERT_TRUE(write_file_atomic(store.incoming_path(id), "bundle of " + id));
  }
  TempFolder folder_ = std::move(*TempFolder::create("moru-releases"));
  HomePaths paths_{folder_.path()};
};

TEST_F(ReleaseStoreTest, RemembersAcrossRestarts) {
  auto store = open();
  EXPECT_EQ(store.current().release, 0);
  arrive(store, "a");
  ASSERT_TRUE(store.commit("a", {.release = 1, .name = "line", .sha256 = "s1"}));
  arrive(store, "b");
  ASSERT_TRUE(store.commit("b", {.release = 2, .name = "line", .sha256 = "s2"}));
  ASSERT_TRUE(store.close({.id = "c", .release = 3, .phase = DeploymentPhase::kRefused, .reason = "not signed"}));
  const auto again = open();
  EXPECT_EQ(again.current().release, 2);
  EXPECT_EQ(again.current().sha256, "s2");
  EXPECT_EQ(again.previous().release, 1);
  EXPECT_EQ(*read_file(again.bundle_path(2)), "bundle of b");
  ASSERT_NE(again.outcome("c"), nullptr);
  EXPECT_EQ(again.outcome("c")->phase, DeploymentPhase::kRefused);
  EXPECT_EQ(again.outcome("c")->reason, "not signed");
  EXPECT_EQ(again.outcome("b")->phase, DeploymentPhase::kCommitted);
  EXPECT_EQ(again.outcome("d"), nullptr);
}

TEST_F(ReleaseStoreTest, ACommitWithoutItsBundleChangesNothing) {
  auto store = open();
  EXPECT_FALSE(store.commit("a", {.release = 1, .name = "line", .sha256 = "s1"}));
  EXPECT_EQ(store.current().release, 0);
  EXPECT_EQ(open().current().release, 0);
}

TEST_F(ReleaseStoreTest, TheListOfOutcomesIsBounded) {
  auto store = open();
  for (std::size_t i = 0; i < ReleaseStore::kMaxOutcomes + 3; ++i) {
    ASSERT_TRUE(store.close({.id = "id-" + std::to_string(i), .release = 1, .phase = DeploymentPhase::kAborted, .reason = {}}));
  }
  EXPECT_EQ(store.outcome("id-2"), nullptr);
  EXPECT_NE(store.outcome("id-3"), nullptr);
}

TEST_F(ReleaseStoreTest, ADamagedFileIsSaidAndLeftAlone) {
  for (
      const char* text :
      {"", "{", "[]", R"({"current":1})", R"({"current":{"release":-1,"name":"","sha256":""}})",
       R"({"current":{"release":1,"name":"","sha256":""},"previous":{"release":0,"name":"","sha256":""},"deployments":[{"id":"a","release":1,"phase":"soaking","reason":""}]})"}) {
    ASSERT_TRUE(write_file_atomic(paths_.current(), text));
    const auto store = ReleaseStore::open(paths_);
    ASSERT_FALSE(store) << text;
    EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(store.error().message, HasSubstr("current.json"));
    EXPECT_EQ(*read_file(paths_.current()), text);
  }
}

}  // namespace
}  // namespace moru::edge
