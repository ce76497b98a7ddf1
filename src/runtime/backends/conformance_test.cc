// SPDX-License-Identifier: Apache-2.0
// What every backend must do, asked of each that is available on this machine.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kFloatNet = R"(graph "float net" {
  opset 13
  input x: float32[N, 1, 6, 6]
  init w = float32[2, 1, 3, 3] {0.5, -1, 0.25, 1, 0, -0.5, 0.125, 2, -1, 1, 1, -1, 0.5, -2, 0.25, 0, 0.75, 1}
  init b = float32[2] {0.1, -0.2}
  init fw = float32[3, 18] {WEIGHTS}
  init fb = float32[3] {1, -1, 0.5}
  c = Conv(x, w, b) {pads = [1, 1, 1, 1]}
  r = Relu(c)
  p = MaxPool(r) {kernel_shape = [2, 2], strides = [2, 2]}
  f = Flatten(p)
  g = Gemm(f, fw, fb) {transB = 1}
  y: float32[N, 3] = Softmax(g) {axis = 1}
  output y
})";

/// A convolution between integers as quantisation writes it: activations one scale a tensor, weights one a channel.
constexpr std::string_view kQuantizedNet = R"(graph "qdq net" {
  opset 13
  input x: float32[N, 1, 4, 4]
  init xs = float32[] {0.02}
  init xz = uint8[] {128}
  init w = int8[2, 1, 3, 3] {12, -100, 25, 100, 0, -50, 12, 127, -127, 100, 90, -80, 50, -20, 25, 0, 75, 100}
  init ws = float32[2] {0.01, 0.02}
  init wz = int8[2] {0, 0}
  init b = int32[2] {50, -400}
  init bs = float32[2] {0.0002, 0.0004}
  init bz = int32[2] {0, 0}
  init ys = float32[] {0.03}
  init yz = uint8[] {3}
  xq = QuantizeLinear(x, xs, xz)
  xd = DequantizeLinear(xq, xs, xz)
  wd = DequantizeLinear(w, ws, wz) {axis = 0}
  bd = DequantizeLinear(b, bs, bz) {axis = 0}
  c = Conv(xd, wd, bd) {pads = [1, 1, 1, 1]}
  r = Relu(c)
  q = QuantizeLinear(r, ys, yz)
  y: float32[N, 2, 4, 4] = DequantizeLinear(q, ys, yz)
  output y
})";

constexpr std::string_view kTwoPorts = R"(graph "two ports" {
  opset 13
  input a: float32[N, 2]
  input b: float32[N, 2]
  s: float32[N, 2] = Add(a, b)
  d: float32[N, 2] = Sub(a, b)
  output s
  output d
})";

std::string float_net() {
  std::string text(kFloatNet);
  std::string weights;
  Rng rng(5);
  for (int i = 0; i < 54; ++i) weights += std::to_string(rng.normal()) + (i < 53 ? ", " : "");
  text.replace(text.find("WEIGHTS"), 7, weights);
  return text;
}

Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const auto inferred = model::infer_shapes(*graph);
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
  return std::move(*graph);
}

std::string onnx_of(std::string_view text) {
  auto bytes = model::write_onnx(graph_of(text));
  EXPECT_TRUE(bytes.has_value()) << bytes.error().message;
  return std::move(*bytes);
}

Tensor random_floats(model::Dims dims, std::uint64_t seed) {
  Rng rng(seed);
  Tensor tensor = Tensor::create(DType::kFloat32, std::move(dims)).value();
  for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
  return tensor;
}

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const BackendSpec* backend : all_backends()) {
    if (backend->name == "qnn") continue;  // it wants shapes that are fixed: qnn_test.cc
    if (backend->info().available) names.emplace_back(backend->name);
  }
  return names;
}

std::vector<std::string> known() {
  std::vector<std::string> names;
  for (const BackendSpec* backend : all_backends()) names.emplace_back(backend->name);
  return names;
}

