// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/worker.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "core/json.h"
#include "core/random.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "runtime/measure/compare.h"
#include "runtime/worker/backend_worker.h"

namespace moru::runtime {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::Not;

const WorkerProgram kProgram = {MORU_WORKER};
constexpr TimeNs kLimit = 60 * kSecond;  // of a machine that is busy; nothing here comes near it
constexpr std::string_view kReference = "reference";

class Workers : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::setenv("MORU_BACKEND_PATH", "", 1), 0);
    auto folder = TempFolder::create("moru-worker");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
  }
  /// From now on ONNX Runtime's library is this one.
  static void use_hostile(std::string_view kind) { ::setenv("MORU_BACKEND_PATH", fmt::format("{}/{}", MORU_HOSTILE, kind).c_str(), 1); }
  static BackendInfo probe(TimeNs limit = kLimit) {
    const BackendSpec* one[] = {find_backend("onnxruntime")};
    return probe_backends(one, kProgram, limit).front();
  }
  Path save(std::string_view text) {
    auto graph = model::parse_text(text).value();
    EXPECT_TRUE(model::infer_shapes(graph).has_value());
    const Path path = folder_->path() / "net.onnx";
    EXPECT_TRUE(model::save_onnx(graph, path).has_value());
    return path;
  }
  Path model() { return save("graph \"g\" { opset 13 input x: float32[N, 4] y: float32[N, 4] = Relu(x) output y }"); }
  LoadRequest request(Path path, std::string_view backend = kReference) {
    return {.backend = std::string(backend), .model = std::move(path), .dims = {.named = {}, .others = 3}, .seed = 7};
  }
  static BackendWorker start(std::string_view backend = kReference) {
    return BackendWorker::start(kProgram, std::string(backend), kLimit).value();
  }

  std::optional<TempFolder> folder_;
};

TEST_F(Workers, EveryBackendSaysWhatItIs) {
  const auto infos = probe_backends(all_backends(), kProgram, kLimit);
  ASSERT_EQ(infos.size(), all_backends().size());
  for (std::size_t i = 0; i < infos.size(); ++i) {
    SCOPED_TRACE(all_backends()[i]->name);
    EXPECT_EQ(infos[i].available, infos[i].reason.empty());
    EXPECT_EQ(infos[i].available, !infos[i].devices.empty());
  }
}

TEST_F(Workers, ALibraryThatCrashesIsOneSentence) {
  use_hostile("crash");
  const auto info = probe();
  EXPECT_FALSE(info.available);
  EXPECT_THAT(info.reason, HasSubstr("backend onnxruntime: found its process ended by signal 11 (SIGSEGV) while loading its library"));
  EXPECT_THAT(info.reason, HasSubstr("its last words: 'about to touch?[31m what is not there'"));
  EXPECT_THAT(info.reason, Not(HasSubstr("\n")));
}

TEST_F(Workers, ALibraryThatHangsIsEnded) {
  use_hostile("hang");
  const auto info = probe(kSecond / 2);
  EXPECT_FALSE(info.available);
  EXPECT_THAT(info.reason, HasSubstr("backend onnxruntime: found no end of loading its library after 500"));
}

TEST_F(Workers, ALibraryThatThrowsOrExitsIsOneSentence) {
  use_hostile("throw");
  const auto thrown = probe();
  EXPECT_FALSE(thrown.available);
  EXPECT_THAT(thrown.reason, HasSubstr("no driver"));
  use_hostile("exit");
  EXPECT_THAT(probe().reason, HasSubstr("ended by exit code 3"));
}

TEST_F(Workers, WhatALibraryPrintsSpoilsNothing) {
  use_hostile("print");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto info = probe();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(info.available);
  EXPECT_THAT(info.reason, HasSubstr("is another library"));
}

TEST_F(Workers, OneThatHangsDoesNotDelayTheOthers) {
  use_hostile("hang");
  const auto infos = probe_backends(all_backends(), kProgram, 2 * kSecond);
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (all_backends()[i]->name != kReference) continue;
    EXPECT_TRUE(infos[i].available) << infos[i].reason;
  }
}

TEST_F(Workers, LoadsAndRunsAModel) {
  auto worker = start();
  const auto loaded = worker.load(request(model()));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_GT(loaded->load_ms, 0.0);
  EXPECT_EQ(loaded->device, "cpu");
  EXPECT_THAT(loaded->inputs, ElementsAre("x: float32 [N, 4]"));
  ASSERT_TRUE(worker.warm({.max_time = kSecond, .max_runs = 5}).has_value());
  const auto samples = worker.run({.max_time = kSecond, .max_runs = 20});
  ASSERT_TRUE(samples.has_value()) << samples.error().message;
  EXPECT_EQ(samples->size(), 20U);
  EXPECT_THAT(*samples, Each(Gt(0)));
  worker.pause();  // the next request wakes it
  EXPECT_EQ(worker.run({.max_time = 1, .max_runs = 20}).value().size(), 1U);
  const auto memory = worker.memory();
  ASSERT_TRUE(memory.has_value());
  EXPECT_GT(memory->idle_bytes, 1'000'000U);
}

