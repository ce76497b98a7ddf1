// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/compress.h"

#include <gmock/gmock.h>

#include "forge/data/synthetic_for_test.h"
#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::forge {
namespace {

using testing::HasSubstr;

Result<CompressRecipe> read(const std::string& spec) {
  MORU_ASSIGN_OR_RETURN(const ConfigObject document,
                        ConfigObject::parse("apiVersion: moru.dev/v1\nkind: Recipe\nmetadata: {name: tight}\nspec: " + spec + "\n", "c.yaml"));
  return read_compress_recipe(document);
}

TEST(CompressRecipe, ReadsFieldsAndKeepsDefaults) {
  const auto recipe = read("{type: compress, range: percentile, weight_bits: 8, max_drop_points: 0.5}");
  ASSERT_TRUE(recipe.has_value()) << recipe.error().message;
  EXPECT_EQ(recipe->range, RangeMethod::kPercentile);
  EXPECT_EQ(recipe->weight_bits, 8);
  EXPECT_EQ(recipe->budget.max_drop_points, 0.5);
  EXPECT_EQ(recipe->budget.max_size_ratio, Budget{}.max_size_ratio);
  EXPECT_EQ(recipe->calibration_images, CompressRecipe{}.calibration_images);
}

TEST(CompressRecipe, RefusesWhatIsOutOfRange) {
  EXPECT_THAT(read("{type: compress, weight_bits: 9}").error().message, HasSubstr("weight_bits"));
  EXPECT_FALSE(read("{type: train}").has_value());
  EXPECT_THAT(read("{type: compress, weightbits: 8}").error().message, HasSubstr("weight_bits"));
}

TEST(Compress, FoldsBatchNormsAndQuantises) {
  auto graph = model::parse_text(R"(graph "tiny" {
    opset 13
    input image: float32[N, 1, 28, 28]
    init w = float32[2, 1, 1, 1] {0.5, -1}
    init g = float32[2] {1, 2}
    init b = float32[2] {0, 0.5}
    init m = float32[2] {0.1, -0.1}
    init v = float32[2] {1, 4}
    init lw = float32[3, 2] {1, 0, 0, 1, -1, -1}
    init lb = float32[3] {0, 0, 0.1}
    c = Conv(image, w) {kernel_shape = [1, 1]}
    n = BatchNormalization(c, g, b, m, v)
    r = Relu(n)
    a = GlobalAveragePool(r)
    f = Flatten(a)
    l = Gemm(f, lw, lb) {transB = 1}
    p = Softmax(l) {axis = 1}
    output p
  })");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const Dataset dataset = synthetic_dataset_for_test(20, 5);
  const auto result = compress(*graph, dataset, {.calibration_images = 16}, reference_runner());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->passes.size(), 1U);
  EXPECT_EQ(result->passes[0].changes, 1);
  int conv_with_bias = 0;
  for (const model::Node& node : result->graph.nodes()) {
    EXPECT_NE(node.op, "BatchNormalization");
    if (node.op == "Conv") conv_with_bias += node.inputs.size() == 3 ? 1 : 0;
  }
  EXPECT_EQ(conv_with_bias, 1);
  const auto images = normalised_batch(dataset.test, 0, 5, dataset.mean, dataset.std);
  const auto expected = model::evaluate(*graph, {&*images, 1});
  const auto found = model::evaluate(result->graph, {&*images, 1});
  ASSERT_TRUE(expected && found) << found.error().message;
  for (std::size_t i = 0; i < 15; ++i) EXPECT_NEAR((*expected)[0].data<float>()[i], (*found)[0].data<float>()[i], 0.02F);
}

TEST(Compress, ModelWithTwoOutputsIsRefused) {
  auto graph = model::parse_text("graph \"two\" {\n opset 13\n input x: float32[N]\n y = Relu(x)\n output y\n output x\n}");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_THAT(compress(*graph, synthetic_dataset_for_test(5, 5), {}, reference_runner()).error().message, HasSubstr("1 inputs and 2 outputs"));
}

}  // namespace
}  // namespace moru::forge