TEST(Backends, TableIsInNameOrderAndEachIsFound) {
  EXPECT_THAT(known(), testing::IsSupersetOf({"litert", "onnxruntime", "openvino", "reference"}));
  EXPECT_TRUE(std::ranges::is_sorted(known()));
  EXPECT_THAT(available(), testing::IsSupersetOf({"onnxruntime", "openvino", "reference"}));
  for (const BackendSpec* backend : all_backends()) EXPECT_EQ(find_backend(backend->name), backend);
  EXPECT_EQ(find_backend("none"), nullptr);
}

TEST(LoadSession, UnknownBackendNamesTheNearestAndAll) {
  const auto session = load_session("onnxruntim", onnx_of(kTwoPorts));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(
      session.error().message,
      fmt::format("backend: found unknown name 'onnxruntim' (did you mean 'onnxruntime'?), expected one of {}", fmt::join(known(), ", ")));
}

class BackendTest : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Session> load(std::string_view text, int threads = 1) {
    auto session = load_session(GetParam(), onnx_of(text), {.threads = threads});
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }
  /// Loads bytes that may be anything; the message and code of the error.
  Error refused(std::string_view bytes, int threads = 1) {
    auto session = load_session(GetParam(), bytes, {.threads = threads});
    return session ? Error{ErrorCode::kInternal, "accepted"} : session.error();
  }
};
INSTANTIATE_TEST_SUITE_P(Each, BackendTest, testing::ValuesIn(available()), [](const auto& backend) { return backend.param; });

TEST_P(BackendTest, PortsHaveNamesTypesAndSymbols) {
  const auto session = load(float_net());
  ASSERT_EQ(session->inputs().size(), 1U);
  EXPECT_EQ(session->inputs()[0].name, "x");
  EXPECT_EQ(session->inputs()[0].dtype, DType::kFloat32);
  EXPECT_EQ(to_string(session->inputs()[0].shape), "[N, 1, 6, 6]");
  ASSERT_EQ(session->outputs().size(), 1U);
  EXPECT_EQ(session->outputs()[0].name, "y");
  EXPECT_EQ(to_string(session->outputs()[0].shape), "[N, 3]");
}

TEST_P(BackendTest, FloatNetworkAgreesWithTheReferenceForEachBatch) {
  const auto session = load(float_net());
  const Graph graph = graph_of(float_net());
  for (const std::int64_t batch : {1, 7, 1, 2}) {
    const std::vector<Tensor> inputs = {random_floats({batch, 1, 6, 6}, static_cast<std::uint64_t>(batch))};
    const auto found = session->run_once(inputs);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    const auto expected = model::evaluate(graph, inputs);
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    ASSERT_THAT(found->at(0).dims(), ElementsAre(batch, 3));
    // Sums of at most 18 products: the order of summation moves the last bits only.
    for (std::int64_t i = 0; i < batch * 3; ++i) {
      EXPECT_NEAR(found->at(0).data<float>()[static_cast<std::size_t>(i)], expected->at(0).data<float>()[static_cast<std::size_t>(i)],
                  1e-5);
    }
  }
}

TEST_P(BackendTest, QuantizedNetworkIsWithinOneStepOfTheReference) {
  const auto session = load(kQuantizedNet);
  const Graph graph = graph_of(kQuantizedNet);
  const std::vector<Tensor> inputs = {random_floats({5, 1, 4, 4}, 9)};
  const auto found = session->run_once(inputs);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const auto expected = model::evaluate(graph, inputs).value();
  const auto a = expected[0].data<float>();
  const auto b = found->at(0).data<float>();
  ASSERT_EQ(a.size(), b.size());
  int steps_apart = 0;
  std::set<float> levels;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Rounding of a value between two steps may fall either way; more than one step is a wrong sum.
    ASSERT_NEAR(a[i], b[i], 0.0301) << i;
    steps_apart += a[i] != b[i] ? 1 : 0;
    levels.insert(a[i]);
  }
  EXPECT_LE(steps_apart, 2);
  EXPECT_GT(levels.size(), 20U);  // the answer is not one of zeros
}

