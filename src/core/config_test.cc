// SPDX-License-Identifier: Apache-2.0
#include "core/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace moru {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Line {
  std::string name;
  std::int64_t batch = 1;
  double rate_hz = 200;
  bool durable = false;
  std::vector<std::string> labels;
  std::string mode = "fast";
  std::optional<ConfigObject> extra;
};

Result<Line> read_line(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const auto object, ConfigObject::parse(text, "line.yaml"));
  Line line;
  ConfigReader reader(object);
  reader.required("name", &line.name);
  reader.optional("batch", &line.batch, {.min = 1, .max = 64});
  reader.optional("rate_hz", &line.rate_hz, {.min = 0.001});
  reader.optional("durable", &line.durable);
  reader.optional("labels", &line.labels);
  reader.choice("mode", &line.mode, {"fast", "exact"});
  reader.optional("extra", &line.extra);
  MORU_RETURN_IF_ERROR(reader.finish());
  return line;
}

std::string mistake(std::string_view text) {
  const auto line = read_line(text);
  return line ? "no mistake found" : line.error().message;
}

TEST(Config, FillsAStruct) {
  const auto line = read_line(
      "# a comment\nname: camera 1\nbatch: 8\nrate_hz: 1.5e2\ndurable: true\nlabels: [shirt, \"1\"]\nmode: exact\nextra: {a: 1}\n");
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_EQ(line->name, "camera 1");
  EXPECT_EQ(line->batch, 8);
  EXPECT_EQ(line->rate_hz, 150.0);
  EXPECT_TRUE(line->durable);
  EXPECT_THAT(line->labels, ElementsAre("shirt", "1"));
  EXPECT_EQ(line->mode, "exact");
  ASSERT_TRUE(line->extra.has_value());
  EXPECT_THAT(line->extra->keys(), ElementsAre("a"));
}

TEST(Config, LeavesDefaultsOfFieldsThatAreNotThere) {
  const auto line = read_line("name: x");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->batch, 1);
  EXPECT_EQ(line->rate_hz, 200.0);
  EXPECT_EQ(line->mode, "fast");
}

TEST(Config, UnknownFieldNamesItsLineAndTheNearestKnownOne) {
  EXPECT_EQ(mistake("name: x\n\nrate_hs: 3\n"),
            "line.yaml:3: found unknown field 'rate_hs' (did you mean 'rate_hz'?), expected one of name, batch, rate_hz, durable, labels, "
            "mode, extra");
  EXPECT_THAT(mistake("name: x\ncolour: red\n"), HasSubstr("line.yaml:2: found unknown field 'colour', expected one of"));
}

TEST(Config, MisspeltRequiredFieldIsExplainedByTheMisspelling) {
  EXPECT_THAT(mistake("nmae: x\n"), HasSubstr("line.yaml:1: found unknown field 'nmae' (did you mean 'name'?)"));
  EXPECT_EQ(mistake("batch: 2\n"), "line.yaml:1: found no field 'name', expected it");
}

TEST(Config, DuplicateFieldIsAMistake) {
  EXPECT_EQ(mistake("name: x\nname: y\n"), "line.yaml:2: found field 'name' twice, expected it once");
}

TEST(Config, WrongTypesSayWhatWasFoundAndExpected) {
  EXPECT_EQ(mistake("name: [a]"), "line.yaml:1: found a list, expected a text");
  EXPECT_EQ(mistake("name:"), "line.yaml:1: found nothing, expected a text");
  EXPECT_EQ(mistake("name: x\nbatch: many"), "line.yaml:2: found 'many', expected a whole number");
  EXPECT_EQ(mistake("name: x\nbatch: 1.5"), "line.yaml:2: found '1.5', expected a whole number");
  EXPECT_EQ(mistake("name: x\nbatch: \"3\""), "line.yaml:2: found '3', expected a whole number");
  EXPECT_EQ(mistake("name: x\nbatch: 99999999999999999999"), "line.yaml:2: found '99999999999999999999', expected a whole number");
  EXPECT_EQ(mistake("name: x\nrate_hz: {a: 1}"), "line.yaml:2: found a map, expected a number");
  for (const std::string_view number : {".nan", ".inf", "inf", "nan", "0x10", "1e999", "1 2", "+-1", "--1"}) {
    EXPECT_THAT(mistake("name: x\nrate_hz: " + std::string(number)), HasSubstr("expected a number")) << number;
  }
  EXPECT_EQ(mistake("name: x\ndurable: yes"), "line.yaml:2: found 'yes', expected true or false");
  EXPECT_EQ(mistake("name: x\nlabels: shirt"), "line.yaml:2: found 'shirt', expected a list of texts");
  EXPECT_EQ(mistake("name: x\nlabels:\n  - a\n  - [b]\n"), "line.yaml:4: found a list, expected a text");
  EXPECT_EQ(mistake("- a"), "line.yaml:1: found a list, expected a map of fields");
  EXPECT_THAT(mistake(""), HasSubstr("found nothing, expected a map of fields"));
}

TEST(Config, NumbersOutsideTheirRangeNameIt) {
  EXPECT_EQ(mistake("name: x\nbatch: 65"), "line.yaml:2: found '65', expected batch between 1 and 64");
  EXPECT_EQ(mistake("name: x\nrate_hz: 0"), "line.yaml:2: found '0', expected rate_hz of at least 0.001");
  EXPECT_EQ(read_line("name: x\nbatch: +64").value().batch, 64);
}

TEST(Config, ChoiceNamesTheWordsAndTheNearest) {
  EXPECT_EQ(mistake("name: x\nmode: exat"), "line.yaml:2: found 'exat', expected one of fast, exact (did you mean 'exact'?)");
}

