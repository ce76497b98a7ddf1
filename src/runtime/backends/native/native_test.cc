// SPDX-License-Identifier: Apache-2.0
// What is the native backend's own; what every backend must do is in conformance_test.cc.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <cmath>
#include <thread>

#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

std::string onnx_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return model::write_onnx(*graph).value();
}

TEST(Native, OpenExtentsAreOneUntilARunSaysOtherwise) {
  const auto session = load_session("native", onnx_of(R"(graph "sum" {
    opset 13
    input x: float32[N, 3]
    input y: float32[N, 3]
    z: float32[N, 3] = Add(x, y)
    output z
  })"))
                           .value();
  for (const std::int64_t n : {1, 4, 2, 1}) {
    Tensor x = Tensor::create(DType::kFloat32, {n, 3}).value();
    for (float& value : x.mutable_data<float>()) value = 2;
    const auto made = session->run_once(std::vector{x, x});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_THAT(made->at(0).dims(), ElementsAre(n, 3));
    EXPECT_THAT(made->at(0).data<float>(), testing::Each(4));
  }
}

TEST(Native, BoundExtentsAreSoForGood) {
  const std::string model = onnx_of(R"(graph "sum" {
    opset 13
    input x: float32[N, T]
    input y: float32[N, 3]
    z = Add(x, y)
    s = Softmax(z)
    output s
  })");
  const auto load = [&](const char* bind) { return load_session("native", model, {.settings = {{"bind", bind}}}); };
  const auto session = load("N=2,T=3").value();
  ASSERT_EQ(session->inputs()[0].shape.size(), 2U);
  EXPECT_EQ(session->inputs()[0].shape[0].value, 2);
  EXPECT_EQ(session->outputs()[0].shape[1].value, 3);
  const auto of = [](std::int64_t n) { return Tensor::create(DType::kFloat32, {n, 3}).value(); };
  EXPECT_THAT(session->run_once(std::vector{of(2), of(2)}).value()[0].dims(), ElementsAre(2, 3));
  EXPECT_FALSE(session->run_once(std::vector{of(1), of(1)}).has_value());
  EXPECT_EQ(load("N=2,3").value()->inputs()[0].shape[1].value, 3);
  const auto mistake = [&](const char* bind) {
    const auto refused = load(bind);
    return refused ? std::string() : refused.error().message;
  };
  EXPECT_THAT(mistake("N=2"), HasSubstr("found input 'x' still open in 'T'"));
  EXPECT_THAT(mistake("M=2,1"), HasSubstr("found 'M', expected a name of an open extent: N, T"));
  for (const char* text : {"0", "x", "", "N=", "=1", "1,", "1e9", "99999999999999999999"})
    EXPECT_THAT(mistake(text), HasSubstr("setting 'bind'"));
}

TEST(Native, WhatOneIsTooSmallForIsPlannedByTheFirstRun) {
  const auto session = load_session("native", onnx_of(R"(graph "pooled" {
    opset 13
    input x: float32[N, 1, H, W]
    init shape = int64[2] {0, -1}
    p: float32[N, 1, ?, ?] = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}
    y: float32[N, ?] = Reshape(p, shape)
    output y
  })"))
                           .value();
  const auto made = session->run_once(std::vector{Tensor::of<float>({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).dims(), ElementsAre(1, 2));
  EXPECT_THAT(made->at(0).data<float>(), ElementsAre(6, 8));
  EXPECT_FALSE(session->run_once(std::vector{Tensor::of<float>({1, 1, 1, 1}, {1})}).has_value());
  EXPECT_TRUE(session->run_once(std::vector{Tensor::of<float>({1, 1, 2, 2}, {1, 2, 3, 4})}).has_value());
}

TEST(Native, PreparingTellsOutputsAndMemoryBeforeThereIsAny) {
  const auto session = load_session("native", onnx_of(R"(graph "sum" {
    opset 13
    input x: float32[N, 64]
    a: float32[N, 64] = Relu(x)
    b: float32[N, 64] = Sigmoid(a)
    c: float32[N, 64] = Add(a, b)
    y: float32[N, 64] = Sigmoid(c)
    output y
  })"))
                           .value();
  const MemoryNeed one = session->memory().value();
  const auto made = session->prepare(std::vector<model::Dims>{{8, 64}});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(*made, ElementsAre(ElementsAre(8, 64)));
  const MemoryNeed eight = session->memory().value();
  constexpr std::uint64_t kTwoValues = 2 * 8 * 64 * sizeof(float);  // a and b live at once
  EXPECT_LT(one.arena_bytes, kTwoValues);
  EXPECT_GE(eight.arena_bytes, kTwoValues);
  const auto wrong = session->prepare(std::vector<model::Dims>{{8, 63}});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message, "input 'x': found float32 [8, 63], expected float32 [N, 64]");
  EXPECT_EQ(session->memory()->arena_bytes, eight.arena_bytes);
}

