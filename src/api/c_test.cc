// SPDX-License-Identifier: Apache-2.0
// The C interface from outside: nothing of Moru's own is included or linked but libmoru.so.
#include <gmock/gmock.h>
#include <moru/c.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "c11_for_test.h"
#include "core/sanitized_for_test.h"

namespace {
std::atomic<std::int64_t> allocations = 0;
}  // namespace

// Sanitizers have an allocator of their own.
#if !MORU_SANITIZED
extern "C" {
void* __libc_malloc(size_t size);  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming): glibc's own
[[gnu::visibility("default")]] void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
}
#endif

namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Free {
  void operator()(moru_session* session) const { moru_free(session); }
};
using Session = std::unique_ptr<moru_session, Free>;

std::string path_of(const char* model) { return std::string(MORU_API_MODELS) + "/" + model; }

std::string bytes_of(const char* model) {
  std::ifstream file(path_of(model), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Session load(const char* model, const moru_options* options = nullptr) {
  moru_session* session = nullptr;
  moru_error error;
  EXPECT_EQ(moru_load_file(path_of(model).c_str(), options, &session, &error), MORU_OK) << error.message;
  return Session(session);
}

template <class T>
moru_const_buffer in(const std::vector<T>& values, moru_dtype dtype) {
  return {values.data(), values.size() * sizeof(T), dtype};
}
template <class T>
moru_buffer out(std::vector<T>& values, moru_dtype dtype) {
  return {values.data(), values.size() * sizeof(T), dtype};
}

std::vector<std::int64_t> dims_of(const std::int64_t* dims, std::size_t rank) { return {dims, dims + rank}; }

TEST(C, TellsItsVersionAndNames) {
  EXPECT_STREQ(moru_version(), MORU_VERSION);
  EXPECT_EQ(std::string(MORU_VERSION),
            std::to_string(MORU_VERSION_MAJOR) + "." + std::to_string(MORU_VERSION_MINOR) + "." + std::to_string(MORU_VERSION_PATCH));
  EXPECT_STREQ(moru_code_name(MORU_OK), "ok");
  EXPECT_STREQ(moru_code_name(MORU_INTERNAL), "internal");
  EXPECT_STREQ(moru_code_name(-1), "unknown");
  EXPECT_STREQ(moru_code_name(11), "unknown");
  EXPECT_STREQ(moru_dtype_name(MORU_FLOAT32), "float32");
  EXPECT_STREQ(moru_dtype_name(MORU_INT4), "int4");
  EXPECT_STREQ(moru_dtype_name(8), "unknown") << "strings";
  EXPECT_STREQ(moru_dtype_name(0), "unknown");
}

TEST(C, DescribesAModelAndTheMemoryItNeeds) {
  const Session session = load("dense.onnx");
  ASSERT_EQ(moru_input_count(session.get()), 1);
  ASSERT_EQ(moru_output_count(session.get()), 1);
  const moru_port& x = *moru_input(session.get(), 0);
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(x.dtype, MORU_FLOAT32);
  EXPECT_THAT(dims_of(x.dims, x.rank), ElementsAre(-1, 4));
  EXPECT_STREQ(x.dim_names[0], "N");
  EXPECT_STREQ(x.dim_names[1], "");
  EXPECT_THAT(dims_of(x.bound_dims, x.rank), ElementsAre(1, 4));
  EXPECT_EQ(x.size_bytes, 16);
  EXPECT_STREQ(moru_output(session.get(), 0)->name, "y");
  EXPECT_EQ(moru_output(session.get(), 0)->size_bytes, 8);
  EXPECT_EQ(moru_input(session.get(), 1), nullptr);
  const moru_memory* memory = moru_memory_need(session.get());
  ASSERT_NE(memory, nullptr);
  EXPECT_GE(memory->weight_bytes, 40) << "4 x 2 weights and 2 biases";
  EXPECT_EQ(moru_memory_need(Session(load("open.onnx",
                                          [] {
                                            static moru_options reference = MORU_OPTIONS;
                                            reference.backend = "reference";
                                            return &reference;
                                          }()))
                                 .get()),
            nullptr);
}

TEST(C, RunsFromAndIntoTheCallersMemory) {
  const Session session = load("dense.onnx");
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y = {-1, -1};
  const auto from = in(x, MORU_FLOAT32);
  const auto to = out(y, MORU_FLOAT32);
  moru_error error;
  ASSERT_EQ(moru_run(session.get(), &from, 1, &to, 1, &error), MORU_OK) << error.message;
  EXPECT_EQ(error.code, MORU_OK);
  EXPECT_STREQ(error.message, "");
  EXPECT_THAT(y, ElementsAre(10.5F, 0));
  const auto before = allocations.load();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(moru_run(session.get(), &from, 1, &to, 1, nullptr), MORU_OK);
  EXPECT_EQ(allocations.load(), before);
}

TEST(C, BoundShapesHoldForTheRunsThatFollow) {
  const Session session = load("dense.onnx");
  const std::int64_t dims[] = {3, 4};
  const moru_shape shape = {dims, 2};
  moru_error error;
  ASSERT_EQ(moru_bind(session.get(), &shape, 1, &error), MORU_OK) << error.message;
  EXPECT_EQ(moru_input(session.get(), 0)->size_bytes, 48);
  EXPECT_THAT(dims_of(moru_output(session.get(), 0)->bound_dims, 2), ElementsAre(3, 2));
  const std::vector<float> x(12, -1);
  std::vector<float> y(6);
  const auto from = in(x, MORU_FLOAT32);
  const auto to = out(y, MORU_FLOAT32);
  const auto before = allocations.load();
  ASSERT_EQ(moru_run(session.get(), &from, 1, &to, 1, &error), MORU_OK) << error.message;
  EXPECT_EQ(allocations.load(), before) << "the first run after moru_bind(), too";
  EXPECT_THAT(y, ElementsAre(0, 4, 0, 4, 0, 4));
}

TEST(C, AShapeThatDoesNotFitLeavesAllAsItWas) {
  const Session session = load("dense.onnx");
  const std::int64_t wide[] = {1, 5};
  const std::int64_t negative[] = {-1, 4};
  const std::int64_t huge[] = {INT64_MAX / 2, 4};
  const moru_shape shapes[] = {{wide, 2}, {negative, 2}, {huge, 2}, {wide, 1}, {wide, SIZE_MAX}, {nullptr, 2}};
  for (const moru_shape& shape : shapes) {
    moru_error error;
    EXPECT_THAT(moru_bind(session.get(), &shape, 1, &error), AnyOf(MORU_INVALID_ARGUMENT, MORU_RESOURCE_EXHAUSTED));
    EXPECT_THAT(error.message, StartsWith("bind: "));
  }
  EXPECT_EQ(moru_bind(session.get(), shapes, 2, nullptr), MORU_INVALID_ARGUMENT);
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(2);
  const auto from = in(x, MORU_FLOAT32);
  const auto to = out(y, MORU_FLOAT32);
  EXPECT_EQ(moru_run(session.get(), &from, 1, &to, 1, nullptr), MORU_OK);
  EXPECT_THAT(y, ElementsAre(10.5F, 0));
}

TEST(C, WhatOneIsTooSmallForRunsOnceItIsBound) {
  const Session session = load("window.onnx");
  EXPECT_EQ(moru_output(session.get(), 0)->size_bytes, 0);
  EXPECT_EQ(moru_memory_need(session.get()), nullptr);
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(1);
  const auto from = in(x, MORU_FLOAT32);
  const auto to = out(y, MORU_FLOAT32);
  moru_error error;
  EXPECT_NE(moru_run(session.get(), &from, 1, &to, 1, &error), MORU_OK);
  EXPECT_THAT(error.message, StartsWith("run: shapes are not bound: "));
  const std::int64_t dims[] = {1, 1, 2, 2};
  const moru_shape shape = {dims, 4};
  ASSERT_EQ(moru_bind(session.get(), &shape, 1, &error), MORU_OK) << error.message;
  EXPECT_NE(moru_memory_need(session.get()), nullptr);
  ASSERT_EQ(moru_run(session.get(), &from, 1, &to, 1, &error), MORU_OK) << error.message;
  EXPECT_THAT(y, ElementsAre(4));
}

TEST(C, AnOutputThatOnlyARunKnowsIsRefusedByIt) {
  moru_session* loaded = nullptr;
  moru_error error;
  ASSERT_EQ(load_from_c(path_of("open.onnx").c_str(), "reference", &loaded, &error), MORU_OK) << error.message;
  const Session session(loaded);
  EXPECT_THAT(dims_of(moru_output(loaded, 0)->bound_dims, 2), ElementsAre(1, -1));
  const std::vector<float> x = {1, 0, 3, 4};
  std::vector<std::int64_t> y(3);
  const auto from = in(x, MORU_FLOAT32);
  const auto to = out(y, MORU_INT64);
  EXPECT_EQ(moru_run(loaded, &from, 1, &to, 1, &error), MORU_UNSUPPORTED);
  EXPECT_THAT(error.message, HasSubstr("'y'"));
}

TEST(C, LevelsAreTheSameFromOnnxAndTflite) {
  for (const char* model : {"levels.onnx", "levels.tflite"}) {
    for (const char* backend : {"native", "reference"}) {
      moru_options options = MORU_OPTIONS;
      options.backend = backend;
      const std::string bytes = bytes_of(model);
      moru_session* loaded = nullptr;
      moru_error error;
      ASSERT_EQ(moru_load_bytes(bytes.data(), bytes.size(), &options, &loaded, &error), MORU_OK) << error.message;
      const Session session(loaded);
      const std::vector<std::int8_t> x = {2, 4, 6, 8};
      std::vector<std::int8_t> y(2);
      const auto from = in(x, MORU_INT8);
      const auto to = out(y, MORU_INT8);
      ASSERT_EQ(moru_run(loaded, &from, 1, &to, 1, &error), MORU_OK) << error.message;
      EXPECT_THAT(y, ElementsAre(18, 22)) << model << " on " << backend;
    }
  }
}

TEST(C, MemoryThatDoesNotFitIsRefused) {
  const Session session = load("dense.onnx");
  const std::vector<float> x = {1, 2, 3, 4, 5};
  std::vector<float> y(3);
  const moru_const_buffer good_in = {x.data(), 16, MORU_FLOAT32};
  const moru_buffer good_out = {y.data(), 8, MORU_FLOAT32};
  const auto refuses = [&](const moru_const_buffer* from, std::size_t inputs, const moru_buffer* to, std::size_t outputs, const char* why) {
    moru_error error;
    EXPECT_EQ(moru_run(session.get(), from, inputs, to, outputs, &error), MORU_INVALID_ARGUMENT);
    EXPECT_THAT(error.message, HasSubstr(why));
    EXPECT_EQ(moru_run(session.get(), from, inputs, to, outputs, nullptr), MORU_INVALID_ARGUMENT);
  };
  const moru_const_buffer bad_in[] = {{x.data(), 20, MORU_FLOAT32},
                                      {x.data(), 16, MORU_INT32},
                                      {x.data(), 16, 77},
                                      {nullptr, 16, MORU_FLOAT32},
                                      {reinterpret_cast<const char*>(x.data()) + 1, 16, MORU_FLOAT32}};
  const char* const reasons[] = {"found 20 bytes, expected 16 bytes for float32 [1, 4]", "found int32", "found the type number 77",
                                 "found a null pointer", "not aligned"};
  for (std::size_t i = 0; i < std::size(bad_in); ++i) refuses(&bad_in[i], 1, &good_out, 1, reasons[i]);
  const moru_buffer bad_out[] = {{y.data(), 12, MORU_FLOAT32}, {y.data(), 8, MORU_INT8}, {nullptr, 8, MORU_FLOAT32}};
  for (const moru_buffer& bad : bad_out) refuses(&good_in, 1, &bad, 1, "run: output 'y': found ");
  refuses(&good_in, 0, &good_out, 1, "found 0 inputs, expected 1");
  refuses(&good_in, 1, &good_out, 0, "found 0 outputs, expected 1");
  refuses(nullptr, 1, &good_out, 1, "found a null pointer, expected inputs");
  refuses(&good_in, 1, nullptr, 1, "found a null pointer, expected outputs");
}

TEST(C, AClonedSessionHasTheSameShapesAndLivesOn) {
  Session session = load("dense.onnx");
  const std::int64_t dims[] = {2, 4};
  const moru_shape shape = {dims, 2};
  moru_error error;
  ASSERT_EQ(moru_bind(session.get(), &shape, 1, &error), MORU_OK) << error.message;
  moru_session* copy = nullptr;
  ASSERT_EQ(moru_clone(session.get(), &copy, &error), MORU_OK) << error.message;
  const Session clone(copy);
  session.reset();
  EXPECT_EQ(moru_output(clone.get(), 0)->size_bytes, 16);
  const std::vector<float> x = {1, 2, 3, 4, 1, 1, 1, 1};
  std::vector<float> y(4);
  const moru_const_buffer from = in(x, MORU_FLOAT32);
  const moru_buffer to = out(y, MORU_FLOAT32);
  ASSERT_EQ(moru_run(clone.get(), &from, 1, &to, 1, &error), MORU_OK) << error.message;
  EXPECT_THAT(y, ElementsAre(10.5F, 0, 4.5F, 0));
  moru_session* none = clone.get();
  EXPECT_EQ(moru_clone(nullptr, &none, &error), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(moru_clone(clone.get(), nullptr, &error), MORU_INVALID_ARGUMENT);
  moru_options reference = MORU_OPTIONS;
  reference.backend = "reference";
  const Session shares_nothing = load("dense.onnx", &reference);
  EXPECT_EQ(moru_clone(shares_nothing.get(), &none, &error), MORU_UNSUPPORTED);
  EXPECT_THAT(error.message, HasSubstr("load the model again"));
}

TEST(C, NullPointersAreErrors) {
  moru_error error;
  moru_session* session = nullptr;
  EXPECT_EQ(moru_load_file(nullptr, nullptr, &session, &error), MORU_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "moru_load_file: found a null pointer, expected a path");
  EXPECT_EQ(moru_load_file(path_of("dense.onnx").c_str(), nullptr, nullptr, &error), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(moru_load_bytes(nullptr, 3, nullptr, &session, nullptr), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(moru_load_bytes("abc", 3, nullptr, nullptr, nullptr), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(moru_bind(nullptr, nullptr, 0, nullptr), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(moru_run(nullptr, nullptr, 0, nullptr, 0, nullptr), MORU_INVALID_ARGUMENT);
  EXPECT_EQ(moru_input_count(nullptr), 0);
  EXPECT_EQ(moru_output_count(nullptr), 0);
  EXPECT_EQ(moru_input(nullptr, 0), nullptr);
  EXPECT_EQ(moru_output(nullptr, 0), nullptr);
  EXPECT_EQ(moru_memory_need(nullptr), nullptr);
  moru_free(nullptr);
}

TEST(C, WhatIsNoModelIsAnError) {
  moru_error error;
  std::array<char, 8> place{};
  auto* session = reinterpret_cast<moru_session*>(place.data());
  EXPECT_EQ(moru_load_file(path_of("none.onnx").c_str(), nullptr, &session, &error), MORU_NOT_FOUND);
  EXPECT_EQ(session, nullptr);
  EXPECT_THAT(error.message, HasSubstr("none.onnx"));
  EXPECT_NE(moru_load_file(MORU_API_MODELS, nullptr, &session, &error), MORU_OK) << "a folder";
  for (const std::string& bytes : {std::string(), std::string("garbage that is no model"), std::string(1000, '\xff')}) {
    EXPECT_THAT(moru_load_bytes(bytes.data(), bytes.size(), nullptr, &session, &error), AnyOf(MORU_CORRUPT, MORU_INVALID_ARGUMENT))
        << error.message;
    EXPECT_EQ(session, nullptr);
  }
  for (const char* model : {"dense.onnx", "levels.tflite"}) {
    const std::string bytes = bytes_of(model);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Session owned([&] {
        moru_session* cut = nullptr;
        moru_load_bytes(std::string(bytes, 0, size).data(), size, nullptr, &cut, &error);
        return cut;
      }());
      EXPECT_EQ(owned == nullptr, error.code != MORU_OK);
    }
  }
}

TEST(C, OptionsAreChecked) {
  const auto refuses = [](const moru_options& options, moru_code code, const char* why) {
    moru_session* session = nullptr;
    moru_error error;
    EXPECT_EQ(moru_load_file(path_of("dense.onnx").c_str(), &options, &session, &error), code) << error.message;
    EXPECT_THAT(error.message, HasSubstr(why));
    moru_free(session);
  };
  const moru_options defaults = MORU_OPTIONS;
  moru_options options = defaults;
  options.backend = "natvie";
  refuses(options, MORU_NOT_FOUND, "native");
  options = defaults;
  options.device = "gpu";
  refuses(options, MORU_UNAVAILABLE, "gpu");
  options = defaults;
  options.threads = -1;
  refuses(options, MORU_INVALID_ARGUMENT, "threads");
  options = defaults;
  options.setting_count = 1;
  refuses(options, MORU_INVALID_ARGUMENT, "null pointer, expected settings");
  for (const moru_setting& setting : {moru_setting{nullptr, "1"}, moru_setting{"a", nullptr}, moru_setting{"a", "1"}}) {
    options.settings = &setting;
    refuses(options, MORU_INVALID_ARGUMENT, "setting");
  }
  options = defaults;
  options.struct_size = 0;
  refuses(options, MORU_INVALID_ARGUMENT, "struct_size 0");
  options.struct_size = SIZE_MAX;
  refuses(options, MORU_INVALID_ARGUMENT, "struct_size");
}

TEST(C, OptionsOfALaterVersionMustBeUnset) {
  struct Later {
    moru_options options = MORU_OPTIONS;
    std::int64_t added = 0;
  } later;
  later.options.struct_size = sizeof(later);
  moru_session* session = nullptr;
  moru_error error;
  EXPECT_EQ(moru_load_file(path_of("dense.onnx").c_str(), &later.options, &session, &error), MORU_OK) << error.message;
  moru_free(session);
  later.added = 1;
  EXPECT_EQ(moru_load_file(path_of("dense.onnx").c_str(), &later.options, &session, &error), MORU_UNSUPPORTED);
}

TEST(C, ALongMessageIsCutBetweenCharacters) {
  for (const char* head : {"", "x"}) {
    std::string name = head;
    for (int i = 0; i < 2000; ++i) name += "é";
    moru_session* session = nullptr;
    moru_error error;
    EXPECT_EQ(moru_load_file(name.c_str(), nullptr, &session, &error) == MORU_OK, false);
    const std::string_view message = error.message;
    EXPECT_GE(message.size(), sizeof(error.message) - 2);
    EXPECT_EQ(message.substr(message.size() - 2), "é");
  }
}

TEST(C, AThreadWithASessionOfItsOwnNeedsNoLock) {
  std::array<int, 2> right{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([t, &right] {
      moru_session* loaded = nullptr;
      if (moru_load_file(path_of("dense.onnx").c_str(), nullptr, &loaded, nullptr) != MORU_OK) return;
      const Session session(loaded);
      for (int i = 0; i < 1000; ++i) {
        const std::vector<float> x(4, static_cast<float>(t + 1));
        std::vector<float> y(2);
        const auto from = in(x, MORU_FLOAT32);
        const auto to = out(y, MORU_FLOAT32);
        const bool ran = moru_run(loaded, &from, 1, &to, 1, nullptr) == MORU_OK;
        right[t] += ran && y[0] == 4 * static_cast<float>(t + 1) + 0.5F ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(right, ElementsAre(1000, 1000));
}

}  // namespace