TEST(Config, FirstMistakeIsTold) { EXPECT_THAT(mistake("name: x\nbatch: many\nrate_hz: often\n"), StartsWith("line.yaml:2:")); }

TEST(Config, BrokenYamlNamesTheLine) {
  EXPECT_THAT(mistake("name: x\nlabels: [a, b\n"), StartsWith("line.yaml:3: found "));
  EXPECT_THAT(mistake("name: x\n\tbatch: 1\n"), StartsWith("line.yaml:2: found "));
  EXPECT_THAT(mistake("name: *nowhere\n"), StartsWith("line.yaml:1: found "));
  EXPECT_THAT(mistake("name: x\n---\nname: y\n"), HasSubstr("found a second document, expected one a file"));
  EXPECT_THAT(mistake("? [a]\n: b\n"), HasSubstr("found a field name that is no word"));
}

TEST(Config, AliasesWorkButDoNotExplode) {
  const auto line = read_line("extra: &e {a: 1}\nlabels: [&w word, *w]\nname: *w\n");
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_THAT(line->labels, ElementsAre("word", "word"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  const auto object = ConfigObject::parse(bomb, "bomb.yaml");
  ASSERT_FALSE(object.has_value());
  EXPECT_EQ(object.error().code, ErrorCode::kResourceExhausted);
}

TEST(Config, AliasesOfALongTextDoNotExplode) {
  const std::string words(500'000, 'x');
  // As a value, and as the name of a field.
  for (const std::string& anchored : {words, "{? " + words + " : 1}"}) {
    std::string text = "a: &a " + anchored + "\nb: [*a";
    for (int i = 0; i < 1000; ++i) text += ", *a";
    const auto parsed = ConfigObject::parse(text + "]\n", "t");
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().message, HasSubstr("found aliases that make more than"));
  }
}

TEST(Config, ATextWithoutAnEndOfItsDocumentIsRefused) {
  for (const char* text : {",a", ",", "a: 1\n,b", "]", "}", "a: b\n]", "--- a\n--- b\n"}) {
    EXPECT_FALSE(ConfigObject::parse(text, "t").has_value()) << text;
  }
}

TEST(Config, AnAliasToItselfIsRefused) { EXPECT_FALSE(ConfigObject::parse("a: &a [*a]\n", "t").has_value()); }

TEST(Config, DepthAndSizeAreLimited) {
  const auto nested = [](std::size_t depth) { return ConfigObject::parse(std::string(depth, '[') + std::string(depth, ']'), "deep.yaml"); };
  EXPECT_TRUE(nested(32).has_value());
  ASSERT_FALSE(nested(40).has_value());
  EXPECT_EQ(nested(40).error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(nested(400'000).has_value());
  EXPECT_EQ(ConfigObject::parse(std::string((1U << 20U) + 1, ' '), "big.yaml").error().code, ErrorCode::kResourceExhausted);
}

TEST(Config, ManyFieldsTakeNoQuadraticTime) {
  std::string text;
  for (int i = 0; i < 90'000; ++i) text += fmt::format("f{}: 1\n", i);
  const auto object = ConfigObject::parse(text, "wide.yaml");  // the test's time limit judges
  ASSERT_TRUE(object.has_value()) << object.error().message;
  EXPECT_EQ(object->keys().size(), 90'000U);
}

TEST(Config, IsReadFromSeveralThreads) {
  const auto object = ConfigObject::parse("a: [1, 2, 3]\nb: {c: 5}\n", "t");
  ASSERT_TRUE(object.has_value());
  std::vector<std::jthread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&right, copy = *object] {
      for (int i = 0; i < 1000; ++i) {
        if (copy.find("a")->items().size() == 3 && copy.find("b")->find("c")->as_integer().value_or(0) == 5) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 4000);
}

TEST(Config, LoadNamesTheFile) {
  const auto folder = TempFolder::create("moru-config");
  ASSERT_TRUE(folder.has_value());
  const Path path = folder->path() / "x.yaml";
  ASSERT_TRUE(write_file_atomic(path, "a: 1\n").has_value());
  EXPECT_EQ(ConfigObject::load(path).value().find("a")->where(), path.string() + ":1");
  EXPECT_EQ(ConfigObject::load(folder->path() / "none").error().code, ErrorCode::kNotFound);
}

Result<Declared> declared(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const auto object, ConfigObject::parse(text, "s.yaml"));
  return read_declared(object, "Stream");
}

TEST(Declared, ReadsTheCommonHead) {
  const auto found = declared("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: line}\nspec: {x: 1}\n");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->kind, "Stream");
  EXPECT_EQ(found->name, "line");
  EXPECT_EQ(found->spec.find("x")->as_integer().value(), 1);
}

TEST(Declared, RefusesAnotherVersionKindOrShape) {
  EXPECT_THAT(declared("apiVersion: v2\nkind: Stream\nmetadata: {name: l}\nspec: {}\n").error().message,
              HasSubstr("s.yaml:1: found 'v2', expected one of moru.dev/v1"));
  EXPECT_THAT(declared("apiVersion: moru.dev/v1\nkind: Recipe\nmetadata: {name: l}\nspec: {}\n").error().message,
              HasSubstr("s.yaml:2: found 'Recipe', expected one of Stream"));
  EXPECT_THAT(declared("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: l}\n").error().message, HasSubstr("found no field 'spec'"));
  EXPECT_THAT(declared("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {nam: l}\nspec: {}\n").error().message,
              HasSubstr("did you mean 'name'?"));
  EXPECT_THAT(declared("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: l\nspec: {}\n").error().message,
              HasSubstr("found 'l', expected a map of fields"));
}

}  // namespace
}  // namespace moru
