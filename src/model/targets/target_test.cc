// SPDX-License-Identifier: Apache-2.0
#include "model/targets/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/files.h"

namespace moru::model::targets {
namespace {

using ::testing::HasSubstr;

/// A target with one rule; `spec` is put in front of it.
std::string message(std::string_view spec, std::string_view rules = "[{ops: [Conv]}]") {
  const std::string text = "apiVersion: moru.dev/v1\nkind: Target\nmetadata: {name: t}\nspec:\n  doc: d\n  runtime: r\n  " +
                           std::string(spec) + "\n  ops: " + std::string(rules) + "\n";
  const auto document = ConfigObject::parse(text, "t.yaml");
  EXPECT_TRUE(document.has_value()) << document.error().message;
  const auto target = read_target(*document);
  return target ? "" : target.error().message;
}

TEST(Target, EveryProfileLoads) {
  std::vector<std::string> names;
  for (const Profile& profile : builtin_profiles()) {
    const auto target = load_target(profile.name);
    ASSERT_TRUE(target.has_value()) << profile.name << ": " << target.error().message;
    EXPECT_EQ(target->name, profile.name);
    EXPECT_FALSE(target->doc.empty());
    EXPECT_THAT(std::string(profile.yaml), HasSubstr("Source")) << profile.name << " must say where its facts are from";
    for (const OpRule& rule : target->ops) EXPECT_FALSE(rule.ops.empty()) << profile.name;
    names.push_back(target->name);
  }
  for (const char* name :
       {"arm64-neon", "coral-edgetpu", "cortex-m", "intel-npu", "nvidia-jetson", "qualcomm-htp", "x86-avx2", "x86-avx512-vnni"})
    EXPECT_THAT(names, ::testing::Contains(name));
}

TEST(Target, AnUnknownNameGivesTheNearest) {
  EXPECT_THAT(load_target("coral-edgetpo").error().message, HasSubstr("did you mean 'coral-edgetpu'?"));
  EXPECT_EQ(load_target("coral").error().code, ErrorCode::kNotFound);
}

TEST(Target, IsReadFromAFile) {
  const auto folder = TempFolder::create("targets");
  ASSERT_TRUE(folder.has_value());
  const std::string path = (folder->path() / "mine.yaml").string();
  ASSERT_TRUE(write_file_atomic(path, builtin_profiles().front().yaml).has_value());
  const auto target = load_target(path);
  ASSERT_TRUE(target.has_value()) << target.error().message;
  EXPECT_EQ(target->name, builtin_profiles().front().name);
  EXPECT_EQ(load_target((folder->path() / "none.yaml").string()).error().code, ErrorCode::kNotFound);
}

TEST(Target, ReadsEveryField) {
  EXPECT_EQ(
      message("formats: [onnx]\n  opsets: {min: 7, max: 9}\n  static_shapes: true\n  full_int8: true\n  one_piece: true\n  types: [int8]\n"
              "  weights: [int4]\n  symmetric: weights\n  limits: {max_rank: 4, per_channel: false}\n  fallback: [any]\n  fallback_types: "
              "[float32]\n"
              "  instead: {Elu: use Relu}\n  memory: [{name: RAM, bytes: 100, holds: all, beyond: spill}]",
              "[{ops: [Conv], types: [uint8], outputs: [int32], constants: [1], settings: [2], symmetric: all,"
              " attributes: [{name: group, max: 1}], limits: {max_kernel: 7}}]"),
      "");
}

TEST(Target, MistakesNameLineAndField) {
  EXPECT_THAT(message("formats: [onnx]\n  static_shape: true"),
              HasSubstr("t.yaml:8: found unknown field 'static_shape' (did you mean 'static_shapes'?)"));
  EXPECT_THAT(message("formats: [onx]"), HasSubstr("t.yaml:7: found 'onx' (did you mean 'onnx'?), expected onnx and tflite"));
  EXPECT_THAT(message("formats: [onnx, onnx]"), HasSubstr("each at most once"));
  EXPECT_THAT(message("formats: []"), HasSubstr("found no format"));
  EXPECT_THAT(message("formats: [onnx]\n  types: [int9]"), HasSubstr("t.yaml:8: found 'int9'"));
  EXPECT_THAT(message("formats: [onnx]\n  types: int8"), HasSubstr("expected a list of element types"));
  EXPECT_THAT(message("formats: [onnx]\n  symmetric: some"), HasSubstr("expected one of none, weights, all"));
  EXPECT_THAT(message("formats: [onnx]\n  opsets: {min: 9, max: 7}"), HasSubstr("found 9 to 7"));
  EXPECT_THAT(message("formats: [onnx]\n  limits: {max_ranks: 4}"), HasSubstr("did you mean 'max_rank'?"));
  EXPECT_THAT(message("formats: [onnx]\n  limits: {max_rank: -1}"), HasSubstr("expected max_rank between 0"));
  EXPECT_THAT(message("formats: [onnx]\n  memory: [{name: RAM, bytes: 0, holds: all}]"), HasSubstr("bytes between 1"));
  EXPECT_THAT(message("formats: [onnx]\n  memory: {}"), HasSubstr("expected a list of memories"));
  EXPECT_THAT(message("formats: [onnx]\n  instead: [a]"), HasSubstr("expected a map from an op"));
  EXPECT_THAT(message("formats: [onnx]", "[]"), HasSubstr("expected one rule or more"));
  EXPECT_THAT(message("formats: [onnx]", "[{ops: [Conv]}, {ops: [Conv]}]"), HasSubstr("found 'Conv' twice"));
  EXPECT_THAT(message("formats: [onnx]", "[{ops: [Conv], constants: [-1]}]"), HasSubstr("found -1, expected the place of an input"));
  EXPECT_THAT(message("formats: [onnx]", "[{ops: [Conv], attributes: [{name: a}]}]"), HasSubstr("found neither 'is' nor 'max'"));
  EXPECT_THAT(message("formats: [onnx]", "[{op: [Conv]}]"), HasSubstr("did you mean 'ops'?"));
}

}  // namespace
}  // namespace moru::model::targets
