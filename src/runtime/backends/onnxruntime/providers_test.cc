// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's devices, and the element types that not every backend has.
#include "runtime/backends/onnxruntime/providers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>

#include "core/digest.h"
#include "core/files.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/onnxruntime/library.h"

namespace moru::runtime {
namespace {

using model::Tensor;
using testing::HasSubstr;

std::string onnx_of(std::string_view text) {
  const auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return model::write_onnx(*graph).value();
}

constexpr std::string_view kAbs = R"(graph "abs" {
  opset 21
  input x: float32[2]
  y: float32[2] = Abs(x)
  output y
})";

TEST(OnnxRuntimeDevices, CpuIsTheFirstAndServicesOnTheNetworkAreNone) {
  const auto info = find_backend("onnxruntime")->info();
  ASSERT_TRUE(info.available) << info.reason;
  ASSERT_FALSE(info.devices.empty());
  EXPECT_EQ(info.devices[0].name, "cpu");
  for (const Device& device : info.devices) EXPECT_NE(device.name, "azure");
}

TEST(OnnxRuntimeDevices, OneIsChosenByName) {
  const std::vector inputs = {Tensor::of<float>({2}, {-1, 2})};
  for (const std::string_view name : {"onnxruntime", "onnxruntime:cpu"}) {
    const auto session = load_session(name, onnx_of(kAbs));
    ASSERT_TRUE(session.has_value()) << session.error().message;
    EXPECT_THAT((*session)->run_once(inputs).value().at(0).data<float>(), testing::ElementsAre(1, 2));
  }
}

TEST(OnnxRuntimeDevices, OneThatTheLibraryWasNotBuiltForIsNamedWithThoseItHas) {
  for (const std::string_view name : {"onnxruntime:gpu", "onnxruntime:CPUExecutionProvider", "onnxruntime:azure"}) {
    const auto session = load_session(name, onnx_of(kAbs));
    ASSERT_FALSE(session.has_value()) << name;
    EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(session.error().message, HasSubstr("expected one of cpu"));
  }
}

/// What a library that was built with TensorRT is told.
std::vector<std::string> told;
/// The real one's interface but for what it would do with a GPU.
OrtApi with_tensorrt(const OrtApi& real) {
  told.clear();
  OrtApi api = real;
  api.GetAvailableProviders = [](char*** names, int* count) noexcept -> OrtStatus* {
    static std::array<std::string, 3> all = {"TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"};
    static std::array<char*, 3> borrowed = {all[0].data(), all[1].data(), all[2].data()};
    *names = borrowed.data();
    *count = static_cast<int>(borrowed.size());
    return nullptr;
  };
  api.ReleaseAvailableProviders = [](char**, int) noexcept -> OrtStatus* { return nullptr; };
  api.CreateTensorRTProviderOptions = [](OrtTensorRTProviderOptionsV2**) noexcept -> OrtStatus* { return nullptr; };
  api.UpdateTensorRTProviderOptions = [](OrtTensorRTProviderOptionsV2*, const char* const* keys, const char* const* values,
                                         std::size_t count) noexcept -> OrtStatus* {
    for (std::size_t i = 0; i < count; ++i) told.push_back(fmt::format("{}={}", keys[i], values[i]));
    return nullptr;
  };
  api.SessionOptionsAppendExecutionProvider_TensorRT_V2 = [](OrtSessionOptions*,
                                                             const OrtTensorRTProviderOptionsV2*) noexcept -> OrtStatus* {
    told.emplace_back("tensorrt");
    return nullptr;
  };
  api.ReleaseTensorRTProviderOptions = [](OrtTensorRTProviderOptionsV2*) noexcept {};
  api.CreateCUDAProviderOptions = [](OrtCUDAProviderOptionsV2**) noexcept -> OrtStatus* { return nullptr; };
  api.SessionOptionsAppendExecutionProvider_CUDA_V2 = [](OrtSessionOptions*, const OrtCUDAProviderOptionsV2*) noexcept -> OrtStatus* {
    told.emplace_back("cuda");
    return nullptr;
  };
  api.ReleaseCUDAProviderOptions = [](OrtCUDAProviderOptionsV2*) noexcept {};
  return api;
}

