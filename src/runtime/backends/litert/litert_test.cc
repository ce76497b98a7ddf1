// SPDX-License-Identifier: Apache-2.0
// What is LiteRT's own; conformance_test.cc asks it what every backend is asked.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/random.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/litert/library.h"
#include "runtime/backends/litert/shapes.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kConvolution = R"(graph "convolution" {
  input image: int8[?, 4, 4, 1] quant {scales = [0.5], zero_points = [-3], axis = 0}
  init w: int8[2, 3, 3, 1] quant {scales = [0.25, 0.125], zero_points = [0, 0], axis = 0} = int8[2, 3, 3, 1] {
    12, -100, 25, 100, 0, -50, 12, 127, -127, 100, 90, -80, 50, -20, 25, 0, 75, 100}
  init b: int32[2] quant {scales = [0.125, 0.0625], zero_points = [0, 0], axis = 0} = int32[2] {10, -10}
  c: int8[?, 4, 4, 2] quant {scales = [2], zero_points = [5], axis = 0} = tflite::CONV_2D(image, w, b) {padding = "SAME", stride_h = 1, stride_w = 1}
  y: int8[?, 4, 4, 2] quant {scales = [2], zero_points = [5], axis = 0} = tflite::RELU(c)
  output y
})";

constexpr std::string_view kSum = R"(graph "sum" {
  input a: float32[16]
  input b: float32[16]
  s: float32[16] = tflite::ADD(a, b)
  y: float32[16] = tflite::NEG(s)
  output y
})";

/// The extent of y is a value.
constexpr std::string_view kRange = R"(graph "range" {
  input limit: float32[]
  init start = float32[] {0}
  init delta = float32[] {1}
  r: float32[?] = tflite::RANGE(start, limit, delta)
  y: float32[?] = tflite::NEG(r)
  output y
})";

constexpr std::string_view kMystery = R"(graph "mystery" {
  input a: float32[16]
  y: float32[16] = tflite.custom::Mystery(a)
  output y
})";

std::string tflite_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  auto bytes = model::write_tflite(*graph);
  EXPECT_TRUE(bytes.has_value()) << bytes.error().message;
  return std::move(*bytes);
}

Tensor random_tensor(const Port& port, std::int64_t extent, std::uint64_t seed) {
  model::Dims dims;
  for (const auto& dim : port.shape) dims.push_back(dim.known() ? dim.value : extent);
  Tensor tensor = Tensor::create(port.dtype, std::move(dims)).value();
  Rng rng(seed);
  if (port.dtype == DType::kFloat32) {
    for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
  } else {
    for (std::byte& value : tensor.mutable_bytes()) value = static_cast<std::byte>(rng.below(256));
  }
  return tensor;
}

std::vector<Tensor> random_inputs(const Session& session, std::int64_t extent, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (const Port& port : session.inputs()) inputs.push_back(random_tensor(port, extent, seed++));
  return inputs;
}

class LiteRtTest : public testing::Test {
 protected:
  void SetUp() override {
    const BackendInfo info = find_backend("litert")->info();
    if (!info.available) GTEST_SKIP() << info.reason << "; run scripts/get_deps dev";
  }
  static std::unique_ptr<Session> load(std::string_view bytes, const std::map<std::string, std::string>& settings = {}) {
    auto session = load_session("litert", bytes, {.settings = settings});
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }
  static Error refused(std::string_view bytes, const std::map<std::string, std::string>& settings = {}) {
    auto session = load_session("litert", bytes, {.settings = settings});
    return session ? Error{ErrorCode::kInternal, "accepted"} : session.error();
  }
};

TEST(LiteRtLibrary, AnotherReleaseOrLibraryIsRefusedWithWhatToDo) {
  const auto refusal = [](const char* path) {
    const auto library = litert::open_library(path);
    return library ? Error{ErrorCode::kInternal, "accepted"} : library.error();
  };
  for (const char* path : {"libm.so.6", MORU_OLDER_LITERT, MORU_NEWER_LITERT, "/nowhere/libLiteRt.so"}) {
    EXPECT_EQ(refusal(path).code, ErrorCode::kUnavailable);
    EXPECT_THAT(refusal(path).message, HasSubstr("expected LiteRT 2.1.4; "));
  }
  EXPECT_THAT(refusal("libm.so.6").message, HasSubstr("is another library (it has no LiteRtCreateEnvironment)"));
  EXPECT_THAT(refusal(MORU_OLDER_LITERT).message, HasSubstr("is too old"));
  EXPECT_THAT(refusal(MORU_NEWER_LITERT).message, HasSubstr("is too new"));
  EXPECT_THAT(refusal("/nowhere/libLiteRt.so").message, HasSubstr("cannot be loaded"));
}

TEST_F(LiteRtTest, PortsAreThoseOfTheReference) {
  for (const std::string_view text : {kConvolution, kSum}) {
    const auto ours = load(tflite_of(text));
    const auto reference = load_session("reference", tflite_of(text)).value();
    const auto same = [](const Port& a, const Port& b) { return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape; };
    EXPECT_TRUE(std::ranges::equal(ours->inputs(), reference->inputs(), same));
    EXPECT_TRUE(std::ranges::equal(ours->outputs(), reference->outputs(), same));
  }
}

