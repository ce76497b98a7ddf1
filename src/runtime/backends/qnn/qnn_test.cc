// SPDX-License-Identifier: Apache-2.0
// Qualcomm's provider on its simulator. Without the package (moru backend install qnn) only the refusal is tested.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using model::Graph;
using model::Tensor;
using testing::HasSubstr;

/// As quantisation writes it: activations uint8, weights int8 with one scale, bias int32.
constexpr std::string_view kQuantised = R"(graph "qdq" {
  opset 13
  input x: float32[1, 1, 4, 4]
  init xs = float32[] {0.02}
  init xz = uint8[] {128}
  init w = int8[2, 1, 3, 3] {12, -100, 25, 100, 0, -50, 12, 127, -127, 100, 90, -80, 50, -20, 25, 0, 75, 100}
  init ws = float32[] {0.01}
  init wz = int8[] {0}
  init b = int32[2] {50, -400}
  init bs = float32[] {0.0002}
  init bz = int32[] {0}
  init ys = float32[] {0.03}
  init yz = uint8[] {3}
  xq = QuantizeLinear(x, xs, xz)
  xd = DequantizeLinear(xq, xs, xz)
  wd = DequantizeLinear(w, ws, wz)
  bd = DequantizeLinear(b, bs, bz)
  c = Conv(xd, wd, bd) {pads = [1, 1, 1, 1]}
  q = QuantizeLinear(c, ys, yz)
  y: float32[1, 2, 4, 4] = DequantizeLinear(q, ys, yz)
  output y
})";
constexpr float kStep = 0.03F;

Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_TRUE(model::infer_shapes(*graph).has_value());
  return std::move(*graph);
}
std::string quantised() { return model::write_onnx(graph_of(kQuantised)).value(); }

class Qnn : public testing::Test {
 protected:
  void SetUp() override {
    const auto info = find_backend("qnn")->info();
    if (!info.available) GTEST_SKIP() << info.reason;
    auto folder = TempFolder::create("moru-qnn");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
  }
  Path at(std::string_view name) const { return folder_->path() / name; }
  std::optional<TempFolder> folder_;
};

TEST(QnnMissing, IsOneSentence) {
  const auto info = find_backend("qnn")->info();
  if (info.available) GTEST_SKIP() << "the package is here";
  EXPECT_THAT(info.reason, HasSubstr("backend qnn: found no onnxruntime_qnn/libonnxruntime_providers_qnn.so in"));
  const auto session = load_session("qnn", quantised());
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::kUnavailable);
}

TEST_F(Qnn, QuantisedModelOnTheSimulatorIsWithinAStepOfTheReference) {
  const auto session = load_session("qnn", quantised());
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const Graph graph = graph_of(kQuantised);
  Rng rng(9);
  int apart = 0;
  int elements = 0;
  for (int run = 0; run < 20; ++run) {
    auto x = Tensor::create(model::DType::kFloat32, {1, 1, 4, 4}).value();
    for (float& value : x.mutable_data<float>()) value = static_cast<float>(rng.normal());
    const std::vector inputs = {std::move(x)};
    const auto found = (*session)->run_once(inputs);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    const auto expected = model::evaluate(graph, inputs).value();
    const auto a = expected[0].data<float>();
    const auto b = found->at(0).data<float>();
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], b[i], 1.01F * kStep) << i;
      apart += std::abs(a[i] - b[i]) > kStep / 2 ? 1 : 0;
      ++elements;
    }
  }
  RecordProperty("steps_apart", apart);
  EXPECT_LE(apart, elements / 20) << "of " << elements;
}

TEST_F(Qnn, WritesTheContextBinaryAndTheDlc) {
  const auto session =
      load_session("qnn:htp", quantised(), {.settings = {{"context", at("net.onnx").string()}, {"dlc", at("net.dlc").string()}}});
  ASSERT_TRUE(session.has_value()) << session.error().message;
  EXPECT_THAT(read_file(at("net.onnx")).value_or(""), HasSubstr("net_qnn.bin"));
  EXPECT_GT(read_file(at("net_qnn.bin")).value_or("").size(), 1000U);
  EXPECT_GT(read_file(at("net.dlc")).value_or("").size(), 1000U);
  EXPECT_TRUE((*session)->run_once(std::vector{Tensor::create(model::DType::kFloat32, {1, 1, 4, 4}).value()}).has_value());
  // Again over the old ones.
  EXPECT_TRUE(load_session("qnn", quantised(), {.settings = {{"context", at("net.onnx").string()}}}).has_value());
}

TEST_F(Qnn, OpsThatTheAcceleratorCannotRunAreAnErrorUnlessTheyMayStayOnTheCpu) {
  const std::string bytes = model::write_onnx(graph_of(R"(graph "det" {
  opset 13
  input x: float32[2, 2]
  y: float32[] = Det(x)
  output y
})"))
                                .value();
  const auto refused = load_session("qnn", bytes);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported) << refused.error().message;
  EXPECT_TRUE(load_session("qnn", bytes, {.settings = {{"fallback", "yes"}}}).has_value());
}

TEST_F(Qnn, WrongSettingsAreRefused) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  for (const auto& [name, value] :
       Pairs{{"context", "x.bin"}, {"dlc", ""}, {"fallback", "maybe"}, {"dims", "N"}, {"dims", "N=0"}, {"soc_model", "x"}}) {
    const auto session = load_session("qnn", quantised(), {.settings = {{name, value}}});
    ASSERT_FALSE(session.has_value()) << name << "=" << value;
    EXPECT_EQ(session.error().code, ErrorCode::kInvalidArgument) << session.error().message;
  }
  EXPECT_EQ(load_session("qnn:gpu", quantised()).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace moru::runtime
