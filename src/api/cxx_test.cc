// SPDX-License-Identifier: Apache-2.0
// The C++ interface from outside, as c_test.cc.
#include <gmock/gmock.h>
#include <moru/moru.h>

#include <array>
#include <fstream>
#include <iterator>

namespace {

using moru::ErrorCode;
using moru::Session;
using testing::ElementsAre;
using testing::HasSubstr;

std::string path_of(const char* model) { return std::string(MORU_API_MODELS) + "/" + model; }

TEST(Cxx, TakesRangesOfElements) {
  auto session = Session::load_file(path_of("dense.onnx"));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const std::vector<float> x = {1, 2, 3, 4};
  std::array<float, 2> y{};
  ASSERT_TRUE(session->run({x}, {y}).has_value());
  EXPECT_THAT(y, ElementsAre(10.5F, 0));
  float again[2] = {};
  ASSERT_TRUE(session->run({std::span(x)}, {std::span(again)}).has_value());
  EXPECT_EQ(again[0], 10.5F);
  const moru::Input inputs[] = {x};
  const moru::Output outputs[] = {moru::Output(MORU_FLOAT32, std::as_writable_bytes(std::span(again)))};
  EXPECT_TRUE(session->run(inputs, outputs).has_value());
  static_assert(!std::is_constructible_v<moru::Output, const std::vector<float>&>, "a run must not write into constants");
}

TEST(Cxx, DescribesAndBinds) {
  auto session = Session::load_file(path_of("dense.onnx"), {.backend = "native:cpu", .threads = 1}).value();
  ASSERT_EQ(session.inputs().size(), 1);
  EXPECT_EQ(session.inputs()[0].name, "x");
  EXPECT_EQ(session.inputs()[0].dtype, moru::dtype_of<float>());
  EXPECT_THAT(session.inputs()[0].dims, ElementsAre(-1, 4));
  EXPECT_STREQ(session.inputs()[0].dim_names[0], "N");
  ASSERT_TRUE(session.bind({{2, 4}}).has_value());
  EXPECT_THAT(session.outputs()[0].bound_dims, ElementsAre(2, 2));
  EXPECT_EQ(session.outputs()[0].size_bytes, 16);
  ASSERT_NE(session.memory_need(), nullptr);
  EXPECT_GT(session.memory_need()->weight_bytes, 0);
  std::vector<float> y(4);
  EXPECT_TRUE(session.run({std::vector<float>(8, 1)}, {y}).has_value());
  EXPECT_THAT(y, ElementsAre(4.5F, 0, 4.5F, 0));
}

TEST(Cxx, Clones) {
  auto session = Session::load_file(path_of("dense.onnx"), {.threads = 2}).value();
  auto clone = session.clone();
  ASSERT_TRUE(clone.has_value()) << clone.error().message;
  std::vector<float> y(2);
  ASSERT_TRUE(clone->run({std::vector<float>{1, 2, 3, 4}}, {y}).has_value());
  EXPECT_THAT(y, ElementsAre(10.5F, 0));
}

TEST(Cxx, LoadsBytes) {
  std::ifstream file(path_of("levels.tflite"), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  auto session = Session::load_bytes(std::as_bytes(std::span(bytes))).value();
  const std::array<std::int8_t, 4> x = {2, 4, 6, 8};
  std::vector<std::int8_t> y(2);
  ASSERT_TRUE(session.run({x}, {y}).has_value());
  EXPECT_THAT(y, ElementsAre(18, 22));
}

TEST(Cxx, ErrorsAreValues) {
  const auto none = Session::load_file(path_of("none.onnx"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("none.onnx"));
  EXPECT_EQ(Session::load_file(path_of("dense.onnx"), {.settings = {{"speed", "9"}}}).error().code, ErrorCode::kInvalidArgument);
  auto session = Session::load_file(path_of("dense.onnx")).value();
  std::vector<float> y(2);
  EXPECT_THAT(session.run({std::vector<int>(4)}, {y}).error().message, HasSubstr("found int32, expected 16 bytes for float32 [1, 4]"));
  EXPECT_EQ(session.bind({{1, 5}}).error().code, ErrorCode::kInvalidArgument);
  const Session moved = std::move(session);
  EXPECT_EQ(session.run({y}, {y}).error().code, ErrorCode::kInvalidArgument);  // NOLINT(bugprone-use-after-move): an error, no crash
  EXPECT_TRUE(session.inputs().empty());
  EXPECT_EQ(moved.inputs().size(), 1);
}

}  // namespace