TEST_P(BackendTest, WritesIntoTheCallersMemoryAgainAndAgain) {
  const auto session = load(kTwoPorts);
  auto a = Tensor::of<float>({1, 2}, {3, 4});
  const auto b = Tensor::of<float>({1, 2}, {1, 10});
  auto sum = Tensor::of<float>({1, 2}, {0, 0});
  auto difference = Tensor::of<float>({1, 2}, {0, 0});
  const std::vector<model::ConstTensorView> inputs = {a.view(), b.view()};
  const std::vector<model::TensorView> outputs = {sum.mutable_view(), difference.mutable_view()};
  ASSERT_TRUE(session->run(inputs, outputs).has_value());
  EXPECT_THAT(sum.data<float>(), ElementsAre(4, 14));
  EXPECT_THAT(difference.data<float>(), ElementsAre(2, -6));
  a.mutable_data<float>()[0] = 100;  // the same buffers with other content
  ASSERT_TRUE(session->run(inputs, outputs).has_value());
  EXPECT_THAT(sum.data<float>(), ElementsAre(101, 14));
  auto other = Tensor::of<float>({1, 2}, {0, 0});
  ASSERT_TRUE(session->run(inputs, std::vector{other.mutable_view(), difference.mutable_view()}).has_value());
  EXPECT_THAT(other.data<float>(), ElementsAre(101, 14));
}

TEST_P(BackendTest, MoreThreadsGiveTheSameAnswer) {
  const std::vector<Tensor> inputs = {random_floats({4, 1, 6, 6}, 1)};
  const auto one = load(float_net(), 1)->run_once(inputs).value();
  const auto two = load(float_net(), 2)->run_once(inputs).value();
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(one[0].data<float>()[i], two[0].data<float>()[i], 1e-6);
}

