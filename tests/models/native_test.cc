// SPDX-License-Identifier: Apache-2.0
// Real models on our own engine, beside the reference, on every ISA of this machine.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/files.h"
#include "core/random.h"
#include "core/text.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/kernels/isa.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;

/// Holds the sessions that are loaded while it lives to an ISA.
class HeldTo {
 public:
  explicit HeldTo(kernels::Isa isa) { setenv("MORU_ISA", std::string(kernels::to_string(isa)).c_str(), 1); }
  ~HeldTo() { unsetenv("MORU_ISA"); }
  HeldTo(const HeldTo&) = delete;
  HeldTo& operator=(const HeldTo&) = delete;
};

/// The model as ONNX: the reference of TFLite's own words rounds as TFLite does, which is another definition.
std::string onnx_of(const std::string& folder, const char* file) {
  const auto bytes = read_file(Path(folder) / file);
  EXPECT_TRUE(bytes.has_value());
  const std::string_view format = format_of_bytes(*bytes);
  if (format == "onnx") return *bytes;
  auto converted = converted_bytes({format, *bytes}, "onnx");
  EXPECT_TRUE(converted.has_value()) << converted.error().message;
  return std::move(converted->bytes);
}

std::vector<Tensor> random_inputs(const Session& session, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Tensor> inputs;
  for (const Port& port : session.inputs()) {
    model::Dims dims;
    for (const auto& dim : port.shape) dims.push_back(dim.known() ? dim.value : 1);
    Tensor tensor = Tensor::create(port.dtype, dims).value();
    if (port.dtype == DType::kFloat32) {
      for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
    } else {
      for (std::byte& value : tensor.mutable_bytes()) value = static_cast<std::byte>(rng.below(256));
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

double nmse(const Tensor& found, const Tensor& expected) {
  double error = 0;
  double power = 1e-30;
  for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
    const double wanted = double{expected.data<float>()[i]};
    error += (double{found.data<float>()[i]} - wanted) * (double{found.data<float>()[i]} - wanted);
    power += wanted * wanted;
  }
  return error / power;
}

class NativeModels : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, NativeModels,
                         testing::Values("mlperf_tiny/ad01_int8.tflite", "mlperf_tiny/ad01_fp32.tflite", "mlperf_tiny/kws_ref_model.tflite",
                                         "mlperf_tiny/kws_ref_model_float32.tflite", "mlperf_tiny/pretrainedResnet.tflite",
                                         "mlperf_tiny/pretrainedResnet_quant.tflite", "mlperf_tiny/vww_96_float.tflite",
                                         "mlperf_tiny/vww_96_int8.tflite", "models/mobilenet_v1_0.25_128_quant.tflite",
                                         "models/tf2_mobilenet_v2_1.0_224_ptq.tflite", "models/mnist.onnx", "models/pretrainedResnet.onnx",
                                         "models/Ultraface-RFB-320.onnx"),
                         [](const auto& file) {
                           std::string name(Path(file.param).stem().string() + Path(file.param).extension().string());
                           std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST_P(NativeModels, AreTheReferencesLevelsToTheBitAndItsFloatsNearly) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with models/ and mlperf_tiny/";
  const std::string model = onnx_of(folder, GetParam());
  const auto reference = load_session("reference", model).value();
  const auto inputs = random_inputs(*reference, 7);
  const auto expected = reference->run_once(inputs).value();
  for (const kernels::Isa isa : kernels::machine_isas()) {
    SCOPED_TRACE(kernels::to_string(isa));
    const HeldTo held(isa);
    const auto native = load_session("native", model);
    ASSERT_TRUE(native.has_value()) << native.error().message;
    const auto found = (*native)->run_once(inputs);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].dtype() == DType::kFloat32) {
        EXPECT_LE(nmse(found->at(i), expected[i]), 1e-9);
      } else {
        EXPECT_TRUE(same_bits(found->at(i), expected[i]));
      }
    }
  }
}

TEST(NativeKeywords, AreHeardAsOftenAsBefore) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with mlperf_tiny/";
  const auto features = read_file(Path(folder) / "mlperf_tiny/kws01_features.i8");
  const auto labels = read_file(Path(folder) / "mlperf_tiny/kws01_labels.csv");
  ASSERT_TRUE(features && labels);
  const auto session = load_session("native", onnx_of(folder, "mlperf_tiny/kws_ref_model.tflite")).value();
  constexpr std::size_t kBytes = 490;
  const auto lines = split(*labels, '\n');
  int right = 0;
  int count = 0;
  for (std::size_t i = 1; i < lines.size() && !lines[i].empty(); ++i, ++count) {
    const auto sample = std::as_bytes(std::span(*features)).subspan(static_cast<std::size_t>(count) * kBytes, kBytes);
    const auto made = session->run_once(std::vector{Tensor::from_bytes(DType::kInt8, {1, 49, 10, 1}, sample).value()}).value();
    const auto scores = made[0].data<std::int8_t>();
    const auto heard = std::ranges::max_element(scores) - scores.begin();
    right += split(lines[i], ',')[1] == std::to_string(heard) ? 1 : 0;
  }
  ASSERT_EQ(count, 1000);
  EXPECT_GE(right, 901);
  fmt::print("keywords heard: {} of {}\n", right, count);
}

}  // namespace
}  // namespace moru::runtime
