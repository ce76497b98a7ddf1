// SPDX-License-Identifier: Apache-2.0
// `moru stream` and `moru stages` as a user runs them, with a real model in a real backend.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "trust/keys.h"
#include "wire/http.h"

namespace moru::cli {
namespace {

using ::testing::HasSubstr;

constexpr int kClasses = 10;  // an image of class c is 4 x 4 pixels of 25 * c

struct StreamRun {
  int code = -1;
  std::string output;  ///< stdout
};

StreamRun run_moru(const std::vector<std::string>& arguments, bool with_stderr = false) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", with_stderr ? "exec \"$0\" \"$@\" 2>&1" : "exec \"$0\" \"$@\"", MORU_PROGRAM};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  const auto run = run_and_capture(options, 60 * kSecond);
  if (!run) {
    ADD_FAILURE() << run.error().message;
    return {};
  }
  return {run->status.code, run->output};
}

class StreamCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string images("\0\0\x08\x03\0\0\0\x28\0\0\0\x04\0\0\0\x04", 16);
    std::string labels("\0\0\x08\x01\0\0\0\x28", 8);
    for (int i = 0; i < 40; ++i) {
      images.append(16, static_cast<char>(25 * (i % kClasses)));
      labels.push_back(static_cast<char>(i % kClasses));
    }
    std::ofstream(path("t10k-images-idx3-ubyte"), std::ios::binary) << images;
    std::ofstream(path("t10k-labels-idx1-ubyte"), std::ios::binary) << labels;
    write("line.yaml", R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: line}
spec:
  stages:
    - {name: camera, stage: idx_replay, options: {folder: ${data}, items: ${items}, swap_fraction: 0.3}}
    - {name: tensor, stage: image_to_tensor, inputs: [camera], options: {model: line}}
    - {name: infer, stage: infer, inputs: [tensor], options: {model: line, reference: order}}
    - {name: compare, stage: compare_order, inputs: [infer]}
    - {name: results, stage: write_json, inputs: [compare], options: {path: ${results}}}
    - {name: hub, stage: hub, inputs: [compare]}
)");
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write(const std::string& name, std::string_view bytes) const { ASSERT_TRUE(write_file_atomic(path(name), bytes)); }

  /// Gives the class whose grey m is nearest to the image's grey g: 2 g m - m^2 is largest there. Normalised by 0.5, 0.5.
  std::string onnx() const {
    std::string weights;
    std::string biases;
    for (int c = 0; c < kClasses; ++c) {
      const double m = 25.0 * c / 255.0;
      // g = 0.5 * mean of the 16 inputs + 0.5
      biases += fmt::format("{}{:.9g}", c == 0 ? "" : ", ", 4000.0 * (m - m * m));
    }
    for (int pixel = 0; pixel < 16; ++pixel) {
      for (int c = 0; c < kClasses; ++c) weights += fmt::format("{}{:.9g}", weights.empty() ? "" : ", ", 4000.0 * 25.0 * c / 255.0 / 16.0);
    }
    auto graph = model::parse_text(fmt::format(R"(graph "grey" {{
  opset 13
  input image: float32[N, 1, 4, 4]
  init w = float32[16, 10] {{{}}}
  init b = float32[10] {{{}}}
  f = Flatten(image)
  logits = Gemm(f, w, b)
  output logits
}})",
                                               weights, biases));
    EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
    EXPECT_TRUE(model::infer_shapes(*graph).has_value());
    EXPECT_TRUE(model::save_onnx(*graph, path("grey.onnx")).has_value());
    return *read_file(path("grey.onnx"));
  }

  void write_bundle() const {
    const auto key = trust::SigningKey::generate();
    ASSERT_TRUE(key);
    model::ModelCard card;
    card.name = "grey";
    card.task = "image classification";
    card.inputs = {{"image", "float32", {{-1, "N"}, {1, ""}, {4, ""}, {4, ""}}}};
    card.outputs = {{"logits", "float32", {{-1, "N"}, {10, ""}}}};
    for (int c = 0; c < kClasses; ++c) card.labels.push_back(fmt::format("grey {}", c));
    card.mean = 0.5;
    card.std = 0.5;
    card.activation = "softmax";
    card.alert_threshold = 0.5;
    model::BundleHeader header;
    header.name = "grey";
    header.version = 7;
    header.created = "2026-11-23T10:00:00Z";
    header.card = model::write_card(card);
    header.files = {{.name = "model.onnx", .target = "any", .format = "onnx"}};
    const auto bytes = model::write_bundle(header, {onnx()}, [&](std::string_view message) { return key->sign(message); });
    ASSERT_TRUE(bytes) << bytes.error().message;
    write("grey.moru", *bytes);
    write("key.pem", key->public_key().to_pem());
  }
  std::vector<std::string> run_arguments() const {
    return {"stream",
            "run",
            path("line.yaml"),
            "--set",
            "data=" + folder_.path().string(),
            "--set",
            "results=" + path("results.jsonl"),
            "--set",
            "items=200",
            "--outbox",
            path("outbox"),
            "--format",
            "json"};
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-stream"));
};

