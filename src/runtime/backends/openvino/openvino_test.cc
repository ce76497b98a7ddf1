// SPDX-License-Identifier: Apache-2.0
// What is OpenVINO's own: its library, its devices, its precision, TFLite by way of ONNX, element types.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/openvino/library.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(OpenVinoLibrary, FilesThatAreNotTheRuntimeAreRefusedWithTheReason) {
  const auto folder = TempFolder::create("moru-openvino-test");
  ASSERT_TRUE(folder.has_value());
  const Path file = folder->path() / "libopenvino_c.so.2641";
  ASSERT_TRUE(write_file_atomic(file, "text").has_value());
  const auto text = openvino::open_library(file);
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(text.error().message, HasSubstr("cannot be loaded"));
  const auto other = openvino::open_library("libm.so.6");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(other.error().message, HasSubstr("is another library (it has no ov_get_openvino_version), expected OpenVINO"));
}

TEST(OpenVinoLibrary, AnotherReleaseIsNamedWithItsVersion) {
  const auto old = openvino::open_library(MORU_OLD_openvino);
  ASSERT_FALSE(old.has_value());
  EXPECT_EQ(old.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(old.error().message, HasSubstr("is version '2023.1.0', expected OpenVINO 2026.4; get that one"));
}

TEST(OpenVinoLibrary, TheOneOfThisBuildTellsItsVersionAndDevices) {
  const BackendInfo info = find_backend("openvino")->info();
  ASSERT_TRUE(info.available) << info.reason;
  EXPECT_THAT(info.version, testing::StartsWith("2026.4."));
  ASSERT_FALSE(info.devices.empty());
  EXPECT_EQ(info.devices[0].name, "cpu");
  EXPECT_NE(info.devices[0].doc, "");
}

TEST(OpenVinoLibrary, EachFileOfThePackageIsThere) {
  const auto library = find_backend_library("openvino", "libopenvino_c.so.2641");
  ASSERT_TRUE(library.has_value()) << library.error().message;
  for (const PackageFile& file : find_backend("openvino")->packages[0].files) {
    EXPECT_TRUE(std::filesystem::is_regular_file(Path(*library).parent_path() / file.file)) << file.file;
  }
}

Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const auto inferred = model::infer_shapes(*graph);
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
  return std::move(*graph);
}

std::string onnx_of(std::string_view text) { return model::write_onnx(graph_of(text)).value(); }

std::unique_ptr<Session> load(std::string_view bytes, const SessionOptions& options = {}) {
  auto session = load_session("openvino", bytes, options);
  EXPECT_TRUE(session.has_value()) << session.error().message;
  return session ? std::move(*session) : nullptr;
}

Error refused(std::string_view bytes, const SessionOptions& options) {
  auto session = load_session("openvino", bytes, options);
  return session ? Error{ErrorCode::kInternal, "accepted"} : session.error();
}

std::vector<std::string> described(std::span<const Port> ports) {
  std::vector<std::string> all;
  for (const Port& port : ports) all.push_back(describe(port));
  return all;
}

/// 1 + 2^-12 is a float, and in bf16 it is 1.
constexpr std::string_view kFine = R"(graph "fine" {
  opset 13
  input x: float32[N, 2]
  init w = float32[2, 2] {1.000244140625, 0, 0, 1.000244140625}
  y: float32[N, 2] = MatMul(x, w)
  output y
})";

TEST(OpenVino, PrecisionIsTheModelsUnlessAskedOtherwise) {
  const std::string bytes = onnx_of(kFine);
  const std::vector<Tensor> x = {Tensor::of<float>({1, 2}, {1, 1})};
  EXPECT_THAT(load(bytes)->run_once(x).value()[0].data<float>(), ElementsAre(1.000244140625F, 1.000244140625F));
  EXPECT_THAT(load(bytes, {.settings = {{"precision", "f32"}}})->run_once(x).value()[0].data<float>(),
              ElementsAre(1.000244140625F, 1.000244140625F));
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512bf16") != 0) {  // others compute as they can
    EXPECT_THAT(load(bytes, {.settings = {{"precision", "bf16"}}})->run_once(x).value()[0].data<float>(), ElementsAre(1, 1));
  }
#endif
  const Error error = refused(bytes, {.settings = {{"precision", "int8"}}});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, "backend openvino: found precision 'int8', expected one of f32, bf16, f16");
}

