// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/choices.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "core/json.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using testing::HasSubstr;

BenchmarkRow row(std::string backend, TimeNs p50, bool ok = true) {
  BenchmarkRow one{.model = "a.onnx", .backend = std::move(backend)};
  one.latency = Latency{.runs = 30, .p50 = p50};
  one.ok = ok;
  return one;
}

class ChoicesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::setenv("MORU_BACKEND_PATH", "", 1), 0);
    auto folder = TempFolder::create("moru-choices");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
  }
  Path file() const { return folder_->path() / "bench" / "choices.json"; }
  static ChoiceKey key(std::string model) { return {.model = std::move(model), .machine = "cpu", .backends = "a 1", .dims = ""}; }

  std::optional<TempFolder> folder_;
};

TEST_F(ChoicesTest, AreThereAfterASave) {
  auto choices = Choices::load(file()).value();
  EXPECT_EQ(choices.find(key("m")), nullptr);
  choices.remember({.key = key("m"), .row = row("openvino", 100), .when = "then"});
  choices.remember({.key = key("m"), .row = row("litert", 50), .when = "now"});
  ASSERT_TRUE(choices.save().has_value());
  const auto again = Choices::load(file()).value();
  const Choice* found = again.find(key("m"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->row.backend, "litert");
  EXPECT_EQ(found->when, "now");
  EXPECT_EQ(again.find(key("n")), nullptr);
  auto other = key("m");
  other.backends = "a 2";
  EXPECT_EQ(again.find(other), nullptr);
  other = key("m");
  other.threads = 2;
  EXPECT_EQ(again.find(other), nullptr);
}

TEST_F(ChoicesTest, AreNotMoreThanAThousand) {
  auto choices = Choices::load(file()).value();
  for (int i = 0; i < 1001; ++i) choices.remember({.key = key(std::to_string(i)), .row = row("a", 1), .when = ""});
  EXPECT_EQ(choices.find(key("0")), nullptr);
  EXPECT_NE(choices.find(key("1")), nullptr);
  EXPECT_NE(choices.find(key("1000")), nullptr);
}

TEST_F(ChoicesTest, ADamagedFileIsNamed) {
  ASSERT_TRUE(make_folders(file().parent_path()).has_value());
  for (const char* text : {"no json", "[]", "{\"version\": 2, \"choices\": []}", "{\"version\": 1, \"choices\": [7]}"}) {
    ASSERT_TRUE(write_file_atomic(file(), text).has_value());
    const auto choices = Choices::load(file());
    ASSERT_FALSE(choices.has_value()) << text;
    EXPECT_EQ(choices.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(choices.error().message, HasSubstr("choices.json"));
    EXPECT_THAT(choices.error().message, HasSubstr("remove it"));
  }
}

TEST_F(ChoicesTest, TheFastestIsOneThatIsRight) {
  EXPECT_EQ(fastest({}), nullptr);
  const std::vector<BenchmarkRow> rows = {row("a", 30), row("b", 10, false), row("c", 20), {.model = "a.onnx", .backend = "d", .ok = true}};
  EXPECT_EQ(fastest(rows)->backend, "c");
  EXPECT_EQ(fastest({row("b", 10, false)}), nullptr);
}

TEST_F(ChoicesTest, AutoMeasuresOnceAndRemembers) {
  auto graph = model::parse_text("graph \"g\" { opset 13 input x: float32[N, 4] y = Relu(x) output y }").value();
  ASSERT_TRUE(model::infer_shapes(graph).has_value());
  BenchmarkModel model{"a.onnx", model::write_onnx(graph).value()};
  BenchmarkOptions options{.program = {MORU_WORKER}};
  options.min_time = 10 * kMillisecond;
  AutoOptions how{.choices = file()};
  how.only_remembered = true;
  const auto unknown = choose_fastest(model, options, how);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("moru bench a.onnx --backend auto --threads 1 --batch 1"));
  how.only_remembered = false;
  const auto first = choose_fastest(model, options, how);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_EQ(first->size(), 1U);
  EXPECT_FALSE((*first)[0].remembered);
  EXPECT_TRUE((*first)[0].row.ok) << (*first)[0].row.reason;
  EXPECT_NE((*first)[0].row.backend, "reference");
  model.name = "b.onnx";
  const auto second = choose_fastest(model, options, how);
  EXPECT_TRUE((*second)[0].remembered);
  EXPECT_EQ((*second)[0].row.model, "b.onnx");
  EXPECT_EQ((*second)[0].row.latency->p50, (*first)[0].row.latency->p50);
  how.fresh = true;
  EXPECT_FALSE(choose_fastest(model, options, how).value()[0].remembered);
  how.fresh = false;
  model.bytes = "no model";  // another digest, and nobody runs it
  const auto none = choose_fastest(model, options, how);
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ((*none)[0].row.backend, "auto");
  EXPECT_FALSE((*none)[0].row.ok);
  EXPECT_THAT((*none)[0].row.reason,
              testing::AllOf(HasSubstr("found no backend that runs it rightly ("), HasSubstr("onnxruntime: load model: ")));
}

TEST_F(ChoicesTest, NoBackendBesideTheReferenceIsSaid) {
  ::setenv("MORU_BACKEND_PATH", fmt::format("{}/crash", MORU_HOSTILE).c_str(), 1);
  const auto chosen = choose_fastest({"a.onnx", "bytes"}, {.program = {MORU_WORKER}}, {.choices = file()});
  // Where other backends than ONNX Runtime are here, they are asked, and refuse these bytes.
  EXPECT_TRUE(chosen ? !chosen->front().row.ok : chosen.error().code == ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace moru::runtime
