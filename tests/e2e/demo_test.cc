// SPDX-License-Identifier: Apache-2.0
// The main job, small: every outcome that it promises.
#include <gtest/gtest.h>

#include "core/json.h"
#include "tests/support/program.h"

namespace moru {
namespace {

/// Runs the job once for all tests of this file; stdout must hold exactly one JSON object.
const Json& demo_result() {
  static const Json result = [] {
    const Path home = MORU_E2E_HOME;
    EXPECT_TRUE(make_folders(home));
    ProcessOptions options;
    options.arguments = {std::string(MORU_PROGRAMS) + "/moru",
                         "demo",
                         "factory",
                         "--items",
                         "2000",
                         "--no-wait",
                         "--format",
                         "json",
                         "--report",
                         home.string()};
    options.environment = {{"MORU_HOME", home.string()}};
    options.output_file = home / "demo.log";
    const auto ignored = ::unlink(options.output_file->c_str());
    (void)ignored;
    auto process = Process::start(options);
    EXPECT_TRUE(process) << process.error().message;
    const auto status = process->wait_for(1100 * kSecond);
    const auto log = read_file(*options.output_file);
    EXPECT_TRUE(status && status->code == 0) << (log ? *log : "");
    const auto report = read_file(home / "report.json");
    EXPECT_TRUE(report);
    auto json = parse_json(report ? *report : "{}", "report.json");
    return json ? *json : Json::object();
  }();
  return result;
}

const Json& rollout(std::int64_t release) {
  static const Json none = Json::object();
  for (const auto& entry : demo_result().value("rollouts", Json::array())) {
    if (entry.value("release", std::int64_t{0}) == release) {
      static std::map<std::int64_t, Json> kept;
      return kept[release] = entry;
    }
  }
  ADD_FAILURE() << "no rollout of release " << release;
  return none;
}

TEST(FactoryDemo, ModelIsAccurateAndSmall) {
  const auto& report = demo_result();
  EXPECT_GE(report.value("accuracy_float", 0.0), 0.91);
  EXPECT_GE(report.value("accuracy_int8", 0.0), report.value("accuracy_float", 1.0) - 0.01);
  EXPECT_LE(report.value("size_int8_bytes", 1.0), 0.30 * report.value("size_float_bytes", 0.0));
  EXPECT_GE(report.value("argmax_agreement", 0.0), 0.97);
}

TEST(FactoryDemo, NoItemIsMissedAndTheLedgerAddsUp) {
  const auto& report = demo_result();
  EXPECT_GE(report.value("items", 0), 4000);
  EXPECT_EQ(report.value("missed", -1), 0);
  const auto ledger = report.value("ledger", Json::object());
  EXPECT_EQ(ledger.value("in", 0), report.value("items", -1));
  EXPECT_EQ(ledger.value("in", -1),
            ledger.value("out", 0) + ledger.value("in_flight", 0) + ledger.value("stored", 0) + ledger.value("dropped", 0));
  EXPECT_EQ(ledger.value("out", -1), ledger.value("in", 0));
  for (const auto& node : report.value("nodes", Json::array())) {
    for (const auto& link : node["ledger"]) EXPECT_TRUE(link.value("balanced", false)) << link.dump();
  }
}

TEST(FactoryDemo, DefectsAreFoundWithFewFalseAlarms) {
  const auto& report = demo_result();
  const double defects = report.value("defects_true", 0.0);
  ASSERT_GT(defects, 40);
  EXPECT_GE(report.value("defects_found", 0.0), 0.85 * defects);
  EXPECT_LE(report.value("false_alarms", 1e9), 0.01 * (report.value("items", 0.0) - defects));
  EXPECT_GT(report.value("latency_p50_us", 0.0), 0.0);
  EXPECT_GE(report.value("latency_p99_us", 0.0), report.value("latency_p50_us", 1e9));
}

TEST(FactoryDemo, TheBetterReleaseIsTaken) {
  EXPECT_EQ(rollout(2).value("outcome", ""), "succeeded") << rollout(2).dump();
  EXPECT_GE(rollout(2).value("shadow_items", 0), 500);
}

TEST(FactoryDemo, ShuffledWeightsFailAtTheGate) {
  EXPECT_EQ(rollout(3).value("outcome", ""), "failed") << rollout(3).dump();
  EXPECT_GE(rollout(3).value("shadow_items", 0), 500);
}

TEST(FactoryDemo, FivePointsLessFailAtTheGate) {
  EXPECT_EQ(rollout(4).value("outcome", ""), "failed") << rollout(4).dump();
  EXPECT_GE(rollout(4).value("shadow_items", 0), 500);
}

TEST(FactoryDemo, AFlippedByteIsRefused) { EXPECT_EQ(rollout(5).value("outcome", ""), "refused") << rollout(5).dump(); }

TEST(FactoryDemo, TheNodesEndOnReleaseTwo) {
  const auto nodes = demo_result().value("nodes", Json::array());
  ASSERT_EQ(nodes.size(), 2U);
  for (const auto& node : nodes) EXPECT_EQ(node.value("release", 0), 2) << node.dump();
}

TEST(FactoryDemo, ReportIsOnePageWithPlots) {
  demo_result();
  const auto html = read_file(Path(MORU_E2E_HOME) / "report.html");
  ASSERT_TRUE(html);
  EXPECT_NE(html->find("<svg"), std::string::npos);
  EXPECT_EQ(html->find("http://"), std::string::npos) << "the page must be self-contained";
  EXPECT_EQ(html->find("https://"), std::string::npos) << "the page must be self-contained";
}

}  // namespace
}  // namespace moru
