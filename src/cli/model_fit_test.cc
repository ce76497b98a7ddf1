// SPDX-License-Identifier: Apache-2.0
// `moru model fit`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "core/json.h"
#include "tests/support/program.h"

namespace moru::cli {
namespace {

using moru::testing::ProgramRun;
using ::testing::HasSubstr;

class ModelFit : public ::testing::Test {
 protected:
  static ProgramRun fit(std::vector<std::string> arguments, std::string isa = "scalar") {
    arguments.insert(arguments.begin(), {"model", "fit"});
    return moru::testing::run_program("moru", arguments, {{"MORU_ISA", std::move(isa)}});
  }
  std::string write(std::string_view name, std::string_view text) {
    const Path path = folder_.path() / name;
    EXPECT_TRUE(write_file_atomic(path, text).has_value());
    return path.string();
  }
  std::string write_model() {
    return write("net.graph", R"(graph "net" { opset 13
  input x: float32[N, 100, 100]
  a: float32[N, 100, 100] = Relu(x)
  y: float32[N, 100, 100] = Softmax(a)
  output y })");
  }
  std::string write_target(std::string_view memory) {
    return write("mine.yaml",
                 "apiVersion: moru.dev/v1\nkind: Target\nmetadata: {name: mine}\nspec:\n  doc: a board\n  isa: [avx2]\n"
                 "  runtime: native\n  formats: [onnx]\n  ops: [{ops: [any]}]\n  memory:\n    - {name: RAM, " +
                     std::string(memory) + "}\n");
  }
  static Json json_of(const ProgramRun& run) {
    const auto json = parse_json(run.output, "output");
    EXPECT_TRUE(json.has_value()) << run.output;
    return json.value_or(Json());
  }
  TempFolder folder_ = *TempFolder::create("model-fit");
};

TEST_F(ModelFit, TellsBytesForAsManyAsThereAre) {
  const Json one = json_of(fit({write_model(), "--format", "json"}));
  EXPECT_EQ(one["isa"], "scalar");
  EXPECT_EQ(one["input_bytes"], 40'000);
  EXPECT_EQ(one["output_bytes"], 40'000);
  EXPECT_GE(one["arena_bytes"], 40'000);
  EXPECT_EQ(one["worker_bytes"], 0);
  EXPECT_EQ(one["total_bytes"], one["weight_bytes"].get<int>() + one["arena_bytes"].get<int>() + 80'000);
  EXPECT_FALSE(one.contains("fits"));
  const Json eight = json_of(fit({write_model(), "--dim", "N=8", "--format", "json"}));
  EXPECT_EQ(eight["input_bytes"], 320'000);
  EXPECT_GE(eight["arena_bytes"], 320'000);
}

TEST_F(ModelFit, ComparesWithTheMemoryOfADevice) {
  const auto fits = fit({write_model(), "--target", write_target("bytes: 200000, holds: all")});
  EXPECT_EQ(fits.code, 0) << fits.output;
  EXPECT_THAT(fits.output, HasSubstr("memory        RAM: everything of "));
  EXPECT_THAT(fits.output, HasSubstr("result        mine: it fits"));
  const auto does_not = fit({write_model(), "--target", write_target("bytes: 100000, holds: all")});
  EXPECT_EQ(does_not.code, 3) << does_not.output;
  EXPECT_THAT(does_not.output, HasSubstr("there are 100.0 kB; too much"));
  EXPECT_THAT(does_not.output, HasSubstr("result        mine: it does not fit"));
  // The weights of none are few; what lies between layers spills.
  EXPECT_EQ(fit({write_model(), "--target", write_target("bytes: 1000, holds: parameters")}).code, 0);
  const auto spills = fit({write_model(), "--target", write_target("bytes: 1000, holds: activations, beyond: spill"), "--format", "json"});
  EXPECT_EQ(spills.code, 0) << spills.output;
  EXPECT_EQ(json_of(spills)["memory"][0]["fits"], false);
  EXPECT_EQ(json_of(spills)["fits"], true);
}

TEST_F(ModelFit, WhatTheEngineDoesNotRunIsAnError) {
  const auto run = fit({write("det.graph", R"(graph "net" { opset 13 input x: float32[2, 2] y = Det(x) output y })")});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("the native engine has no op Det"));
  EXPECT_EQ(fit({write_model(), "--dim", "M=8"}).code, 2);
  EXPECT_EQ(fit({write_model(), "--target", "nonesuch"}).code, 2);
}

}  // namespace
}  // namespace moru::cli