TEST(OpenVino, DevicesAreChosenByName) {
  const std::string bytes = onnx_of(kFine);
  EXPECT_NE(load(bytes, {.device = "cpu"}), nullptr);
  const Error error = refused(bytes, {.device = "gpu.7"});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("backend openvino: found no device 'gpu.7' on this machine, expected one of cpu"));
}

constexpr std::string_view kTflite = R"(graph "small" {
  input image: float32[?, 4, 4, 1]
  init w: float32[2, 3, 3, 1] = float32[2, 3, 3, 1] {
    0.5, -1, 0.25, 1, 0, -0.5, 0.125, 2, -1, 1, 1, -1, 0.5, -2, 0.25, 0, 0.75, 1}
  init b: float32[2] = float32[2] {0.1, -0.2}
  c: float32[?, 2, 2, 2] = tflite::CONV_2D(image, w, b) {dilation_h_factor = 1, dilation_w_factor = 1, fused_activation_function = "RELU", padding = "VALID", quantized_bias_type = "FLOAT32", stride_h = 1, stride_w = 1}
  scores: float32[?, 2, 2, 2] = tflite::LOGISTIC(c)
  output scores
})";

TEST(OpenVino, RunsTfliteAndPrintsNothing) {
  const Graph graph = graph_of(kTflite);
  const std::string bytes = model::write_tflite(graph).value();
  testing::internal::CaptureStderr();
  const auto session = load(bytes);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(described(session->inputs()), ElementsAre("image: float32 [image_0, 4, 4, 1]"));
  EXPECT_THAT(described(session->outputs()), ElementsAre("scores: float32 [image_0, 2, 2, 2]"));
  Rng rng(3);
  Tensor image = Tensor::create(DType::kFloat32, {3, 4, 4, 1}).value();
  for (float& value : image.mutable_data<float>()) value = static_cast<float>(rng.normal());
  const auto found = session->run_once(std::vector{image}).value();
  const auto expected = model::evaluate(graph, std::vector{image}).value();
  ASSERT_EQ(found[0].dims(), expected[0].dims());
  for (std::size_t i = 0; i < expected[0].data<float>().size(); ++i) {
    EXPECT_NEAR(found[0].data<float>()[i], expected[0].data<float>()[i], 1e-6);  // sums of 9 products, and an exponential
  }
}

TEST(OpenVino, DamagedTfliteGoesNoFurtherThanOurReader) {
  const std::string bytes = model::write_tflite(graph_of(kTflite)).value();
  for (std::size_t size = 8; size < bytes.size(); size += 16) {
    const Error error = refused(bytes.substr(0, size), {});
    EXPECT_EQ(error.code, ErrorCode::kCorrupt) << size << ": " << error.message;
  }
}

TEST(OpenVino, PortsAreNamedAsInTheFileThoughItsTensorsHaveSeveralNames) {
  const auto session = load(onnx_of(R"(graph "names" {
    opset 13
    input x: float32[N, 2]
    a: float32[N, 2] = Relu(x)
    y: float32[N, 2] = Identity(a)
    b: float32[N, 2] = Identity(x)
    output y
    output a
    output b
  })"));
  EXPECT_THAT(described(session->outputs()), ElementsAre("y: float32 [N, 2]", "a: float32 [N, 2]", "b: float32 [N, 2]"));
  const auto x = Tensor::of<float>({1, 2}, {-1, 2});
  const auto made = session->run_once(std::vector{x}).value();
  EXPECT_THAT(made[0].data<float>(), ElementsAre(0, 2));
  EXPECT_THAT(made[2].data<float>(), ElementsAre(-1, 2));
}

TEST(OpenVino, WhatOurReaderDoesNotKnowMayRun) {
  std::string bytes = onnx_of(R"(graph "attribute" {
    opset 13
    input x: float32[N, 2]
    y: float32[N, 2] = LeakyRelu(x) {alpha = 0.5}
    output y
  })");
  bytes.replace(bytes.find("alpha"), 5, "gamma");  // it takes the default for alpha, 0.01, and does not look at gamma
  ASSERT_FALSE(model::read_onnx(bytes, "test").has_value());
  const auto session = load(bytes);
  EXPECT_THAT(described(session->inputs()), ElementsAre("x: float32 [?, 2]"));
  EXPECT_THAT(described(session->outputs()), ElementsAre("y: float32 [?, 2]"));
  const auto made = session->run_once(std::vector{Tensor::of<float>({1, 2}, {-100, 2})}).value();
  EXPECT_THAT(made[0].data<float>(), ElementsAre(-1, 2));
}