TEST_F(LiteRtTest, ReferenceKernelsGiveOurBitsAndTheOthersAreNear) {
  const std::string bytes = tflite_of(kConvolution);
  const auto reference = load_session("reference", bytes).value();
  for (const char* kernels : {"reference", "builtin", "xnnpack"}) {
    const auto session = load(bytes, {{"kernels", kernels}});
    for (const std::int64_t batch : {1, 5, 2, 9}) {
      const auto inputs = random_inputs(*session, batch, static_cast<std::uint64_t>(batch));
      const auto found = session->run_once(inputs);
      ASSERT_TRUE(found.has_value()) << found.error().message;
      const auto expected = reference->run_once(inputs).value();
      ASSERT_EQ(found->at(0).dims(), expected[0].dims());
      const auto a = found->at(0).data<std::int8_t>();
      const auto b = expected[0].data<std::int8_t>();
      for (std::size_t i = 0; i < a.size(); ++i) ASSERT_LE(std::abs(a[i] - b[i]), kernels == std::string_view("reference") ? 0 : 1);
    }
  }
  EXPECT_EQ(refused(bytes, {{"kernels", "fast"}}).message, "setting kernels: found 'fast', expected xnnpack, builtin or reference");
}

TEST_F(LiteRtTest, MemoryForAnotherShapeIsRefusedBeforeAnythingIsWritten) {
  const auto session = load(tflite_of(kConvolution));
  auto large = random_tensor(session->outputs()[0], 8, 1);
  for (const std::int64_t batch : {1, 8, 3}) {
    const auto input = random_tensor(session->inputs()[0], batch, 1);
    auto output = random_tensor(session->outputs()[0], 2, 1);
    const auto before = output.clone();
    const auto status = session->run(std::vector{input.view()}, std::vector{output.mutable_view()});
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr("output 'y': found memory for int8 [2, 4, 4, 2], expected ["));
    EXPECT_TRUE(same_bits(output, before));
  }
}

/// Tensors that begin anywhere, and end where the last page does.
TEST_F(LiteRtTest, MemoryMayLieAnywhere) {
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* pages = static_cast<std::byte*>(::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(::mprotect(pages + page, page, PROT_NONE), 0);
  const auto session = load(tflite_of(kSum));
  const auto inputs = random_inputs(*session, 0, 1);
  const auto expected = session->run_once(inputs).value();
  const model::Dims dims = {16};
  for (const std::size_t offset : {page - 64, page - 68, std::size_t{4}, std::size_t{64}}) {
    std::memcpy(pages + offset, inputs[0].bytes().data(), 64);
    Tensor output = Tensor::create(DType::kFloat32, dims).value();
    const std::vector<model::ConstTensorView> views = {{DType::kFloat32, dims, {pages + offset, 64}}, inputs[1].view()};
    for (int i = 0; i < 2; ++i) {
      const auto status = session->run(views, std::vector{output.mutable_view()});
      ASSERT_TRUE(status.has_value()) << status.error().message;
      EXPECT_TRUE(same_bits(output, expected[0])) << offset;
    }
    const std::vector<model::TensorView> outside = {{DType::kFloat32, dims, {pages + offset, 64}}};
    ASSERT_TRUE(session->run(std::vector{inputs[0].view(), inputs[1].view()}, outside).has_value());
    EXPECT_TRUE(std::ranges::equal(outside[0].bytes, expected[0].bytes())) << offset;
  }
  ::munmap(pages, 2 * page);
}

TEST_F(LiteRtTest, ShapesThatDependOnValuesAreRunByKernelsThatLookFirst) {
  const auto session = load(tflite_of(kRange));
  for (const float limit : {3.0F, 200.0F, 7.0F}) {
    const auto made = session->run_once(std::vector{Tensor::scalar(limit)});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    ASSERT_THAT(made->at(0).dims(), ElementsAre(static_cast<std::int64_t>(limit)));
    EXPECT_EQ(made->at(0).data<float>().back(), 1 - limit);
  }
  const auto input = Tensor::scalar(200.0F);
  auto small = Tensor::of<float>({2}, {5, 5});
  const auto status = session->run(std::vector{input.view()}, std::vector{small.mutable_view()});
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << status.error().message;
  EXPECT_THAT(small.data<float>(), ElementsAre(5, 5));
  EXPECT_EQ(refused(tflite_of(kRange), {{"kernels", "xnnpack"}}).code, ErrorCode::kUnsupported);
}

TEST_F(LiteRtTest, ClaimsOfAFileAboutShapesDoNotMakeRoom) {
  // The file says that y has 2 elements; whoever runs it decides.
  std::string lie(kRange);
  for (std::size_t at = lie.find("[?]"); at != lie.npos; at = lie.find("[?]")) lie.replace(at, 3, "[2]");
  EXPECT_FALSE(litert::shapes_follow_inputs(model::parse_text(lie).value()));
  const auto session = load_session("litert", tflite_of(lie));
  if (!session) return;  // then nothing can go wrong
  const auto made = (*session)->run_once(std::vector{Tensor::scalar(5000.0F)});
  EXPECT_FALSE(made.has_value());
}

TEST_F(LiteRtTest, UnknownCustomOpIsUnsupportedInItsWords) {
  testing::internal::CaptureStderr();
  const Error error = refused(tflite_of(kMystery));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, testing::StartsWith("load model: LiteRT says '"));
  EXPECT_THAT(error.message, HasSubstr("Mystery"));
}