TEST_P(BackendTest, WrongTensorsAreRefusedAndTheNextCallWorks) {
  const auto session = load(kTwoPorts);
  const auto code = [&](const std::vector<Tensor>& inputs) { return session->run_once(inputs).error(); };
  const auto right = random_floats({1, 2}, 1);
  EXPECT_EQ(code({right}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({right, random_floats({1, 3}, 1)}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({right, random_floats({1, 2, 1}, 1)}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({right, random_floats({4, 2}, 1)}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({right, Tensor::of<double>({1, 2}, {1, 2})}).code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(code({right, random_floats({1, 3}, 1)}).message,
              testing::AllOf(HasSubstr("input 'b': found float32"), HasSubstr("[1, 3], expected float32"), HasSubstr("[N, 2]")));
  EXPECT_TRUE(session->run_once(std::vector{right, right}).has_value());
}

TEST_P(BackendTest, OutputMemoryOfAnotherShapeIsRefused) {
  const auto session = load(kTwoPorts);
  const auto a = random_floats({2, 2}, 1);
  auto sum = random_floats({2, 2}, 1);
  auto small = random_floats({1, 2}, 1);
  const auto before = small.clone();
  const auto status = session->run(std::vector{a.view(), a.view()}, std::vector{sum.mutable_view(), small.mutable_view()});
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(same_bits(small, before));
}

/// The shape of the output stands nowhere in this model: it depends on the values of an input.
constexpr std::string_view kOpenOutput = R"(graph "open" {
  opset 13
  input x: float32[4]
  input shape: int64[2]
  y: float32[?, ?] = Reshape(x, shape)
  output y
})";

TEST_P(BackendTest, ShapeThatOnlyTheRunDecidesIsCheckedByTheRun) {
  if (const auto formats = find_backend(GetParam())->formats;
      std::ranges::find(formats, "onnx") == formats.end() || GetParam() == "native") {
    // What such a backend reads is what we convert, and a RESHAPE with two open extents is not converted. Ours plans all shapes before.
    EXPECT_EQ(refused(onnx_of(kOpenOutput)).code, ErrorCode::kUnsupported);
    return;
  }
  const auto session = load(kOpenOutput);
  const auto x = random_floats({4}, 1);
  const auto shape = Tensor::of<std::int64_t>({2}, {2, 2});
  const auto made = session->run_once(std::vector{x, shape});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).dims(), ElementsAre(2, 2));
  auto right = Tensor::create(DType::kFloat32, {2, 2}).value();
  const auto done = session->run(std::vector{x.view(), shape.view()}, std::vector{right.mutable_view()});
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_TRUE(std::ranges::equal(right.data<float>(), x.data<float>()));
  testing::internal::CaptureStderr();
  for (const model::Dims& dims : {model::Dims{1, 4}, model::Dims{1, 1}, model::Dims{8, 8}}) {
    auto wrong = Tensor::create(DType::kFloat32, dims).value();
    const auto status = session->run(std::vector{x.view(), shape.view()}, std::vector{wrong.mutable_view()});
    ASSERT_FALSE(status.has_value()) << model::to_string(dims);
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << status.error().message;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");  // an error is returned, not printed
}

TEST_P(BackendTest, BytesThatAreNoModelAreAnErrorWithWords) {
  for (const std::string_view bytes : {std::string_view(""), std::string_view("not a model at all"), std::string_view("\0\0\0\0", 4)}) {
    const auto error = refused(bytes);
    EXPECT_THAT(error.message, testing::StartsWith("load model: "));
    EXPECT_NE(error.code, ErrorCode::kInternal) << error.message;
  }
  EXPECT_EQ(refused("not a model at all").code, ErrorCode::kCorrupt);
}

TEST_P(BackendTest, CutModelIsRefused) {
  const std::string bytes = onnx_of(kTwoPorts);
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    const auto error = refused(std::string_view(bytes).substr(0, size));
    EXPECT_NE(error.code, ErrorCode::kInternal) << size << ": " << error.message;
  }
}

TEST_P(BackendTest, FlippedBytesNeverCrash) {
  const std::string good = onnx_of(kQuantizedNet);
  int refusals = 0;
  for (std::size_t at = 0; at < good.size(); at += 2) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    refusals += load_session(GetParam(), bytes) ? 0 : 1;
  }
  EXPECT_GT(refusals, 0);
}

TEST_P(BackendTest, WeightsInAnotherFileAreRefusedAndTheFileIsNamed) {
  const auto folder = TempFolder::create("backends").value();
  ASSERT_TRUE(model::save_onnx(graph_of(float_net()), folder.path() / "m.onnx", {.opset = {}, .external_bytes = 8}).has_value());
  const auto error = refused(read_file(folder.path() / "m.onnx").value());
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("found data in another file ('m.onnx.data'), expected it in the model; save the model with"));
  const auto whole = model::read_whole_onnx(folder.path() / "m.onnx");
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_TRUE(load_session(GetParam(), *whole).has_value());
}

TEST_P(BackendTest, UnknownOpIsUnsupportedInTheBackendsWords) {
  std::string bytes = onnx_of(kTwoPorts);
  const auto at = bytes.find("Sub");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 3, "Sob");
  const auto error = refused(bytes);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported) << error.message;
  EXPECT_THAT(error.message, HasSubstr("Sob"));
}

TEST_P(BackendTest, DevicesThatAreNotThereAreNamed) {
  const auto session = load_session(GetParam() + ":abacus", onnx_of(kTwoPorts));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(session.error().message, HasSubstr("'abacus'"));
}

TEST_P(BackendTest, ThreadsOutOfRangeAreRefused) {
  EXPECT_EQ(refused(onnx_of(kTwoPorts), 0).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(onnx_of(kTwoPorts), 100'000).code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::runtime
