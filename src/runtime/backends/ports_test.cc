// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/ports.h"

#include <gmock/gmock.h>

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

class PortCheckerTest : public testing::Test {
 protected:
  Status check(const std::vector<Tensor>& inputs, std::vector<Tensor> outputs) {
    std::vector<model::ConstTensorView> in;
    std::vector<model::TensorView> out;
    for (const auto& tensor : inputs) in.push_back(tensor.view());
    for (auto& tensor : outputs) out.push_back(tensor.mutable_view());
    return checker_.check(in, out);
  }
  static Tensor floats(model::Dims dims) { return Tensor::create(DType::kFloat32, std::move(dims)).value(); }
  static std::string message(const Status& status) { return status ? "accepted" : status.error().message; }

  std::vector<Port> inputs_ = {{"x", DType::kFloat32, {{-1, "N"}, {3, ""}}}, {"y", DType::kFloat32, {{-1, "N"}}}};
  std::vector<Port> outputs_ = {{"z", DType::kFloat32, {{-1, "N"}, {-1, ""}}}};
  PortChecker checker_{inputs_, outputs_};
};

TEST_F(PortCheckerTest, TakesWhatFitsAndBindsAnewEachTime) {
  EXPECT_EQ(message(check({floats({2, 3}), floats({2})}, {floats({2, 9})})), "accepted");
  EXPECT_EQ(message(check({floats({5, 3}), floats({5})}, {floats({5, 1})})), "accepted");
}

TEST_F(PortCheckerTest, SaysWhatWasFoundAndExpected) {
  EXPECT_EQ(message(check({floats({2, 3})}, {floats({2, 9})})), "run: found 1 inputs, expected 2");
  EXPECT_EQ(message(check({floats({2, 3}), floats({2})}, {})), "run: found 0 outputs, expected 1");
  EXPECT_EQ(message(check({floats({2, 4}), floats({2})}, {floats({2, 9})})), "input 'x': found float32 [2, 4], expected float32 [N, 3]");
  EXPECT_EQ(message(check({floats({2}), floats({2})}, {floats({2, 9})})), "input 'x': found float32 [2], expected float32 [N, 3]");
  EXPECT_EQ(message(check({floats({2, 3}), floats({4})}, {floats({2, 9})})),
            "input 'y': found float32 [4], expected float32 [N] with N = 2");
  EXPECT_THAT(message(check({floats({2, 3}), floats({2})}, {floats({3, 9})})), HasSubstr("output 'z': found float32 [3, 9]"));
  const auto ints = Tensor::create(DType::kInt8, {2, 3}).value();
  EXPECT_THAT(message(check({ints, floats({2})}, {floats({2, 9})})), HasSubstr("found int8 [2, 3], expected float32"));
}

TEST_F(PortCheckerTest, MemoryMustBeAsLargeAsTheShapeSays) {
  auto x = floats({2, 3});
  auto y = floats({2});
  auto z = floats({2, 9});
  std::vector<model::ConstTensorView> in = {x.view(), y.view()};
  std::vector<model::TensorView> out = {z.mutable_view()};
  in[0].bytes = in[0].bytes.first(8);
  EXPECT_EQ(message(checker_.check(in, out)), "input 'x': found 8 bytes, expected 24 for float32 [2, 3]");
  in[0] = x.view();
  const std::vector<std::int64_t> huge = {2, std::int64_t{1} << 60U};
  out[0].dims = huge;
  EXPECT_EQ(checker_.check(in, out).error().code, ErrorCode::kResourceExhausted);
  const std::vector<std::int64_t> negative = {2, -9};
  out[0].dims = negative;
  EXPECT_EQ(checker_.check(in, out).error().code, ErrorCode::kInvalidArgument);
}

TEST(PortChecker, DerivesOutputShapesFromTheInputs) {
  const std::vector<Port> inputs = {{"x", DType::kFloat32, {{-1, "N"}, {3, ""}}}};
  const std::vector<Port> good = {{"z", DType::kFloat32, {{-1, "N"}, {7, ""}}}};
  const std::vector<Port> open = {{"z", DType::kFloat32, {{-1, ""}, {7, ""}}}};
  const auto x = Tensor::create(DType::kFloat32, {4, 3}).value();
  const std::vector<model::ConstTensorView> views = {x.view()};
  const auto dims = PortChecker(inputs, good).output_dims(views);
  ASSERT_TRUE(dims.has_value());
  EXPECT_THAT(dims->at(0), ElementsAre(4, 7));
  EXPECT_EQ(PortChecker(inputs, open).output_dims(views).error().code, ErrorCode::kUnsupported);
}

TEST(DescribePort, IsOneLine) { EXPECT_EQ(describe(Port{"x", DType::kFloat32, {{-1, "N"}, {3, ""}}}), "x: float32 [N, 3]"); }

}  // namespace
}  // namespace moru::runtime
