// SPDX-License-Identifier: Apache-2.0
// `moru model check --backend`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "core/json.h"
#include "tests/support/program.h"

namespace moru::cli {
namespace {

using moru::testing::ProgramRun;
using ::testing::HasSubstr;

class CheckOnBackend : public ::testing::Test {
 protected:
  static ProgramRun check(const std::string& model, const std::vector<std::string>& more, std::string libraries = "") {
    std::vector<std::string> arguments = {"model", "check", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return moru::testing::run_program("moru", arguments, {{"MORU_BACKEND_PATH", std::move(libraries)}});
  }
  std::string write(std::string_view text) {
    const Path path = folder_.path() / "net.graph";
    EXPECT_TRUE(write_file_atomic(path, text).has_value());
    return path.string();
  }
  /// Between two nodes that everybody runs one that nobody knows.
  std::string write_foreign() {
    return write(R"(graph "net" { opset 13 input x: float32[N, 4]
  a: float32[N, 4] = Relu(x)
  b: float32[N, 4] = com.example::Wobble(a) as middle
  y: float32[N, 4] = Relu(b)
  output y })");
  }
  std::string write_plain() { return write(R"(graph "net" { opset 13 input x: float32[N, 4] y = Relu(x) output y })"); }
  TempFolder folder_ = *TempFolder::create("model-check");
};

TEST_F(CheckOnBackend, SaysThatAllOfAModelRuns) {
  const auto run = check(write_plain(), {"--backend", "reference"});
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("backend       reference built in\nresult        all of it runs there"));
}

TEST_F(CheckOnBackend, NamesTheNodeThatIsRefusedInTheBackendsWords) {
  const auto run = check(write_foreign(), {"--backend", "onnxruntime"});
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_THAT(run.output, HasSubstr("result        1 node is refused"));
  EXPECT_THAT(run.output, HasSubstr("refused       1 com.example::Wobble: node 1 'middle'"));
  const auto json = parse_json(check(write_foreign(), {"--backend", "onnxruntime", "--format", "json"}).output, "output");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)["met"], false);
  EXPECT_EQ((*json)["refused_nodes"], 1);
  EXPECT_EQ((*json)["nodes"][0]["runs"], true);
  EXPECT_EQ((*json)["nodes"][0]["reason"], Json());
  EXPECT_THAT((*json)["nodes"][1]["reason"].get<std::string>(), HasSubstr("Wobble"));
}

TEST_F(CheckOnBackend, WordsOfSeveralLinesBecomeOne) {
  const auto run = check(write_foreign(), {"--backend", "litert"});  // what cannot be converted to TFLite is a list
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_THAT(run.output, HasSubstr("cannot be converted / node 0 (Wobble): found an op without counterpart in TFLite\n"));
}

TEST_F(CheckOnBackend, ALibraryThatCrashesIsNotThere) {
  const auto run = check(write_plain(), {"--backend", "onnxruntime"}, MORU_HOSTILE "/crash");
  EXPECT_EQ(run.code, 4) << run.output;
  EXPECT_THAT(run.output, HasSubstr("SIGSEGV"));
}

TEST_F(CheckOnBackend, WantsATargetOrABackend) {
  EXPECT_EQ(check(write_plain(), {}).code, 2);
  EXPECT_EQ(check(write_plain(), {"--backend", "reference", "--target", "cortex-m"}).code, 2);
  EXPECT_EQ(check(write_plain(), {"--backend", "nonesuch"}).code, 2);
}

}  // namespace
}  // namespace moru::cli
