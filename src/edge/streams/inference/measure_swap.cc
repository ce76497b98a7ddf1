// SPDX-License-Identifier: Apache-2.0
// measure_swap MODEL SECONDS: items at 1,000 a second through a model on the native engine, first left alone and then with a model swapped
// in 20 times a second, as one line of JSON. "p99_us" and "inference_us" (its p99) are of the first half; "after_swap_us" is the latest
// item of those that were the first of their model, "after_swap_p50_us" the median one and "others_p50_us" that of the others, "later" how
// many of them came later than p99 and one inference, "others_later" how many of the "others", behind which no swap stands; "missed" counts
// numbers that did not come through, "swaps" how often it did.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "core/json.h"
#include "edge/streams/inference/model_file.h"
#include "edge/streams/stage.h"
#include "edge/streams/stream.h"

namespace moru::edge {
namespace {

constexpr TimeNs kBetweenSwaps = 50 * kMillisecond;

/// What came through: of which model, and how late after it was due.
struct Passed {
  std::uint64_t sequence;
  std::int64_t release;
  TimeNs latency;
};
class Log final : public Resource {
 public:
  std::vector<Passed> passed;
  std::mutex mutex;
};

/// Puts the same tensor into each item.
class Signal final : public Stage {
 public:
  Status open(const StageContext& context) override {
    const auto slot = context.resource<ModelSlot>("model/line");
    model::Dims dims;
    for (const auto& dim : slot->take().current->session->inputs()[0].shape) dims.push_back(dim.known() ? dim.value : 1);
    MORU_ASSIGN_OR_RETURN(tensor_, model::Tensor::create(model::DType::kFloat32, std::move(dims)));
    return {};
  }
  Status process(Item&& item, Output& output) override {
    item.set("tensor", tensor_);
    output.emit(std::move(item));
    return {};
  }

 private:
  model::Tensor tensor_;
};

class Note final : public Stage {
 public:
  Status open(const StageContext& context) override {
    clock_ = context.clock;
    log_ = context.resource<Log>("log");
    return {};
  }
  Status process(Item&& item, Output&) override {
    const std::lock_guard lock(log_->mutex);
    log_->passed.push_back({item.sequence, *item.get<std::int64_t>("release"), clock_->steady_now() - item.emitted});
    return {};
  }

 private:
  Clock* clock_ = nullptr;
  std::shared_ptr<Log> log_;
};

template <class T>
Result<std::unique_ptr<Stage>> make(const ConfigObject&) {
  return std::make_unique<T>();
}
const StageSpec kSignal{.name = "signal", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Signal>, .light = true};
const StageSpec kNote{.name = "note", .kind = StageKind::kSink, .doc = "", .example = "", .create = make<Note>, .light = true};

constexpr std::string_view kStream = R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: swap}}
spec:
  stages:
    - {{name: source, stage: synthetic, options: {{rate_hz: 1000, items: {}}}}}
    - {{name: signal, stage: signal, inputs: [source]}}
    - {{name: infer, stage: infer, inputs: [signal], options: {{model: line, answer: values, max_batch: 8}}}}
    - {{name: note, stage: note, inputs: [infer]}}
)";

struct Run {
  std::vector<Passed> passed;
  InferenceStats stats;
};

Result<Run> run(const char* model, std::uint64_t items, bool swaps) {
  std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
  table.insert(table.end(), {&kSignal, &kNote});
  MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(fmt::format(kStream, items), "swap.yaml"));
  MORU_ASSIGN_OR_RETURN(const auto spec, read_stream(document, table));
  auto slot = std::make_shared<ModelSlot>();
  auto log = std::make_shared<Log>();
  log->passed.reserve(items);
  // Two that take turns: to load one takes a core for longer than everything here, whoever does it.
  std::array<std::shared_ptr<LoadedModel>, 2> models;
  for (std::size_t i = 0; i < models.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(models[i], load_model_file(model, "native"));
    models[i]->release = static_cast<std::int64_t>(i);
  }
  slot->swap(models[0]);
  Clock& clock = system_clock();
  StageContext context{.clock = &clock, .resources = {{"model/line", slot}, {"log", log}}, .stream = {}, .stop = {}};
  MORU_ASSIGN_OR_RETURN(const auto stream, Stream::start(spec, std::move(context)));
  for (std::size_t turn = 1; !stream->finished(); ++turn) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kBetweenSwaps));
    if (swaps) slot->swap(models[turn % models.size()]);
  }
  stream->stop();
  return Run{.passed = std::move(log->passed), .stats = slot->stats()};
}

TimeNs quantile(std::vector<TimeNs>& values, double share) {
  const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + rank);
  return values[static_cast<std::size_t>(rank)];
}

Status measure(const char* model, int seconds) {
  const auto items = static_cast<std::uint64_t>(seconds) * 1000;
  MORU_ASSIGN_OR_RETURN(const auto quiet, run(model, items, false));
  MORU_ASSIGN_OR_RETURN(const auto swapped, run(model, items, true));
  std::vector<TimeNs> latencies;
  for (const Passed& passed : quiet.passed) latencies.push_back(passed.latency);
  const TimeNs p99 = quantile(latencies, 0.99);
  const TimeNs inference = quiet.stats.p99_ns;
  std::uint64_t missed = items - swapped.passed.size();
  std::uint64_t later = 0;
  std::uint64_t others_later = 0;
  std::vector<TimeNs> firsts;
  std::vector<TimeNs> others;
  for (std::size_t i = 1; i < swapped.passed.size(); ++i) {
    if (swapped.passed[i].sequence != swapped.passed[i - 1].sequence + 1) ++missed;
    const bool is_late = swapped.passed[i].latency > p99 + inference;
    if (swapped.passed[i].release == swapped.passed[i - 1].release) {
      others_later += is_late ? 1 : 0;
      others.push_back(swapped.passed[i].latency);
      continue;
    }
    later += is_late ? 1 : 0;
    firsts.push_back(swapped.passed[i].latency);
  }
  if (firsts.empty()) return fail(ErrorCode::kInternal, "found no swap");
  const auto us = [](TimeNs ns) { return static_cast<double>(ns) / 1000.0; };
  fmt::print("{}\n", Json{{"p99_us", us(p99)},
                          {"inference_us", us(inference)},
                          {"after_swap_us", us(quantile(firsts, 1.0))},
                          {"after_swap_p50_us", us(quantile(firsts, 0.5))},
                          {"others_p50_us", us(quantile(others, 0.5))},
                          {"later", later},
                          {"swaps", firsts.size()},
                          {"others_later", others_later},
                          {"others", others.size()},
                          {"missed", missed}}
                         .dump());
  return {};
}

}  // namespace
}  // namespace moru::edge

int main(int argc, char** argv) {
  int seconds = 0;
  const std::string_view text = argc == 3 ? argv[2] : "";
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (seconds < 1) {
    fmt::print(stderr, "measure_swap MODEL SECONDS\n");
    return 2;
  }
  const auto status = moru::edge::measure(argv[1], seconds);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}