TEST_F(StreamCommand, RunsASignedModelAndFindsEveryDefect) {
  write_bundle();
  auto arguments = run_arguments();
  arguments.insert(arguments.end(), {"--model", path("grey.moru"), "--key", path("key.pem")});
  const auto run = run_moru(arguments);
  ASSERT_EQ(run.code, 0) << run.output;
  const auto report = parse_json(run.output, "stdout");
  ASSERT_TRUE(report) << run.output;
  EXPECT_EQ((*report)["state"], "finished");
  EXPECT_EQ((*report)["items"], 200);
  EXPECT_EQ((*report)["missed"], 0);
  EXPECT_EQ((*report)["last_error"], "");
  for (const auto& link : (*report)["ledger"]) EXPECT_EQ(link["in"], 200) << link.dump();
  int swapped = 0;
  const auto text = read_file(path("results.jsonl"));
  ASSERT_TRUE(text);
  const auto lines = split(trim(*text), '\n');
  ASSERT_EQ(lines.size(), 200U);
  for (const auto line : lines) {
    const auto item = parse_json(line, "results.jsonl");
    ASSERT_TRUE(item);
    EXPECT_EQ((*item)["class"], (*item)["truth"]);
    EXPECT_EQ((*item)["release"], 7);
    const bool wrong = (*item)["order"] != (*item)["truth"];
    EXPECT_EQ((*item)["alert"], wrong ? 1 : 0) << line;
    swapped += wrong ? 1 : 0;
  }
  EXPECT_GT(swapped, 30);
  EXPECT_LT(swapped, 90);
}

TEST_F(StreamCommand, RefusesABundleOfAnotherKey) {
  write_bundle();
  write("key.pem", trust::SigningKey::generate()->public_key().to_pem());
  auto arguments = run_arguments();
  arguments.insert(arguments.end(), {"--model", path("grey.moru"), "--key", path("key.pem")});
  EXPECT_EQ(run_moru(arguments, true).code, 2);
}

TEST_F(StreamCommand, SaysThatAModelIsNeeded) {
  const auto run = run_moru(run_arguments(), true);
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.output, HasSubstr("--model BUNDLE --key PEM"));
}

TEST_F(StreamCommand, CheckFindsParametersAndMistakes) {
  EXPECT_THAT(run_moru({"stream", "check", path("line.yaml")}, true).output, HasSubstr("line.yaml:6: found parameter 'data'"));
  const auto whole = run_moru({"stream", "check", path("line.yaml"), "--set", "data=x", "--set", "results=y", "--set", "items=5"}, true);
  EXPECT_EQ(whole.code, 0) << whole.output;
  const auto wrong = run_moru({"stream", "check", path("line.yaml"), "--set", "data=x", "--set", "results=y", "--set", "items=many"}, true);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.output, HasSubstr("found 'many', expected a whole number"));
}

TEST_F(StreamCommand, CheckDrawsTheStreamAndSaysWhatEachLinkHas) {
  write("averages.yaml", R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: averages}
spec:
  stages:
    - {name: sensors, stage: synthetic, options: {keys: 3, items: 3000, unit: degC}}
    - {name: warm, stage: filter, inputs: [sensors], options: {where: value > 20}}
    - {name: second, stage: window, inputs: [warm], options: {size_ms: 1000, key: [device], set: {average: mean(value)}}}
    - {name: results, stage: write_json, inputs: [second], options: {path: ${results}}}
)");
  const std::vector<std::string> file = {path("averages.yaml"), "--set", "results=" + path("averages.jsonl")};
  auto arguments = std::vector<std::string>{"stream", "check"};
  arguments.insert(arguments.end(), file.begin(), file.end());
  arguments.insert(arguments.end(), {"--svg", path("averages.svg"), "--format", "json"});
  const auto check = run_moru(arguments);
  ASSERT_EQ(check.code, 0) << check.output;
  const auto report = parse_json(check.output, "stdout");
  ASSERT_TRUE(report);
  EXPECT_EQ((*report)["stages"][2]["outputs"]["out"]["fields"]["average"], "double degC");
  EXPECT_THAT(*read_file(path("averages.svg")), HasSubstr("second (window)"));

  arguments = {"stream", "run"};
  arguments.insert(arguments.end(), file.begin(), file.end());
  arguments.insert(arguments.end(), {"--state", path("state")});
  const auto run = run_moru(arguments, true);
  ASSERT_EQ(run.code, 0) << run.output;
  const auto ledger = run_moru({"stream", "ledger", path("state")}, true);
  EXPECT_EQ(ledger.code, 0) << ledger.output;
  EXPECT_THAT(ledger.output, HasSubstr("sensors->warm                   3000        3000"));
  EXPECT_THAT(ledger.output, HasSubstr("(filtered)"));

  auto state = *parse_json(*read_file(path("state/state.json")), "state");
  state["stages"][1]["balanced"] = false;
  write("state.json", state.dump());
  const auto wrong = run_moru({"stream", "ledger", path("state.json")}, true);
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("the counts of 'warm' do not add up"));
  write("state.json", "[1]");
  EXPECT_EQ(run_moru({"stream", "ledger", path("state.json")}, true).code, 2);
}

