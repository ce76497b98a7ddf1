// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/stream.h"

namespace moru::edge {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class NoSource final : public SourceStage {
 public:
  Status open(const StageContext&) override { return {}; }
  Result<bool> produce(Output&) override { return false; }
  void drain_at(std::uint64_t) override {}
};

class NoStage final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&&, Output&) override { return {}; }
};

Result<std::unique_ptr<SourceStage>> make_source(const ConfigObject& object) {
  double rate_hz = 1.0;
  ConfigReader reader(object);
  reader.optional("rate_hz", &rate_hz, {.min = 0.0, .max = 1000.0});
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<NoSource>();
}

Result<std::unique_ptr<Stage>> make_stage(const ConfigObject& object) {
  ConfigReader reader(object);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<NoStage>();
}

const StageSpec kCamera{.name = "camera", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_source};
constexpr std::array<std::string_view, 2> kPorts = {"out", "rest"};
const StageSpec kFilter{.name = "filter", .kind = StageKind::kStage, .doc = "", .example = "", .create = make_stage, .outputs = kPorts};
const StageSpec kStore{.name = "store", .kind = StageKind::kSink, .doc = "", .example = "", .create = make_stage};
constexpr std::array<const StageSpec*, 3> kTable = {&kCamera, &kFilter, &kStore};

/// The stages as lines from line 6 on.
Result<StreamSpec> read(std::string_view stages) {
  const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: line}}\nspec:\n  stages:\n{}", stages);
  auto document = ConfigObject::parse(text, "line.yaml");
  if (!document) return fail(document.error());
  return read_stream(*document, kTable);
}

std::string mistake_in(std::string_view stages) {
  const auto spec = read(stages);
  if (spec) return "no mistake found";
  EXPECT_EQ(spec.error().code, ErrorCode::kInvalidArgument);
  return spec.error().message;
}

TEST(StreamFile, IsReadWithItsDefaults) {
  const auto spec = read(
      "    - {name: in, stage: camera, options: {rate_hz: 20}}\n"
      "    - {name: mid, stage: filter, inputs: [in], queue: 8, overflow: drop_oldest}\n"
      "    - {name: out, stage: store, inputs: [mid, in]}\n");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->name, "line");
  ASSERT_EQ(spec->stages.size(), 3U);
  EXPECT_EQ(spec->stages[1].links[0].queue, 8U);
  EXPECT_EQ(spec->stages[1].links[0].overflow, OverflowPolicy::kDropOldest);
  EXPECT_FALSE(spec->stages[2].links[0].queue);
  EXPECT_EQ(spec->stages[2].links[1].from, 0U);
  EXPECT_EQ(spec->stages[2].links[1].overflow, OverflowPolicy::kBlock);
  EXPECT_THAT(spec->stages[2].inputs, ::testing::ElementsAre("mid", "in"));
}

TEST(StreamFile, EachInputMayHaveAQueueOfItsOwn) {
  const auto spec = read(
      "    - {name: a, stage: camera, lateness_ms: 20}\n"
      "    - {name: b, stage: camera}\n"
      "    - {name: out, stage: store, overflow: drop_oldest, inputs: [{from: a, queue: 9, overflow: sample}, b]}\n");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->stages[0].lateness, 20 * kMillisecond);
  EXPECT_EQ(spec->stages[2].links[0].queue, 9U);
  EXPECT_EQ(spec->stages[2].links[0].overflow, OverflowPolicy::kSample);
  EXPECT_EQ(spec->stages[2].links[1].queue, 64U);
  EXPECT_EQ(spec->stages[2].links[1].overflow, OverflowPolicy::kDropOldest);
  EXPECT_THAT(mistake_in("    - {name: a, stage: camera}\n    - {name: out, stage: store, inputs: [{from: a, quue: 9}]}\n"),
              AllOf(HasSubstr("line.yaml:7"), HasSubstr("did you mean 'queue'")));
  EXPECT_THAT(mistake_in("    - {name: a, stage: camera}\n    - {name: out, stage: store, inputs: a}\n"),
              HasSubstr("expected a list of names"));
  EXPECT_THAT(mistake_in("    - {name: a, stage: camera}\n    - {name: out, stage: store, lateness_ms: 5, inputs: [a]}\n"),
              HasSubstr("expected it at a source only"));
}