TEST(OnnxRuntimeDevices, TensorRtKeepsItsEnginesByModelAndLeavesTheRestToCuda) {
  const auto home = TempFolder::create("moru-home").value();
  ::setenv("MORU_HOME", home.path().c_str(), 1);
  const auto& real = ort::library();
  ASSERT_TRUE(real.has_value());
  const OrtApi api = with_tensorrt(*real->api);
  const ort::Library library{.api = &api, .env = real->env, .version = "1.2"};
  const auto added = ort::add_provider(library, "tensorrt", "a model", nullptr);
  ::unsetenv("MORU_HOME");
  ASSERT_TRUE(added.has_value()) << added.error().message;
  const Path engines = home.path() / "cache" / "onnxruntime-tensorrt" / fmt::format("{}-1.2", sha256_hex("a model"));
  EXPECT_TRUE(std::filesystem::is_directory(engines));
  EXPECT_THAT(told, testing::ElementsAre("trt_engine_cache_enable=1", "trt_engine_cache_path=" + engines.string(), "tensorrt", "cuda"));
}

TEST(OnnxRuntimeTypes, FloatsOf16And8BitsGoInAndOut) {
  using Types = std::vector<std::pair<std::string_view, int>>;  // with ONNX's numbers
  for (const auto& [type, onnx_number] : Types{{"float16", 10}, {"bfloat16", 16}, {"float8e4m3fn", 17}, {"float8e5m2", 19}}) {
    const auto session = load_session("onnxruntime", onnx_of(fmt::format(R"(graph "there and back" {{
  opset 21
  input x: float32[3]
  input h: {0}[3]
  y: {0}[3] = Cast(x) {{to = {1}}}
  z: float32[3] = Cast(h) {{to = 1}}
  output y
  output z
}})",
                                                                         type, onnx_number)));
    ASSERT_TRUE(session.has_value()) << session.error().message;
    EXPECT_EQ(to_string((*session)->outputs()[0].dtype), type);
    auto half = Tensor::create((*session)->inputs()[1].dtype, {3}).value();
    const std::vector first = {Tensor::of<float>({3}, {0.5F, -2, 1}), std::move(half)};
    auto there = (*session)->run_once(first);
    ASSERT_TRUE(there.has_value()) << there.error().message;
    const std::vector second = {first[0], there->at(0)};
    const auto back = (*session)->run_once(second);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_THAT(back->at(1).data<float>(), testing::ElementsAre(0.5F, -2, 1)) << type;
  }
}

TEST(OnnxRuntimeTypes, FourBitsStayTwoAByte) {
  const auto session = load_session("onnxruntime", onnx_of(R"(graph "four bits" {
  opset 21
  input x: float32[3]
  input q: int4[3]
  init s = float32[] {0.5}
  init z = int4[] {1}
  y: int4[3] = QuantizeLinear(x, s, z)
  w: float32[3] = DequantizeLinear(q, s, z)
  output y
  output w
})"));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  EXPECT_EQ((*session)->outputs()[0].dtype, model::DType::kInt4);
  const std::vector first = {Tensor::of<float>({3}, {-1.5F, 0, 2}), Tensor::create(model::DType::kInt4, {3}).value()};
  const auto there = (*session)->run_once(first);
  ASSERT_TRUE(there.has_value()) << there.error().message;
  EXPECT_EQ(there->at(0).size_bytes(), 2U);
  const auto back = (*session)->run_once(std::vector{first[0], there->at(0)});
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_THAT(back->at(1).data<float>(), testing::ElementsAre(-1.5F, 0, 2));
}

}  // namespace
}  // namespace moru::runtime