TEST_F(StreamCommand, ARunningStreamIsSeenFromOutside) {
  write("endless.yaml", R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: endless}
spec:
  stages:
    - {name: sensors, stage: synthetic, options: {keys: 2, rate_hz: 2000}}
    - {name: hot, stage: filter, inputs: [sensors], options: {where: value > 20}}
    - {name: end, stage: "null", inputs: [hot]}
)");
  EXPECT_EQ(run_moru({"stream", "top", path("state"), "--once"}, true).code, 4);  // nothing runs yet
  const auto port = free_port();
  ASSERT_TRUE(port);
  ProcessOptions options;
  options.arguments = {MORU_PROGRAM, "stream",      "run",       path("endless.yaml"),
                       "--state",    path("state"), "--metrics", fmt::format("127.0.0.1:{}", *port),
                       "--log",      "json"};
  options.output_file = path("run.txt");
  auto process = Process::start(options);
  ASSERT_TRUE(process) << process.error().message;
  // The socket is there before the page; both when that answers.
  wire::HttpOptions http;
  http.plain = true;
  const auto url = fmt::format("http://127.0.0.1:{}/metrics", *port);
  auto page = wire::http_get(url, http);
  while (!page && !process->poll()) page = wire::http_get(url, http);
  ASSERT_TRUE(page) << *read_file(path("run.txt"));
  EXPECT_THAT(page->body, HasSubstr("moru_stream_items_total{stream=\"endless\"} "));

  const auto top = run_moru({"stream", "top", path("state"), "--once", "--interval", "0.2", "--format", "json"});
  EXPECT_EQ(top.code, 0);
  const auto report = parse_json(top.output, "stdout");
  ASSERT_TRUE(report);
  EXPECT_GT((*report)["stages"][1]["consumed_per_second"].get<double>(), 0.0);
  EXPECT_TRUE((*report)["stages"][1].contains("busy_p99_us"));
  EXPECT_THAT(run_moru({"stream", "top", path("state"), "--once", "--interval", "0.05"}).output, HasSubstr("hot->end"));

  const auto tap = run_moru({"stream", "tap", path("state"), "sensors->hot", "--items", "3"});
  EXPECT_EQ(tap.code, 0);
  const auto lines = split(trim(tap.output), '\n');
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(parse_json(lines[2], "line")->contains("value"));
  const auto unknown = run_moru({"stream", "tap", path("state"), "sensors->ht"}, true);
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.output, HasSubstr("did you mean 'sensors->hot'"));
  EXPECT_THAT(run_moru({"stream", "run", path("endless.yaml"), "--state", path("state")}, true).output,
              HasSubstr("another stream at work"));

  process->send_signal(SIGINT);
  EXPECT_EQ(process->wait_for(20 * kSecond)->code, 130);
  EXPECT_EQ(run_moru({"stream", "ledger", path("state")}).code, 0);
}

TEST_F(StreamCommand, GoesOnWhereItsStateCannotBeWritten) {
  write("short.yaml", fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: short}}
spec:
  stages:
    - {{name: sensors, stage: synthetic, options: {{rate_hz: 1000, items: 1500}}}}
    - {{name: end, stage: write_json, inputs: [sensors], options: {{path: {}}}}}
)",
                                  path("short.jsonl")));
  std::filesystem::create_directories(path("state/state.json"));
  const auto done = run_moru({"stream", "run", path("short.yaml"), "--state", path("state")}, true);
  EXPECT_NE(done.code, 0);  // the last state was asked for, and is not there
  EXPECT_EQ(done.output.find("state not written"), done.output.rfind("state not written")) << done.output;
  EXPECT_THAT(done.output, HasSubstr("state not written, the stream goes on"));
  const auto lines = *read_file(path("short.jsonl"));
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1500);
}