TEST(Native, TheIsaIsChosenByTheEnvironment) {
  const BackendSpec& native = *find_backend("native");
  setenv("MORU_ISA", "scalar", 1);
  const BackendInfo scalar = native.info();
  setenv("MORU_ISA", "none", 1);
  const BackendInfo none = native.info();
  const auto session = load_session("native", onnx_of(R"(graph "g" { opset 13 input x: float32[1] y = Relu(x) output y })"));
  unsetenv("MORU_ISA");
  ASSERT_EQ(scalar.devices.size(), 1);
  EXPECT_EQ(scalar.devices[0].doc, "kernels for scalar");
  EXPECT_FALSE(none.available);
  EXPECT_THAT(none.reason, HasSubstr("MORU_ISA: found 'none', expected one of scalar"));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kInvalidArgument);
}

/// A convolution that takes some ms, with any number of images.
std::string large() {
  return onnx_of(R"(graph "large" {
    opset 13
    input x: float32[N, 16, 64, 64]
    init shape = int64[4] {64, 16, 5, 5}
    w: float32[64, 16, 5, 5] = ConstantOfShape(shape) {value = float32[1] {0.5}}
    y: float32[N, 64, 60, 60] = Conv(x, w)
    output y
  })");
}

TEST(Native, ThreadsChangeTimeOnly) {
  const Tensor x = [] {
    Tensor numbers = Tensor::create(DType::kFloat32, {2, 16, 64, 64}).value();
    float next = 0;
    for (float& value : numbers.mutable_data<float>()) value = std::sin(next += 1);
    return numbers;
  }();
  const std::string model = large();
  const auto one = load_session("native", model, {.threads = 1}).value();
  const Tensor expected = one->run_once(std::vector{x}).value()[0];
  for (const int threads : {2, 7}) {
    const auto several = load_session("native", model, {.threads = threads}).value();
    EXPECT_TRUE(model::same_bits(several->run_once(std::vector{x}).value()[0], expected)) << threads;
    EXPECT_GT(several->memory()->arena_bytes, one->memory()->arena_bytes) << "each works in memory of its own";
  }
}

TEST(Native, AClonePlansForItselfAndSharesWhatIsThere) {
  auto first = load_session("native", large(), {.threads = 2}).value();
  const Tensor x = Tensor::create(DType::kFloat32, {1, 16, 64, 64}).value();
  auto second = first->clone().value();
  EXPECT_EQ(second->memory()->weight_bytes, first->memory()->weight_bytes);
  std::thread other([&] {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(second->run_once(std::vector{x}).has_value());
  });
  const auto two = first->run_once(std::vector{Tensor::create(DType::kFloat32, {2, 16, 64, 64}).value()});
  ASSERT_TRUE(two.has_value()) << two.error().message;
  EXPECT_THAT(two->at(0).dims(), ElementsAre(2, 64, 60, 60));
  other.join();
  first.reset();
  EXPECT_TRUE(second->run_once(std::vector{x}).has_value()) << "it lives on";
}

TEST(Native, OnlyTheProcessorIsADevice) {
  const auto session = load_session("native:gpu", onnx_of(R"(graph "g" { opset 13 input x: float32[1] y = Relu(x) output y })"));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().message, "backend native: found no device 'gpu', expected cpu");
}

}  // namespace
}  // namespace moru::runtime