/// The same of a file whose stages are the product's own.
std::string mistakes(std::string_view stages) {
  const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: line}}\nspec:\n  stages:\n{}", stages);
  const auto spec = read_stream(*ConfigObject::parse(text, "line.yaml"));
  return spec ? std::string("no mistake found") : spec.error().message;
}

TEST(StreamFile, RatesAreCheckedAlongTheLinks) {
  const auto behind = [](std::string_view source, std::string_view stage) {
    return mistakes(
        fmt::format("    - {{name: in, stage: synthetic, options: {{period_ms: 100, unit: degC}}}}\n"
                    "    - {{name: slow, stage: synthetic, options: {{period_ms: 1000}}}}\n"
                    "    - {{name: hot, stage: filter, inputs: [in], options: {{where: value > 30}}}}\n"
                    "    - {{name: few, stage: select, inputs: [hot], options: {{fields: [device, value]}}}}\n"
                    "    - {{name: here, inputs: [{}], {}}}\n"
                    "    - {{name: out, stage: \"null\", inputs: [here, slow, few]}}\n",
                    source, stage));
  };
  const auto window = [&](std::string_view source, std::string_view lengths) {
    return behind(source, fmt::format("stage: window, options: {{{}, set: {{n: count()}}}}", lengths));
  };
  EXPECT_EQ(window("in", "size_ms: 100"), "no mistake found");
  EXPECT_EQ(
      window("in", "size_ms: 99"),
      "stage 'here': line.yaml:10: found size_ms of 99 ms, expected at least 100 ms: the items of 'in' are 100 ms apart, so no window "
      "would hold two");
  EXPECT_THAT(window("few", "kind: sliding, size_ms: 50, step_ms: 10"), HasSubstr("the items of 'few' are 100 ms apart"));
  EXPECT_THAT(window("in", "kind: session, gap_ms: 0.5"), HasSubstr("found gap_ms of 0.5 ms, expected at least 100 ms"));
  EXPECT_EQ(window("in", "kind: count, count: 3"), "no mistake found");
  EXPECT_EQ(window("in, slow", "size_ms: 1"), "no mistake found") << "items of two sources may come at one time";

  EXPECT_THAT(behind("in", "stage: deduplicate, options: {key: [device], within_ms: 99}"), HasSubstr("none would be a duplicate"));
  EXPECT_THAT(behind("in", "stage: stack, options: {fields: [value], rows: 4, gap_ms: 20}"), HasSubstr("would get its second row"));

  const auto join = [&](std::string_view inputs, std::string_view more) {
    return behind(inputs, fmt::format("stage: join, options: {{prefixes: [b_], {}}}", more));
  };
  EXPECT_THAT(join("in, slow", "within_ms: 899"),
              HasSubstr("expected at least 900 ms, or optional: true: the items of 'in' are 100 ms apart and those of 'slow' 1000 ms"));
  EXPECT_EQ(join("in, slow", "within_ms: 900"), "no mistake found");
  EXPECT_EQ(join("slow, in", "within_ms: 1"), "no mistake found") << "they may come at one time";
  EXPECT_EQ(join("in, slow", "within_ms: 1, optional: true"), "no mistake found");
  EXPECT_EQ(join("in, slow", "within_ms: 1, key: [device]"), "no mistake found") << "a key has a pace of its own";

  const auto rules = [&](std::string_view rule) {
    return behind(
        "in, slow",
        fmt::format("stage: rules, options: {{events: {{a: {{input: in}}, b: {{input: in}}, c: {{input: slow}}}}, rules: {{r: {{{}}}}}}}",
                    rule));
  };
  EXPECT_THAT(rules("after: a, never: b, within_ms: 99"),
              HasSubstr("at least 100 ms: the items of 'in' are 100 ms apart, so it would match always"));
  EXPECT_EQ(rules("after: a, never: c, within_ms: 99"), "no mistake found");
  EXPECT_THAT(rules("sequence: [a, b, a], within_ms: 199"), HasSubstr("at least 200 ms"));
  EXPECT_THAT(rules("count: a, at_least: 11, within_ms: 999"), HasSubstr("so it would match never"));
  EXPECT_EQ(rules("count: a, at_least: 11, within_ms: 1000"), "no mistake found");
}