TEST_F(LiteRtTest, ScalesThatWouldEndTheProcessAreRefused) {
  for (const auto& [op, a, b, y] : std::vector<std::array<std::string, 4>>{
           {"ADD", "int8[4]", "int8[4]", "int8[4]"},
           {"SUB", "int8[4] quant {scales = [0.5], zero_points = [0], axis = 0}", "int8[4]", "int8[4]"},
           {"ADD", "int8[4] quant {scales = [8], zero_points = [0], axis = 0}", "int8[4] quant {scales = [8], zero_points = [0], axis = 0}",
            "int8[4] quant {scales = [0.000001], zero_points = [0], axis = 0}"},
           {"MUL", "uint8[4]", "uint8[4]", "uint8[4]"},
           {"LESS", "int8[4] quant {scales = [2], zero_points = [0], axis = 0}",
            "int8[4] quant {scales = [0.5], zero_points = [0], axis = 0}", "bool[4]"}}) {
    const Error error = refused(
        tflite_of(fmt::format("graph \"g\" {{\n  input a: {}\n  input b: {}\n  y: {} = tflite::{}(a, b)\n  output y\n}}", a, b, y, op)));
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << error.message;
    EXPECT_THAT(error.message, HasSubstr("expected ones that LiteRT's kernel can bring together"));
  }
}

TEST_F(LiteRtTest, OneValueAsTwoOutputsIsRefused) {
  std::string twice(kSum);
  twice.insert(twice.rfind("output y"), "output y\n  ");
  EXPECT_EQ(refused(tflite_of(twice)).code, ErrorCode::kUnsupported);
}

TEST_F(LiteRtTest, UnknownDeviceIsUnavailable) {
  const auto session = load_session("litert:tpu", tflite_of(kSum));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(session.error().message, "backend litert: found no device 'tpu', expected cpu; others are brought by the setting delegate");
}

TEST_F(LiteRtTest, DelegateOfALibraryTakesItsOpsAndTheKernelsTheRest) {
  const std::string bytes = tflite_of(kSum);
  for (const char* kernels : {"xnnpack", "builtin"}) {
    const auto session = load(bytes, {{"delegate", MORU_TEST_DELEGATE}, {"delegate_options", "bias=1000"}, {"kernels", kernels}});
    const auto inputs = random_inputs(*session, 0, 3);
    for (int i = 0; i < 2; ++i) {
      const auto found = session->run_once(inputs);
      ASSERT_TRUE(found.has_value()) << found.error().message;
      for (std::size_t k = 0; k < 16; ++k) {
        EXPECT_EQ(found->at(0).data<float>()[k], -(inputs[0].data<float>()[k] + inputs[1].data<float>()[k] + 1000));
      }
    }
  }
  const auto plain = load(bytes);  // a delegate is one session's
  const auto inputs = random_inputs(*plain, 0, 3);
  EXPECT_EQ(plain->run_once(inputs).value()[0].data<float>()[0], -(inputs[0].data<float>()[0] + inputs[1].data<float>()[0]));
}

TEST_F(LiteRtTest, DelegatesThatCannotBeMadeSayWhy) {
  const std::string bytes = tflite_of(kSum);
  const auto error = [&](const std::string& path, const std::string& options) {
    return refused(bytes, {{"delegate", path}, {"delegate_options", options}});
  };
  EXPECT_EQ(error(MORU_TEST_DELEGATE, "speed=9").code, ErrorCode::kUnavailable);
  EXPECT_THAT(error(MORU_TEST_DELEGATE, "speed=9").message, HasSubstr("makes no delegate and says 'no such option'"));
  EXPECT_EQ(error(MORU_TEST_DELEGATE, "bias").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error("libm.so.6", "").code, ErrorCode::kUnavailable);
  EXPECT_THAT(error("libm.so.6", "").message, HasSubstr("'libm.so.6' is another library"));
  EXPECT_THAT(error("/nowhere/libedgetpu.so", "").message, HasSubstr("cannot be loaded"));
}

TEST_F(LiteRtTest, CutAndFlippedBytesNeverCrashOrPrint) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  const std::string good = tflite_of(kConvolution);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_NE(refused(good.substr(0, size)).code, ErrorCode::kInternal) << size;
  int loaded = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bits : {0x55, 0x01, 0x80}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ bits);
      auto session = load_session("litert", bytes);
      if (!session) continue;
      ++loaded;
      (void)(*session)->run_once(random_inputs(**session, 2, 1));
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(loaded, 100);
}

}  // namespace
}  // namespace moru::runtime