TEST_F(Workers, AnswersToTheInputsOfASeed) {
  auto worker = start();
  ASSERT_TRUE(worker.load(request(model())).has_value());
  const auto outputs = worker.answer(11, kLimit);
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  Rng rng(11);
  const Port port{"x", model::DType::kFloat32, {{-1, "N"}, {4, ""}}};
  auto expected = random_inputs(std::span(&port, 1), 3, rng).value()[0];
  for (float& value : expected.mutable_data<float>()) value = std::max(value, 0.0F);
  ASSERT_EQ(outputs->size(), 1U);
  EXPECT_TRUE(same_bits(outputs->front(), expected));
}

TEST_F(Workers, PeakMemoryIsOverTheIdleProcess) {
  // 64 MiB of activations, which the process did not have before.
  const Path path = save("graph \"g\" { opset 13 input x: float32[N, 4194304] y: float32[N, 4194304] = Relu(x) output y }");
  auto worker = start();
  auto load = request(path);
  load.dims.others = 2;
  ASSERT_TRUE(worker.load(load).has_value());
  ASSERT_TRUE(worker.warm({.max_time = kSecond, .max_runs = 1}).has_value());
  const auto memory = worker.memory();
  ASSERT_TRUE(memory.has_value()) << memory.error().message;
  EXPECT_GT(memory->peak_bytes, std::uint64_t{64} << 20U);
}

TEST_F(Workers, ErrorsOfTheBackendAreItsOwnWords) {
  auto worker = start();
  EXPECT_EQ(worker.load(request(folder_->path() / "none.onnx")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(worker.run({}).error().code, ErrorCode::kInvalidArgument);
  auto named = request(model());
  named.dims.named["M"] = 2;
  EXPECT_THAT(worker.load(named).error().message, HasSubstr("dimension 'M'"));
  auto set = request(model());
  set.settings["speed"] = "high";
  EXPECT_THAT(worker.load(set).error().message, HasSubstr("unknown setting 'speed'"));
  EXPECT_TRUE(worker.load(request(model())).has_value());  // it lives on
}

TEST_F(Workers, ABatchThatTheModelHasNotIsRefused) {
  const Path fixed = save("graph \"g\" { opset 13 input x: float32[2, 4] y: float32[2, 4] = Relu(x) output y }");
  auto worker = start();
  auto load = request(fixed);
  EXPECT_THAT(worker.load(load).error().message, HasSubstr("batch 3: found inputs of fixed extents (x: float32 [2, 4])"));
  load.dims.others = 2;
  EXPECT_TRUE(worker.load(load).has_value());
  load.dims.others = 1;  // what people ask for who did not think of batches
  EXPECT_TRUE(worker.load(load).has_value());
}

TEST_F(Workers, OneThatIsKilledIsAnErrorNowAndLater) {
  auto worker = start();
  ASSERT_TRUE(worker.info().has_value());
  ASSERT_EQ(::kill(worker.pid(), SIGKILL), 0);
  const auto first = worker.load(request(model()));
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(first.error().message, HasSubstr("backend reference: found its process ended by signal 9 (SIGKILL) while loading the model"));
  EXPECT_THAT(worker.memory().error().message, HasSubstr("found its process ended before reading its memory"));
}

TEST_F(Workers, OneThatDoesNotAnswerIsKilled) {
  auto worker = BackendWorker::start(kProgram, std::string(kReference), kMillisecond).value();
  ASSERT_EQ(::kill(worker.pid(), SIGSTOP), 0);
  const auto info = worker.info();
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_NE(::kill(worker.pid(), 0), 0);
}

TEST_F(Workers, NonsenseIsNoAnswer) {
  auto worker = Worker::start("worker", {MORU_WORKER, "babbles"}).value();
  const auto answer = worker.request({{"do", "info"}}, "asking", kLimit);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kInternal);
  EXPECT_THAT(answer.error().message, HasSubstr("found 'this is no answer' while asking"));
}

TEST_F(Workers, UnknownRequestsAreNamed) {
  auto worker = Worker::start("worker", kProgram).value();
  EXPECT_THAT(worker.request({{"do", "dance"}}, "asking", kLimit).error().message, HasSubstr("'dance'"));
  EXPECT_THAT(worker.request({{"no", "do"}}, "asking", kLimit).error().message, HasSubstr("field 'do'"));
}

TEST_F(Workers, AProgramThatIsNoneIsAnError) {
  EXPECT_EQ(Worker::start("worker", {"no-such-program-here"}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace moru::runtime
