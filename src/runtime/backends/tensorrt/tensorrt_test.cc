// SPDX-License-Identifier: Apache-2.0
// What is said where there is no GPU. A machine with one also runs a model.
#include <gmock/gmock.h>

#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/tensorrt/driver.h"

namespace moru::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NvidiaDriver, EachWayOfHavingNoGpuHasItsWords) {
  const auto words = [](const char* driver) {
    const auto found = tensorrt::find_gpus(driver);
    EXPECT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
    return found.error().message;
  };
  EXPECT_EQ(words("libnone.so.1"),
            "backend tensorrt: found no NVIDIA driver (libnone.so.1), expected an NVIDIA GPU; where there is one, install its driver");
  EXPECT_THAT(words("libm.so.6"), HasSubstr("found a libm.so.6 without CUDA's functions"));
  EXPECT_THAT(words(MORU_CUDA_NO_DEVICE), HasSubstr("found no GPU, only its driver"));
  EXPECT_THAT(words(MORU_CUDA_BROKEN), HasSubstr("found a driver that does not start (CUDA error 999)"));
}

TEST(NvidiaDriver, TellsTheGpusAndWhichTensorRtIsNotMadeFor) {
  const auto found = tensorrt::find_gpus(MORU_CUDA_GOOD);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->size(), 2);
  EXPECT_EQ(found->at(0).name, "GPU A");
  EXPECT_EQ(describe(found->at(0)), "GPU A (compute capability 8.9)");
  EXPECT_EQ(describe(found->at(1)),
            "GPU B (compute capability 9.0; TensorRT for RTX is made for 7.5, 8.6, 8.9 and from 12.0 on: try onnxruntime:tensorrt)");
  EXPECT_EQ(tensorrt::describe({.name = "later", .major = 13, .minor = 1}), "later (compute capability 13.1)");
  EXPECT_EQ(tensorrt::describe({.name = "silent"}), "silent");
}

std::string abs_model() {
  return model::write_onnx(model::parse_text(R"(graph "abs" {
  opset 13
  input x: float32[1, 2]
  y: float32[1, 2] = Abs(x)
  output y
})")
                               .value())
      .value();
}

TEST(TensorRt, SaysPlainlyWhatIsMissing) {
  const auto info = find_backend("tensorrt")->info();
  if (info.available) GTEST_SKIP() << "nothing is missing here";
  EXPECT_THAT(info.reason, testing::StartsWith("backend tensorrt: found no "));
  const auto session = load_session("tensorrt", abs_model());
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(session.error().message, info.reason);
}

TEST(TensorRt, RunsAModelTwiceFromTheEngineThatItKept) {
  const auto info = find_backend("tensorrt")->info();
  if (!info.available) GTEST_SKIP() << info.reason;
  for (int i = 0; i < 2; ++i) {
    const auto session = load_session("tensorrt", abs_model());
    ASSERT_TRUE(session.has_value()) << session.error().message;
    const auto found = (*session)->run_once(std::vector{model::Tensor::of<float>({1, 2}, {-1, 2})});
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_THAT(found->at(0).data<float>(), ElementsAre(1, 2));
  }
}

}  // namespace
}  // namespace moru::runtime