class ElementTypes : public testing::TestWithParam<std::pair<DType, int>> {};  // with ONNX's numbers of them
INSTANTIATE_TEST_SUITE_P(OpenVino, ElementTypes,
                         testing::Values(std::pair(DType::kUInt8, 2), std::pair(DType::kInt8, 3), std::pair(DType::kUInt16, 4),
                                         std::pair(DType::kInt16, 5), std::pair(DType::kInt32, 6), std::pair(DType::kInt64, 7),
                                         std::pair(DType::kBool, 9), std::pair(DType::kFloat16, 10), std::pair(DType::kFloat64, 11),
                                         std::pair(DType::kUInt32, 12), std::pair(DType::kUInt64, 13), std::pair(DType::kBFloat16, 16)),
                         [](const auto& type) { return std::string(to_string(type.param.first)); });

TEST_P(ElementTypes, ComeInAndGoOut) {
  const auto [dtype, number] = GetParam();
  const auto x =
      model::evaluate(graph_of(fmt::format("graph \"to\" {{ opset 21 input f: float32[3] x: {}[3] = Cast(f) {{to = {}}} output x }}",
                                           to_string(dtype), number)),
                      std::vector{Tensor::of<float>({3}, {1, 0, 3})});
  ASSERT_TRUE(x.has_value()) << x.error().message;
  const Graph graph =
      graph_of(fmt::format("graph \"from\" {{ opset 21 input x: {0}[N] same: {0}[N] = Identity(x) "
                           "f: float32[N] = Cast(x) {{to = 1}} output same output f }}",
                           to_string(dtype)));
  const auto found = load(model::write_onnx(graph).value())->run_once(*x);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const auto expected = model::evaluate(graph, *x).value();
  EXPECT_TRUE(same_bits(found->at(0), expected[0]));
  EXPECT_TRUE(same_bits(found->at(1), expected[1]));
}

TEST(OpenVino, PortsOfFourBitsAreRefusedSinceItWritesPastTheirEnd) {
  for (const std::string_view dtype : {"int4", "uint4"}) {
    const std::string in =
        onnx_of(fmt::format("graph \"g\" {{ opset 21 input x: {}[3] f: float32[3] = Cast(x) {{to = 1}} output f }}", dtype));
    const Error error = refused(in, {});
    EXPECT_EQ(error.code, ErrorCode::kUnsupported);
    EXPECT_THAT(error.message, HasSubstr("load model: 'x' has OpenVINO's element type"));
    EXPECT_THAT(error.message, HasSubstr("expected a number or bool of 8 to 64 bits"));
  }
}

TEST(OpenVino, WhatGoesWrongInARunIsAnErrorWithOneThreadAndWithMore) {
  const std::string bytes = onnx_of(R"(graph "open" {
    opset 13
    input x: float32[4]
    input shape: int64[2]
    y: float32[?, ?] = Reshape(x, shape)
    output y
  })");
  const auto x = Tensor::of<float>({4}, {1, 2, 3, 4});
  const auto shape = Tensor::of<std::int64_t>({2}, {2, 2});
  for (const int threads : {1, 2, 64}) {
    auto small = Tensor::of<float>({1, 1}, {7});
    const auto status = load(bytes, {.threads = threads})->run(std::vector{x.view(), shape.view()}, std::vector{small.mutable_view()});
    ASSERT_FALSE(status.has_value()) << threads;
    EXPECT_THAT(status.error().message, HasSubstr("OpenVINO says")) << threads;
  }
}

TEST(OpenVino, ScalarsComeInAndGoOut) {
  const auto session = load(onnx_of("graph \"scalar\" { opset 13 input x: float32[] y: float32[] = Neg(x) output y }"));
  EXPECT_THAT(described(session->inputs()), ElementsAre("x: float32 []"));
  const std::vector<Tensor> x = {Tensor::scalar<float>(2)};
  const auto made = session->run_once(x);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).dims(), ElementsAre());
  EXPECT_THAT(made->at(0).data<float>(), ElementsAre(-2));
  auto y = Tensor::scalar<float>(0);
  ASSERT_TRUE(session->run(std::vector{x[0].view()}, std::vector{y.mutable_view()}).has_value());
  EXPECT_THAT(y.data<float>(), ElementsAre(-2));
}

TEST(OpenVino, NoElementsAreNoTrouble) {
  const auto session = load(onnx_of(kFine));
  const Tensor none = Tensor::create(DType::kFloat32, {0, 2}).value();
  const auto made = session->run_once(std::vector{none});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).dims(), ElementsAre(0, 2));
}

}  // namespace
}  // namespace moru::runtime
