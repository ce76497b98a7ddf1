// SPDX-License-Identifier: Apache-2.0
#include "model/formats/bundle/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

ModelCard example() {
  ModelCard card;
  card.name = "factory-line";
  card.task = "image classification";
  card.inputs = {{"image", "float32", {{-1, "N"}, {1, ""}, {28, ""}, {28, ""}}}};
  card.outputs = {{"logits", "float32", {{-1, ""}, {2, ""}}}};
  card.labels = {"shirt", "bag \"big\""};
  card.mean = 0.2860;
  card.std = 0.3530;
  card.activation = "softmax";
  card.alert_threshold = 0.05;
  card.figures = {{"top1_int8", 0.915}, {"latency_p50_us", 81.5}};
  card.provenance = {{"dataset", "sha256:00"}, {"seed", "1"}};
  return card;
}

/// The error after one change to a valid card; "" when it is taken.
std::string error_after(void (*change)(Json& card)) {
  auto card = parse_json(write_card(example()), "test");
  EXPECT_TRUE(card.has_value());
  change(*card);
  const auto result = read_card(card->dump(), "card");
  return result ? "" : result.error().message;
}

TEST(ModelCard, RoundTrips) {
  const ModelCard card = example();
  const auto read = read_card(write_card(card), "card");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->name, card.name);
  EXPECT_EQ(read->task, card.task);
  ASSERT_EQ(read->inputs.size(), 1U);
  EXPECT_EQ(read->inputs[0].name, "image");
  EXPECT_EQ(read->inputs[0].dtype, "float32");
  EXPECT_EQ(read->inputs[0].shape, card.inputs[0].shape);
  EXPECT_EQ(read->outputs[0].shape, card.outputs[0].shape);
  EXPECT_EQ(read->labels, card.labels);
  EXPECT_EQ(read->mean, card.mean);
  EXPECT_EQ(read->std, card.std);
  EXPECT_EQ(read->activation, card.activation);
  EXPECT_EQ(read->alert_threshold, card.alert_threshold);
  EXPECT_EQ(read->figures, card.figures);
  EXPECT_EQ(read->provenance, card.provenance);
  EXPECT_EQ(write_card(*read), write_card(card));
}

TEST(ModelCard, NamesEachMissingField) {
  const auto whole = parse_json(write_card(example()), "test");
  ASSERT_TRUE(whole.has_value());
  for (const auto& [key, value] : whole->items()) {
    Json card = *whole;
    card.erase(key);
    const auto result = read_card(card.dump(), "card");
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error().message, HasSubstr("card: field '" + key + "' is missing"));
  }
}

TEST(ModelCard, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(error_after([](Json& card) { card["std"] = 0.0; }), HasSubstr("card: std: found 0"));
  EXPECT_THAT(error_after([](Json& card) { card["mean"] = 1e300; }), HasSubstr("card: mean: found 1e+300"));
  EXPECT_THAT(error_after([](Json& card) { card["activation"] = "tanh"; }),
              HasSubstr("card: activation: found 'tanh', expected 'softmax' or 'none'"));
  EXPECT_THAT(error_after([](Json& card) { card["alert_threshold"] = 1.5; }), HasSubstr("card: alert_threshold: found 1.5"));
  EXPECT_THAT(error_after([](Json& card) { card["labels"][1] = 4; }), HasSubstr("card: labels[1]: found number"));
  EXPECT_THAT(error_after([](Json& card) { card["inputs"] = Json::array(); }), HasSubstr("card: inputs: found an empty list"));
  EXPECT_THAT(error_after([](Json& card) { card["inputs"][0]["dtype"] = "float31"; }), HasSubstr("card: inputs[0]: found dtype 'float31'"));
  EXPECT_THAT(error_after([](Json& card) { card["inputs"][0]["shape"][1] = -3; }), HasSubstr("card: inputs[0].shape[1]: found '-3'"));
  EXPECT_THAT(error_after([](Json& card) { card["inputs"][0]["shape"][1] = std::uint64_t{1} << 62U; }), HasSubstr("expected an extent"));
  EXPECT_THAT(error_after([](Json& card) { card["outputs"][0].erase("shape"); }), HasSubstr("card: outputs[0]: field 'shape' is missing"));
  EXPECT_THAT(error_after([](Json& card) { card["figures"]["top1_int8"] = "high"; }), HasSubstr("card: figures: field 'top1_int8'"));
  EXPECT_THAT(error_after([](Json& card) { card["provenance"] = 3; }), HasSubstr("card: provenance: found number"));
}

TEST(ModelCard, RefusesFieldsItDoesNotKnow) {
  EXPECT_THAT(error_after([](Json& card) { card["meen"] = 1; }), HasSubstr("card: found unknown field 'meen' (did you mean 'mean'?)"));
}

TEST(ModelCard, RefusesWhatIsNoObject) {
  EXPECT_FALSE(read_card("", "card").has_value());
  EXPECT_FALSE(read_card("[]", "card").has_value());
  EXPECT_FALSE(read_card("{\"name\": ", "card").has_value());
}

}  // namespace
}  // namespace moru::model
