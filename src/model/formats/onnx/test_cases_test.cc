// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/test_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>
#include <limits>

namespace moru::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::string difference_of(float found, float expected, const Tolerance& tolerance = {}) {
  return difference(Tensor::scalar(found), Tensor::scalar(expected), tolerance);
}

TEST(Difference, FloatsMayBeOffByTheTolerance) {
  EXPECT_EQ(difference_of(1000.9F, 1000), "");
  EXPECT_EQ(difference_of(1002, 1000), "element 0: found 1002, expected 1000, 2 away");
  EXPECT_EQ(difference_of(5e-8F, 0), "");
  EXPECT_NE(difference_of(2e-7F, 0), "");
  EXPECT_EQ(difference_of(2e-7F, 0, {.relative = 0, .absolute = 1e-5}), "");
  EXPECT_NE(difference(Tensor::of<double>({2}, {1, 2}), Tensor::of<double>({2}, {1, 3})), "");
}

TEST(Difference, OnlyAnInfinityIsAnInfinityAndOnlyNanIsNan) {
  EXPECT_EQ(difference_of(kInfinity, kInfinity), "");
  EXPECT_EQ(difference_of(kNan, kNan), "");
  EXPECT_EQ(difference_of(5, kInfinity), "element 0: found 5, expected inf, inf away");
  EXPECT_NE(difference_of(-kInfinity, kInfinity), "");
  EXPECT_NE(difference_of(kInfinity, 5), "");
  EXPECT_NE(difference_of(kNan, 5), "");
  EXPECT_NE(difference_of(5, kNan), "");
}

TEST(Difference, Bfloat16MayBeOffByTwoOfItsSteps) {
  const auto one = [](float value) { return Tensor::scalar(BFloat16(value)); };
  EXPECT_EQ(difference(one(1.015625F), one(1)), "");
  EXPECT_NE(difference(one(1.03125F), one(1)), "");
}

TEST(Difference, ComplexNumbersHaveADistance) {
  using Complex = std::complex<float>;
  EXPECT_EQ(difference(Tensor::scalar(Complex(3, 4.001F)), Tensor::scalar(Complex(3, 4))), "");
  EXPECT_EQ(difference(Tensor::scalar(Complex(3, 5)), Tensor::scalar(Complex(3, 4))), "element 0: found 3 + 5i, expected 3 + 4i, 1 away");
}

TEST(Difference, AllElseIsTheSameOrWrong) {
  EXPECT_EQ(difference(Tensor::of<std::int8_t>({2}, {1, 100}), Tensor::of<std::int8_t>({2}, {1, 101})),
            "element 1: found 100, expected 101");
  EXPECT_EQ(difference(Tensor::of<std::int64_t>({1}, {1'000'000}), Tensor::of<std::int64_t>({1}, {1'000'001})),
            "element 0: found 1000000, expected 1000001");
  EXPECT_EQ(difference(Tensor::of_strings({2}, std::vector<std::string>{"a", "b"}).value(),
                       Tensor::of_strings({2}, std::vector<std::string>{"a", "c"}).value()),
            "element 1: found 'b', expected 'c'");
  const auto packed = [](std::int8_t value) { return pack_4bit(Tensor::of<std::int8_t>({1}, {value})).value(); };
  EXPECT_EQ(difference(packed(3), packed(3)), "");
  EXPECT_EQ(difference(packed(3), packed(-4)), "element 0: found 3, expected -4");
}

TEST(Difference, TypesAndShapesCount) {
  EXPECT_EQ(difference(Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({2, 1}, {1, 2})), "found float32 [2], expected float32 [2, 1]");
  EXPECT_EQ(difference(Tensor::scalar<float>(1), Tensor::scalar<double>(1)), "found float32 [], expected float64 []");
  EXPECT_EQ(difference(std::vector<Tensor>{}, std::vector{Tensor::scalar<float>(1)}), "found 0 outputs, expected 1");
  EXPECT_THAT(difference(std::vector{Tensor::scalar<float>(1), Tensor::scalar<float>(2)},
                         std::vector{Tensor::scalar<float>(1), Tensor::scalar<float>(3)}),
              HasSubstr("output 1: element 0"));
}