TEST(StreamFile, TypesUnitsAndFieldsAreCheckedAlongTheLinks) {
  const std::string head =
      "    - {name: in, stage: synthetic, options: {unit: degC}}\n"
      "    - {name: mid, stage: map, inputs: [in], options: {set: {hot: value > 30}}}\n";
  EXPECT_EQ(mistakes(head + "    - {name: out, stage: write_json, inputs: [mid], options: {path: x, fields: [hot, device]}}\n"),
            "no mistake found");
  EXPECT_THAT(mistakes(head + "    - {name: out, stage: write_json, inputs: [mid], options: {path: x, fields: [hto]}}\n"),
              AllOf(HasSubstr("stage 'out': line.yaml:8"), HasSubstr("no field 'hto' in the items (did you mean 'hot'?)")));
  EXPECT_THAT(mistakes(head + "    - {name: out, stage: write_json, inputs: [mid, in], options: {path: x, fields: [hot]}}\n"),
              HasSubstr("no mistake"))
      << "one input may lack it";
  EXPECT_THAT(mistakes("    - {name: camera, stage: idx_replay, options: {folder: x}}\n"
                       "    - {name: tensor, stage: image_to_tensor, inputs: [camera], options: {input: truth}}\n"
                       "    - {name: out, stage: \"null\", inputs: [tensor]}\n"),
              HasSubstr("found field 'truth' of type int64, expected tensor"));
  EXPECT_THAT(mistakes("    - {name: camera, stage: idx_replay, options: {folder: x}}\n"
                       "    - {name: one, stage: image_to_tensor, inputs: [camera]}\n"
                       "    - {name: two, stage: image_to_tensor, inputs: [one], options: {input: tensor}}\n"
                       "    - {name: out, stage: \"null\", inputs: [two]}\n"),
              HasSubstr("found field 'tensor' of type tensor float32 [1, 1, -1, -1], expected tensor uint8 [H, W]"));
}

TEST(StreamFile, NamesTheNearestOutputPort) {
  const auto spec = read(
      "    - {name: in, stage: camera}\n    - {name: mid, stage: filter, inputs: [in]}\n"
      "    - {name: out, stage: store, inputs: [mid.rest]}\n    - {name: more, stage: store, inputs: [mid]}\n");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->stages[2].links[0].port, 1U);
  EXPECT_EQ(spec->stages[3].links[0].port, 0U);
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera}\n    - {name: mid, stage: filter, inputs: [in]}\n"
                         "    - {name: out, stage: store, inputs: [mid.rst]}\n"),
              AllOf(HasSubstr("line.yaml:8"), HasSubstr("has no output 'rst' (did you mean 'rest'?)")));
}

TEST(StreamFile, ComesInAnOrderThatFollowsTheItems) {
  const auto spec = read(
      "    - {name: out, stage: store, inputs: [mid]}\n    - {name: mid, stage: filter, inputs: [in]}\n    - {name: in, stage: camera}\n");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(spec->order, ::testing::ElementsAre(2, 1, 0));
}

TEST(StreamFile, NamesTheNearestStageAndTheLine) {
  EXPECT_THAT(mistake_in("    - name: in\n      stage: camra\n"),
              AllOf(HasSubstr("line.yaml:7"), HasSubstr("unknown stage 'camra'"), HasSubstr("did you mean 'camera'")));
}

TEST(StreamFile, NamesTheNearestField) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera, quue: 3}\n"), AllOf(HasSubstr("line.yaml:6"), HasSubstr("did you mean 'queue'")));
  EXPECT_THAT(mistake_in("    - name: in\n      stage: camera\n      options: {rate_h: 3}\n"),
              AllOf(HasSubstr("line.yaml:8"), HasSubstr("did you mean 'rate_hz'")));
}

TEST(StreamFile, ChecksTheOptionsOfEachStage) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera, options: {rate_hz: -1}}\n"),
              AllOf(HasSubstr("stage 'in'"), HasSubstr("'-1'"), HasSubstr("between 0 and 1000")));
}

TEST(StreamFile, NamesTheNearestInput) {
  EXPECT_THAT(mistake_in("    - {name: source, stage: camera}\n    - {name: out, stage: store, inputs: [sorce]}\n"),
              AllOf(HasSubstr("line.yaml:7"), HasSubstr("unknown input 'sorce'"), HasSubstr("did you mean 'source'")));
}

TEST(StreamFile, RefusesASourceWithInputsAndAStageWithout) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera, inputs: [out]}\n    - {name: out, stage: store}\n"),
              AllOf(HasSubstr("line.yaml:6: found inputs at 'in'"), HasSubstr("line.yaml:7: found no inputs at 'out'")));
}

