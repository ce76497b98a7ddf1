// SPDX-License-Identifier: Apache-2.0
// moru ops and moru passes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/json.h"
#include "core/process.h"

namespace moru::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct ProgramRun {
  int code = -1;
  std::string output;  ///< stdout and stderr
};

ProgramRun run_moru(const std::vector<std::string>& arguments) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", "exec \"$0\" \"$@\" 2>&1", MORU_PROGRAM};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  const auto run = run_and_capture(options, 60 * kSecond);
  if (!run) {
    ADD_FAILURE() << run.error().message;
    return {};
  }
  return {run->status.code, run->output};
}

/// The JSON that a command prints; null when it fails.
Json run_json(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--format", "json"});
  const ProgramRun run = run_moru(arguments);
  EXPECT_EQ(run.code, 0) << run.output;
  const auto json = parse_json(run.output, "output");
  EXPECT_TRUE(json.has_value());
  return json ? *json : Json();
}

TEST(MoruOps, ListsAllWithASentenceEach) {
  const ProgramRun run = run_moru({"ops"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.output, HasSubstr("\nConv "));
  EXPECT_THAT(run.output, HasSubstr("\nClip                 Element by element, any shape: output = min(max(input, min), max).\n"));
  EXPECT_EQ(run_json({"ops"}).size(), static_cast<std::size_t>(std::ranges::count(run.output, '\n')));
}

TEST(MoruOps, ExplainsOneWithExamples) {
  const ProgramRun run = run_moru({"ops", "Conv"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.output, StartsWith("Conv, since opset 1\n"));
  EXPECT_THAT(run.output, HasSubstr("B                [O], added to each output channel (may be left out)"));
  EXPECT_THAT(run.output, HasSubstr("dilations"));
  EXPECT_THAT(run.output, HasSubstr("=> float32[1, 1, 2, 2] {12, 16, 24, 28}"));
  const Json json = run_json({"ops", "Conv"});
  EXPECT_EQ(json["name"], "Conv");
  EXPECT_EQ(json["inputs"].size(), 3U);
  EXPECT_EQ(json["examples"][0]["expected"], "float32[1, 1, 2, 2] {12, 16, 24, 28}");
}

TEST(MoruOps, OpsOfOtherDomainsAreFoundUnderTheNameInTheList) {
  EXPECT_THAT(run_moru({"ops"}).output, HasSubstr("\ntflite::CONV_2D "));
  EXPECT_THAT(run_moru({"ops", "tflite::CONV_2D"}).output, StartsWith("tflite::CONV_2D, since opset 1\n"));
}

TEST(MoruOps, AnUnknownOneNamesTheNearest) {
  const ProgramRun run = run_moru({"ops", "Softmx"});
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.output, "moru: op 'Softmx': found no such op, expected one that `moru ops` lists (did you mean 'Softmax'?)\n");
}

TEST(MoruPasses, ListsAndShowsBeforeAndAfter) {
  EXPECT_THAT(run_moru({"passes"}).output, HasSubstr("fold_batch_norm "));
  const ProgramRun run = run_moru({"passes", "fold_batch_norm"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.output, HasSubstr("Before\ngraph \"conv_bn\""));
  EXPECT_THAT(run.output, HasSubstr("y: float32[N, 1, 3] = Conv(x, w_folded, w_bias_folded)"));
  const Json json = run_json({"passes", "eliminate_identity"});
  EXPECT_THAT(json["before"].get<std::string>(), HasSubstr("Identity("));
  EXPECT_THAT(json["after"].get<std::string>(), ::testing::Not(HasSubstr("Identity(")));
  EXPECT_GE(run_json({"passes"}).size(), 2U);
}

TEST(MoruPasses, AnUnknownOneNamesTheNearest) {
  const ProgramRun run = run_moru({"passes", "fold_batch_nrom"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.output, HasSubstr("did you mean 'fold_batch_norm'?"));
}

}  // namespace
}  // namespace moru::cli
