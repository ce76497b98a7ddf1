// SPDX-License-Identifier: Apache-2.0
// Recurrent layers beyond their examples: directions, lengths, layouts, activations. Expected values were worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// Runs the body of a graph; gives its outputs as text, one a line, or the error.
std::string run(const std::string& body, std::string_view outputs = "y") {
  const auto graph = parse_text("graph \"test\" {\n" + body + "\noutput " + std::string(outputs) + "\n}");
  if (!graph) return graph.error().message;
  const auto made = evaluate(*graph, {});
  if (!made) return made.error().message;
  std::string text;
  for (const Tensor& tensor : *made) text += (text.empty() ? "" : "\n") + to_text(tensor);
  return text;
}

const std::string kOneUnit = "init x = float32[3, 1, 1] {1, 2, 4}\ninit w = float32[1, 1, 1] {1}\ninit r = float32[1, 1, 1] {0.5}\n";
const std::string kTwoWays =
    "init x = float32[3, 1, 1] {1, 2, 4}\ninit w = float32[2, 1, 1] {1, 1}\ninit r = float32[2, 1, 1] {0.5, 0.5}\n";

TEST(Rnn, TheSecondDirectionBeginsAtTheEnd) {
  EXPECT_EQ(run(kTwoWays + R"(y, h = RNN(x, w, r) {activations = ["Relu", "Relu"], direction = "bidirectional", hidden_size = 1})",
                "y\noutput h"),
            "float32[3, 2, 1, 1] {1, 3, 2.5, 4, 5.25, 4}\nfloat32[2, 1, 1] {5.25, 3}");
  EXPECT_EQ(run(kOneUnit + R"(y = RNN(x, w, r) {activations = ["relu"], direction = "reverse"})"), "float32[3, 1, 1, 1] {3, 4, 4}");
}

TEST(Rnn, ASequenceEndsAtItsLengthAndZerosFollow) {
  EXPECT_EQ(run(kTwoWays + R"(init n = int32[1] {2}
    y, h = RNN(x, w, r, _, n) {activations = ["Relu", "Relu"], direction = "bidirectional"})",
                "y\noutput h"),
            "float32[3, 2, 1, 1] {1, 2, 2.5, 2, 0, 0}\nfloat32[2, 1, 1] {2.5, 2}");
  EXPECT_THAT(run(kOneUnit + "init n = int32[1] {4}\ny = RNN(x, w, r, _, n)"), HasSubstr("(sequence_lens): found 4, expected 0 to 3"));
}

TEST(Rnn, LayoutPutsTheBatchFirst) {
  EXPECT_EQ(run(R"(init x = float32[2, 2, 1] {1, 2, 10, 20}
    init w = float32[1, 1, 1] {1}
    init r = float32[1, 1, 1] {0.5}
    y, h = RNN(x, w, r) {activations = ["Relu"], layout = 1})",
                "y\noutput h"),
            "float32[2, 2, 1, 1] {1, 2.5, 10, 25}\nfloat32[2, 1, 1] {2.5, 25}");
}

TEST(Rnn, ClipBoundsWhatGoesIntoActivationsAndAlphaGoesToThoseThatTakeIt) {
  EXPECT_EQ(run(kOneUnit + R"(y = RNN(x, w, r) {activations = ["Relu"], clip = 2.0})"), "float32[3, 1, 1, 1] {1, 2, 2}");
  EXPECT_EQ(run(R"(init x = float32[1, 1, 1] {-2}
    init w = float32[2, 1, 1] {1, 1}
    init r = float32[2, 1, 1] {0, 0}
    y = RNN(x, w, r) {activation_alpha = [0.25], activations = ["Relu", "LeakyRelu"], direction = "bidirectional"})"),
            "float32[1, 2, 1, 1] {0, -0.5}");
  EXPECT_THAT(run(kOneUnit + R"(y = RNN(x, w, r) {activations = ["Bent"]})"), HasSubstr("found 'Bent'"));
  EXPECT_THAT(run(kOneUnit + R"(y = RNN(x, w, r) {activations = ["Relu", "Relu"]})"), HasSubstr("'activations': found 2, expected 1"));
}

TEST(Gru, LinearBeforeResetPutsTheGateBehindTheWeights) {
  const std::string layer = R"(init x = float32[1, 1, 1] {0}
    init w = float32[1, 3, 1] {0, 0, 0}
    init r = float32[1, 3, 1] {0, 0, 1}
    init b = float32[1, 6] {0, 0, 0, 0, 0, 2}
    init h = float32[1, 1, 1] {8}
    y = GRU(x, w, r, b, _, h) {activations = ["Sigmoid", "Affine"], linear_before_reset = )";
  EXPECT_EQ(run(layer + "0}"), "float32[1, 1, 1, 1] {7}");
  EXPECT_EQ(run(layer + "1}"), "float32[1, 1, 1, 1] {6.5}");
}

TEST(Lstm, InputForgetTiesTheGates) {
  // i = 0.5, proposal = 4: c = (1 - i) * 8 + i * 4.
  EXPECT_EQ(run(R"(init x = float32[1, 1, 1] {1}
    init w = float32[1, 4, 1] {0, 0, 0, 4}
    init r = float32[1, 4, 1] {0, 0, 0, 0}
    init b = float32[1, 8] {0, 0, 9, 0, 0, 0, 0, 0}
    init c = float32[1, 1, 1] {8}
    _, h, y = LSTM(x, w, r, b, _, _, c) {activations = ["Sigmoid", "Affine", "Affine"], input_forget = 1})"),
            "float32[1, 1, 1] {6}");
}

TEST(MaxPool, StorageOrderCountsTheFirstSpatialAxisFastest) {
  const std::string data = "init x = float32[1, 1, 2, 3] {1, 2, 9, 4, 5, 6}\n";
  EXPECT_EQ(run(data + "p, y = MaxPool(x) {kernel_shape = [2, 3]}"), "int64[1, 1, 1, 1] {2}");
  EXPECT_EQ(run(data + "p, y = MaxPool(x) {kernel_shape = [2, 3], storage_order = 1}"), "int64[1, 1, 1, 1] {4}");
}

TEST(ConvTranspose, GroupsPaddingAndAutoPad) {
  const std::string data = "init x = float32[1, 2, 2] {1, 2, 10, 20}\n";
  EXPECT_EQ(run(data + "init w = float32[2, 1, 2] {1, 1, 1, 2}\ny = ConvTranspose(x, w) {group = 2, output_padding = [1], pads = [1, 0]}"),
            "float32[1, 2, 3] {3, 2, 0, 40, 40, 0}");
  EXPECT_EQ(run("init x = float32[1, 1, 2] {1, 2}\ninit w = float32[1, 1, 3] {1, 1, 1}\n"
                "y = ConvTranspose(x, w) {auto_pad = \"SAME_UPPER\", strides = [2]}"),
            "float32[1, 1, 4] {1, 1, 3, 2}");
  EXPECT_THAT(run("init x = float32[1, 1, 1] {1}\ninit w = float32[1, 1, 1] {1}\ny = ConvTranspose(x, w) {pads = [1, 0]}"),
              HasSubstr("'pads': found 1 and 0 on spatial axis 0"));
}

}  // namespace
}  // namespace moru::model
