// SPDX-License-Identifier: Apache-2.0
// Cases that are right, wrong, unsupported and hostile: each has its verdict, and none harms the others.
#include "runtime/worker/run_cases.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

class Conformance : public testing::Test {
 protected:
  void write(const Path& name, std::string_view bytes) {
    const Path path = folder_.path() / name;
    ASSERT_TRUE(make_folders(path.parent_path()).has_value());
    ASSERT_TRUE(write_file_atomic(path, bytes).has_value());
  }

  static std::string onnx_of(std::string_view text) {
    auto graph = model::parse_text(text);
    EXPECT_TRUE(graph.has_value()) << graph.error().message;
    EXPECT_TRUE(model::infer_shapes(*graph).has_value());
    return model::write_onnx(*graph).value();
  }

  /// A float vector as ONNX's file of a tensor.
  static std::string tensor(std::initializer_list<float> values) {
    std::string bytes = {'\x08', static_cast<char>(values.size()), '\x10', '\x01', '\x4a', static_cast<char>(4 * values.size())};
    for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return bytes;
  }

  /// y = x + x on one vector.
  void write_double(const std::string& name, std::initializer_list<float> expected, std::string_view op = "Add") {
    std::string bytes = onnx_of("graph \"double\" {\n  opset 13\n  input x: float32[N]\n  y = Add(x, x)\n  output y\n}");
    bytes.replace(bytes.find("Add"), 3, op);
    write(name + "/model.onnx", bytes);
    write(name + "/test_data_set_0/input_0.pb", tensor({1, 2}));
    write(name + "/test_data_set_0/output_0.pb", tensor(expected));
  }

  /// A product of 2500 x 2500 matrices, for which the reference takes seconds.
  void write_slow(const std::string& name) {
    write(name + "/model.onnx", onnx_of(R"(graph "slow" {
  opset 13
  input x: float32[1]
  init shape = int64[2] {2500, 2500}
  m = Expand(x, shape)
  y = MatMul(m, m)
  output y
})"));
    write(name + "/test_data_set_0/input_0.pb", tensor({1}));
    write(name + "/test_data_set_0/output_0.pb", tensor({1}));
  }

  /// The results of all cases, as "verdict: reason", in name order.
  std::vector<std::string> run(std::string_view backend, const CasesOptions& options = {}) {
    const auto cases = model::find_test_cases(folder_.path());
    EXPECT_TRUE(cases.has_value());
    const auto results = run_cases(*cases, backend, options, {MORU_WORKER});
    EXPECT_TRUE(results.has_value()) << results.error().message;
    std::vector<std::string> lines;
    for (const CaseResult& one : results.value_or(std::vector<CaseResult>{})) {
      lines.push_back(fmt::format("{}: {}", to_string(one.verdict), one.reason));
    }
    return lines;
  }

  TempFolder folder_ = *TempFolder::create("conformance");
};

TEST_F(Conformance, RightWrongAndUnsupportedOnEachBackend) {
  write_double("a_right", {2, 4});
  write_double("b_wrong", {2, 5});
  write_double("c_unknown", {2, 4}, "Odd");
  write_double("d_shape", {2, 4, 6});
  write_double("e_right", {2, 4});
  for (const std::string_view backend : {"reference", "onnxruntime"}) {
    const auto lines = run(backend);
    ASSERT_EQ(lines.size(), 5U);
    EXPECT_EQ(lines[0], "pass: ") << backend;
    EXPECT_EQ(lines[1], "fail: test_data_set_0: output 0: element 1: found 4, expected 5, 1 away");
    EXPECT_THAT(lines[2], testing::AllOf(StartsWith("unsupported: "), HasSubstr("Odd")));
    EXPECT_EQ(lines[3], "fail: test_data_set_0: output 0: found float32 [2], expected float32 [3]");
    EXPECT_EQ(lines[4], "pass: ");
  }
}

TEST_F(Conformance, EachDataSetCountsAndSoDoesTheTolerance) {
  write_double("case", {2, 4});
  write("case/test_data_set_1/input_0.pb", tensor({3}));
  write("case/test_data_set_1/output_0.pb", tensor({6.01F}));
  EXPECT_THAT(run("reference").at(0), StartsWith("fail: test_data_set_1: output 0: element 0: found 6, expected 6.01"));
  EXPECT_EQ(run("reference", {.each = {.tolerance = {.relative = 0.01}}}).at(0), "pass: ");
  write("case/data.json", R"({"rtol": 0.01})");
  EXPECT_EQ(run("reference").at(0), "pass: ");
}

