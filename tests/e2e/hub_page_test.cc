// SPDX-License-Identifier: Apache-2.0
// The hub's page in a browser while a real line runs behind it; what must be seen stands in tests/browser/hub_page.mjs.
#include <gtest/gtest.h>

#include "tests/support/program.h"
#include "tests/support/small_line.h"

namespace moru {
namespace {

class HubPage : public testing::SmallLineTest {};

TEST_F(HubPage, ShowsNodesRolloutsAndAlertsWithoutAReload) {
  const auto line = start(2);
  ASSERT_NE(line, nullptr);
  constexpr std::int64_t kAlwaysWrong = 1;
  for (const auto& [version, shift] : {std::pair<std::int64_t, std::int64_t>{1, 0}, {2, 0}, {3, kAlwaysWrong}})
    ASSERT_TRUE(write_file_atomic(path(std::to_string(version) + ".moru"), bundle(version, shift)));
  const auto run = testing::run_command({MORU_NODE, std::string(MORU_BROWSER_TESTS) + "/hub_page.mjs"},
                                        {{"MORU_WEB", MORU_WEB},
                                         {"MORU_PROGRAM", std::string(MORU_PROGRAMS) + "/moru"},
                                         {"MORU_HUB_HOME", path("line/hub").string()},
                                         {"MORU_PAGE_URL", line->page_url()},
                                         {"MORU_BUNDLES", path("").string()}},
                                        110 * kSecond);
  EXPECT_EQ(run.code, 0) << run.output;
}

}  // namespace
}  // namespace moru