TEST_F(StreamCommand, FollowsItsFileWhereThatIsRight) {
  const auto file = [&](const std::string& name, const std::string& stage, const std::string& set) {
    write("watched.yaml", fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: {}}}
spec:
  stages:
    - {{name: sensors, stage: synthetic, options: {{keys: 2, rate_hz: 500}}}}
    - {{name: mark, stage: {}, inputs: [sensors], options: {{set: {{mark: {}}}}}}}
    - {{name: end, stage: write_json, inputs: [mark], options: {{path: {}}}}}
)",
                                      name, stage, set, path("out.jsonl")));
  };
  file("watched", "map", "1");
  ProcessOptions options;
  options.arguments = {MORU_PROGRAM, "stream", "run", path("watched.yaml"), "--watch", "--format", "json"};
  options.output_file = path("run.txt");
  auto process = Process::start(options);
  ASSERT_TRUE(process) << process.error().message;
  const auto wait_for = [&](const std::string& name, const std::string& text) {
    const TimeNs deadline = system_clock().steady_now() + 30 * kSecond;
    while (system_clock().steady_now() < deadline && !process->poll()) {
      const auto bytes = read_file(path(name));
      if (bytes && bytes->contains(text)) return true;
    }
    return false;
  };
  ASSERT_TRUE(wait_for("out.jsonl", "\"mark\":1"));
  file("watched", "mapp", "2");
  EXPECT_TRUE(wait_for("run.txt", "goes on as before, its file has mistakes"));
  file("other", "map", "2");
  EXPECT_TRUE(wait_for("run.txt", "expected 'watched'"));
  file("watched", "map", "3");
  EXPECT_TRUE(wait_for("out.jsonl", "\"mark\":3"));
  process->send_signal(SIGINT);
  EXPECT_EQ(process->wait_for(20 * kSecond)->code, 130);
  // Each item of each of them is there once, and what the first made is whole.
  std::map<int, std::vector<std::uint64_t>> numbers;
  const auto lines = *read_file(path("out.jsonl"));
  for (const auto line : split(trim(lines), '\n')) {
    const auto item = *parse_json(line, "line");
    numbers[item["mark"].get<int>()].push_back(item["seq"].get<std::uint64_t>());
  }
  EXPECT_EQ(numbers.size(), 2U);
  for (const auto& [mark, seen] : numbers) {
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1) << mark;
  }
  EXPECT_THAT(*read_file(path("run.txt")), HasSubstr(fmt::format("\"items\": {}", numbers[3].size())));
}

TEST_F(StreamCommand, ReplaysWhatItRecorded) {
  write("averages.yaml", R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: averages}
spec:
  stages:
    - {name: sensors, stage: synthetic, options: {keys: 3, items: 300, unit: degC}}
    - {name: second, stage: window, inputs: [sensors], options: {size_ms: 20, key: [device], set: {average: mean(value)}}}
    - {name: results, stage: write_json, inputs: [second], options: {path: ${results}}}
)");
  const auto run = [&](std::vector<std::string> arguments, const std::string& results) {
    arguments.insert(arguments.end(), {path("averages.yaml"), "--set", "results=" + path(results)});
    return run_moru(arguments, true);
  };
  const auto recorded = run({"stream", "record", "--out", path("tape")}, "live.jsonl");
  ASSERT_EQ(recorded.code, 0) << recorded.output;
  const auto replayed = run({"stream", "replay", "--from", path("tape"), "--speed", "max"}, "again.jsonl");
  ASSERT_EQ(replayed.code, 0) << replayed.output;
  EXPECT_THAT(replayed.output, HasSubstr("items    300"));
  EXPECT_EQ(*read_file(path("live.jsonl")), *read_file(path("again.jsonl")));

  EXPECT_THAT(run({"stream", "record", "--out", path("tape")}, "live.jsonl").output, HasSubstr("found a file of that name"));
  EXPECT_THAT(run({"stream", "replay", "--from", path("tape"), "--speed", "fast"}, "again.jsonl").output,
              HasSubstr("--speed: found 'fast', expected a number above 0, or max"));
  EXPECT_EQ(run({"stream", "replay", "--from", path("averages.yaml")}, "again.jsonl").code, 2);
  write("torn", read_file(path("tape"))->substr(0, 2000));
  const auto torn = run({"stream", "replay", "--from", path("torn")}, "again.jsonl");
  EXPECT_EQ(torn.code, 0) << torn.output;
  EXPECT_THAT(torn.output, HasSubstr("are no whole record and were left out"));
}

TEST(StagesCommand, ListsAndShows) {
  const auto all = run_moru({"stages", "--format", "json"});
  ASSERT_EQ(all.code, 0);
  EXPECT_GE(parse_json(all.output, "stdout")->size(), 6U);
  EXPECT_THAT(run_moru({"stages", "infer"}).output, HasSubstr("kind: Stream"));
  const auto unknown = run_moru({"stages", "infr"}, true);
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.output, HasSubstr("did you mean 'infer'"));
}

}  // namespace
}  // namespace moru::cli