class TestCases : public testing::Test {
 protected:
  Path write(const Path& name, std::string_view bytes) {
    const Path path = folder_.path() / name;
    EXPECT_TRUE(make_folders(path.parent_path()).has_value());
    EXPECT_TRUE(write_file_atomic(path, bytes).has_value());
    return path.parent_path();
  }
  TempFolder folder_ = *TempFolder::create("test-cases");
};

TEST_F(TestCases, AreFoundAtAnyDepth) {
  write("node/test_b/model.onnx", "");
  write("node/test_a/model.onnx", "");
  write("node/test_a/deeper/model.onnx", "");  // belongs to test_a
  write("simple/more/test_c/model.onnx", "");
  write("notes/readme.txt", "");
  std::filesystem::create_directory_symlink(folder_.path(), folder_.path() / "round");
  const auto names = [](const Path& root) {
    std::vector<std::string> all;
    const auto cases = find_test_cases(root);
    EXPECT_TRUE(cases.has_value());
    for (const TestCase& one : cases.value_or(std::vector<TestCase>{})) all.push_back(one.name);
    return all;
  };
  EXPECT_THAT(names(folder_.path()), ElementsAre("node/test_a", "node/test_b", "simple/more/test_c"));
  EXPECT_THAT(names(folder_.path() / "node"), ElementsAre("test_a", "test_b"));
  EXPECT_THAT(names(folder_.path() / "node" / "test_a" / ""), ElementsAre("test_a"));
  EXPECT_THAT(find_test_cases(folder_.path() / "notes").error().message, HasSubstr("found no folder with a model.onnx"));
  EXPECT_EQ(find_test_cases(folder_.path() / "none").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(find_test_cases(folder_.path() / "notes" / "readme.txt").has_value());
}

TEST_F(TestCases, DataSetsComeInTheOrderOfTheirNames) {
  const Path folder = write("test_a/model.onnx", "");
  EXPECT_EQ(find_data_sets(folder).error().code, ErrorCode::kCorrupt);
  const Path second = write("test_a/test_data_set_1/input_0.pb", "garbage");
  const Path first = write("test_a/test_data_set_0/input_0.pb", std::string_view("\x08\x01\x10\x01\x22\x04\0\0\x80\x3f", 10));
  write("test_a/test_data_set_0/output_1.pb", "");  // without output_0.pb nobody asks for it
  EXPECT_THAT(find_data_sets(folder).value(), ElementsAre(first, second));
  const auto set = read_data_set(first);
  ASSERT_TRUE(set.has_value()) << set.error().message;
  ASSERT_EQ(set->inputs.size(), 1U);
  EXPECT_EQ(difference(set->inputs[0], Tensor::of<float>({1}, {1})), "");
  EXPECT_TRUE(set->outputs.empty());
  EXPECT_THAT(read_data_set(second).error().message, HasSubstr("input_0.pb: "));
}

TEST_F(TestCases, ACaseMaySayItsTolerance) {
  const Path folder = write("test_a/model.onnx", "");
  EXPECT_EQ(tolerance_of(folder)->relative, 1e-3);
  EXPECT_EQ(tolerance_of(folder, {.relative = 0.5})->relative, 0.5);
  write("test_a/data.json", R"({"rtol": 0.002, "url": "x"})");
  EXPECT_EQ(tolerance_of(folder)->relative, 0.002);
  EXPECT_EQ(tolerance_of(folder)->absolute, 1e-7);
  for (const std::string_view wrong : {"{", R"({"rtol": "x"})", R"({"atol": -1})"}) {
    write("test_a/data.json", wrong);
    EXPECT_FALSE(tolerance_of(folder).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace moru::model