TEST(StreamFile, RefusesASinkAsInputAndAnInputTwice) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera}\n    - {name: out, stage: store, inputs: [in, in]}\n    - {name: more, stage: "
                         "store, inputs: [out]}\n"),
              AllOf(HasSubstr("line.yaml:7: found input 'in' twice"), HasSubstr("line.yaml:8: found input 'out', which is a sink")));
}

TEST(StreamFile, ShowsACycleInTheDirectionOfTheItems) {
  EXPECT_THAT(
      mistake_in(
          "    - {name: in, stage: camera}\n    - {name: a, stage: filter, inputs: [in, c]}\n    - {name: b, stage: filter, inputs: [a]}\n"
          "    - {name: c, stage: filter, inputs: [b]}\n    - {name: out, stage: store, inputs: [c]}\n"),
      HasSubstr("cycle a -> b -> c -> a"));
  EXPECT_THAT(
      mistake_in(
          "    - {name: in, stage: camera}\n    - {name: a, stage: filter, inputs: [a]}\n    - {name: out, stage: store, inputs: [in]}\n"),
      HasSubstr("cycle a -> a"));
}

TEST(StreamFile, RefusesAStageThatNobodyReads) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera}\n    - {name: mid, stage: filter, inputs: [in]}\n    - {name: out, stage: store, "
                         "inputs: [in]}\n"),
              AllOf(HasSubstr("line.yaml:7"), HasSubstr("nothing that reads from 'mid'")));
}

TEST(StreamFile, RefusesNamesThatAreTakenOrUnfit) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera}\n    - {name: in, stage: store, inputs: [in]}\n"),
              AllOf(HasSubstr("line.yaml:7"), HasSubstr("second stage of the name 'in'")));
  EXPECT_THAT(mistake_in("    - {name: 'in/to', stage: camera}\n"), HasSubstr("found name 'in/to'"));
}

TEST(StreamFile, RefusesQueuesAndPoliciesOutOfRange) {
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera, queue: 0}\n"), HasSubstr("between 1 and 65536"));
  EXPECT_THAT(mistake_in("    - {name: in, stage: camera, overflow: drop_oldes}\n"), HasSubstr("did you mean 'drop_oldest'"));
}

TEST(StreamFile, RefusesNoStagesAtAllAndTooMany) {
  EXPECT_THAT(mistake_in("    []\n"), HasSubstr("list of 1 to 64"));
  EXPECT_THAT(mistake_in("    hello\n"), HasSubstr("list of 1 to 64"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += fmt::format("    - {{name: s{}, stage: camera}}\n", i);
  EXPECT_THAT(mistake_in(many), HasSubstr("65 stages"));
}

TEST(StreamFile, FindsAllMistakesAtOnce) {
  const auto message = mistake_in(
      "    - {name: in, stage: camra}\n"
      "    - {name: mid, stage: filter, inputs: [inn]}\n"
      "    - {name: out, stage: store, inputs: [mid], queue: 0}\n");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 2) << message;
}

TEST(Parameters, AreFilledInAsNumbersOrQuotedTexts) {
  const auto filled =
      fill_parameters("{folder: ${folder}, rate_hz: ${rate}}\n", {{"folder", "a \"b\"\n: c"}, {"rate", "200"}}, "line.yaml");
  ASSERT_TRUE(filled) << filled.error().message;
  const auto document = ConfigObject::parse(*filled, "line.yaml");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->find("folder")->scalar(), "a \"b\"\n: c");
  EXPECT_EQ(*document->find("rate_hz")->as_number(), 200.0);
}

TEST(Parameters, AreTextWhenTheyAreNotQuiteNumbers) {
  const auto filled = fill_parameters("a: ${a}\n", {{"a", "[1, 2]"}}, "line.yaml");
  ASSERT_TRUE(filled);
  EXPECT_EQ(*filled, "a: \"[1, 2]\"\n");
}

TEST(Parameters, MistakesHaveTheirLine) {
  EXPECT_THAT(fill_parameters("x: 1\ny: ${rat}\n", {{"rate", "1"}}, "line.yaml").error().message,
              AllOf(HasSubstr("line.yaml:2"), HasSubstr("did you mean 'rate'")));
  EXPECT_THAT(fill_parameters("x: ${rate\n", {{"rate", "1"}}, "line.yaml").error().message, HasSubstr("without an end"));
  EXPECT_THAT(fill_parameters("x: 1\n", {{"rate", "1"}}, "line.yaml").error().message, HasSubstr("a value for 'rate'"));
}

}  // namespace
}  // namespace moru::edge