TEST_F(Conformance, DamagedCasesFailAndSayWhere) {
  write("a_garbage/model.onnx", "not a model");
  write("b_empty/model.onnx", "");
  write_double("c_no_data", {2, 4});
  std::filesystem::remove_all(folder_.path() / "c_no_data" / "test_data_set_0");
  write_double("d_no_input", {2, 4});
  std::filesystem::remove(folder_.path() / "d_no_input/test_data_set_0/input_0.pb");
  write_double("e_no_output", {2, 4});
  std::filesystem::remove(folder_.path() / "e_no_output/test_data_set_0/output_0.pb");
  write_double("f_garbage_input", {2, 4});
  write("f_garbage_input/test_data_set_0/input_0.pb", "garbage");
  write_double("g_huge_input", {2, 4});
  write("g_huge_input/test_data_set_0/input_0.pb", std::string_view("\x08\xff\xff\xff\xff\xff\xff\x0f\x10\x01", 10));
  std::filesystem::create_directories(folder_.path() / "h_folder/model.onnx");
  write_double("i_settings", {2, 4});
  write("i_settings/data.json", "{");
  for (const std::string_view backend : {"reference", "onnxruntime"}) {
    const auto lines = run(backend);
    ASSERT_EQ(lines.size(), 9U);
    for (const std::string& line : lines) {
      EXPECT_THAT(line, StartsWith("fail: ")) << backend;
      // What a foreign runtime says of a model has its own words.
      if (backend == "reference") {
        EXPECT_THAT(line, testing::AllOf(HasSubstr("found"), HasSubstr("expected")));
      }
    }
    EXPECT_THAT(lines[2], HasSubstr("found no folder test_data_set_0"));
    EXPECT_THAT(lines[4], HasSubstr("found 1 outputs, expected 0"));
    EXPECT_THAT(lines[5], HasSubstr("f_garbage_input/test_data_set_0/input_0.pb: "));
  }
}

TEST_F(Conformance, OneThatTakesTooLongOrTooMuchMemoryLeavesTheOthers) {
  write_slow("a_slow");
  write_double("b_right", {2, 4});
  write("c_huge/model.onnx", onnx_of(R"(graph "huge" {
  opset 13
  input x: float32[1]
  init shape = int64[1] {8589934592}
  y = Expand(x, shape)
  output y
})"));
  write("c_huge/test_data_set_0/input_0.pb", tensor({1}));
  write("c_huge/test_data_set_0/output_0.pb", tensor({1}));
  write_double("d_right", {2, 4});
  const auto lines = run("reference", {.each = {.max_memory_bytes = 1'000'000'000}, .timeout = kSecond / 2});
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[0], StartsWith("fail: backend reference: found no end of running the case after 500.00 ms"));
  EXPECT_EQ(lines[1], "pass: ");
  EXPECT_THAT(lines[2], StartsWith("fail: "));
  EXPECT_EQ(lines[3], "pass: ");
}

TEST_F(Conformance, ALibraryThatDoesHarmIsUnavailable) {
  write_double("a_right", {2, 4});
  const auto cases = model::find_test_cases(folder_.path());
  for (const std::string_view kind : {"crash", "exit", "throw"}) {
    ::setenv("MORU_BACKEND_PATH", fmt::format("{}/{}", MORU_HOSTILE, kind).c_str(), 1);
    const auto results = run_cases(*cases, "onnxruntime", {}, {MORU_WORKER});
    ::unsetenv("MORU_BACKEND_PATH");
    ASSERT_FALSE(results.has_value()) << kind;
    EXPECT_EQ(results.error().code, ErrorCode::kUnavailable);
    // A thrown exception ends the process while it loads, or is caught at the end of it: that is up to the compiler of the library.
    EXPECT_THAT(results.error().message, AnyOf(HasSubstr("loading its library"), HasSubstr("found an exception of the library")));
  }
}

TEST_F(Conformance, UnknownBackendsAreNamed) {
  const auto results = run_cases({}, "referenc", {}, {MORU_WORKER});
  ASSERT_FALSE(results.has_value());
  EXPECT_THAT(results.error().message, HasSubstr("did you mean 'reference'?"));
  EXPECT_FALSE(run_cases({}, "reference", {.each = {.threads = 0}}, {MORU_WORKER}).has_value());
}

}  // namespace
}  // namespace moru::runtime
