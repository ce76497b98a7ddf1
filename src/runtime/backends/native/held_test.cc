// SPDX-License-Identifier: Apache-2.0
// What a model is said to need is what loading it leaves allocated, and what is not needed any more is let go: with an allocator that
// counts.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <functional>

#include "core/files.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/native/need.h"
#include "runtime/backends/native/session.h"

namespace {
std::atomic<std::int64_t> held = 0;  ///< bytes
std::atomic<std::int64_t> most = 0;

void* counted(void* memory) {
  if (memory == nullptr) return memory;
  const auto size = static_cast<std::int64_t>(malloc_usable_size(memory));
  const std::int64_t now = held.fetch_add(size) + size;
  for (std::int64_t before = most.load(); before < now && !most.compare_exchange_weak(before, now);) continue;
  return memory;
}
void let_go(void* memory) {
  if (memory != nullptr) held.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(memory)));
}
}  // namespace

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the C library's own
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
[[gnu::visibility("default")]] void* malloc(size_t size) { return counted(__libc_malloc(size)); }
[[gnu::visibility("default")]] void* calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
[[gnu::visibility("default")]] void* realloc(void* memory, size_t size) {
  let_go(memory);
  return counted(__libc_realloc(memory, size));
}
[[gnu::visibility("default")]] void* aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
[[gnu::visibility("default")]] void* memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
[[gnu::visibility("default")]] void free(void* memory) {
  let_go(memory);
  __libc_free(memory);
}
}

namespace moru::runtime::native {
namespace {

using model::Graph;

/// Of the steps and their tables, and of the session.
constexpr std::int64_t kAStep = 2048;
constexpr std::int64_t kSession = 16384;

/// `load` leaves what `need` says, and little more.
void expect_held(const Need& need, const std::function<std::unique_ptr<Session>()>& load) {
  load();  // what is made once in a process
  const std::int64_t before = held.load();
  const auto session = load();
  const std::int64_t left = held.load() - before;
  const auto told = static_cast<std::int64_t>(need.weight_bytes + need.arena_bytes);
  EXPECT_GE(left, told);
  EXPECT_LE(left, told + static_cast<std::int64_t>(need.steps) * kAStep + kSession);
  EXPECT_EQ(session->memory()->weight_bytes, need.weight_bytes);
  EXPECT_EQ(session->memory()->arena_bytes, need.arena_bytes);
}

TEST(Held, IsWhatWasToldBeforeAndLittleMore) {
  Graph graph = *model::parse_text(R"(graph "g" {
    opset 13
    input x: float32[N, 64, 30, 30]
    init w = float32[1, 64, 3, 3] {)" +
                                   []() {
                                     std::string numbers = "1";
                                     for (int i = 1; i < 64 * 9; ++i) numbers += ", 2";
                                     return numbers;
                                   }() +
                                   R"(}
    a = Relu(x)
    b = Conv(a, w)
    c = Tanh(b)
    output c
  })");
  ASSERT_TRUE(model::infer_shapes(graph).has_value());
  const std::vector<model::Dims> extents = {{1, 64, 30, 30}};
  const auto need = need_of(graph, extents, kernels::chosen_isa().value(), 1);
  ASSERT_TRUE(need.has_value()) << need.error().message;
  EXPECT_GE(need->arena_bytes, std::size_t{64} * 30 * 30 * sizeof(float));
  EXPECT_EQ(need->input_bytes, std::size_t{64} * 30 * 30 * sizeof(float));
  EXPECT_EQ(need->output_bytes, std::size_t{28} * 28 * sizeof(float));
  expect_held(*need, [&] { return NativeModel::load(model::Graph(graph)).value(); });
  const std::vector<model::Dims> eight = {{8, 64, 30, 30}};
  const auto more = need_of(graph, eight, kernels::chosen_isa().value(), 4).value();
  EXPECT_GT(more.arena_bytes, need->arena_bytes + 6 * need->input_bytes);
  EXPECT_GT(more.worker_bytes, 0U);
  const auto refused = need_of(graph, std::vector<model::Dims>{{1, 63, 30, 30}}, kernels::Isa::kScalar, 1);
  EXPECT_FALSE(refused.has_value());
}

class HeldModels : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, HeldModels,
                         testing::Values("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "vww_96_float"),
                         [](const auto& file) { return std::string(file.param); });

/// From a file's bytes, which may lie anywhere and are the caller's: of what is made of them on the way, nothing stays, and it is never
/// much.
TEST_P(HeldModels, TakeLittleMoreThanTheFileWhileTheyAreLoaded) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with mlperf_tiny/";
  const auto bytes = read_file(Path(folder) / "mlperf_tiny" / (std::string(GetParam()) + ".tflite")).value();
  const auto load = [&] { return load_session("native", bytes).value(); };
  load();
  const std::int64_t before = held.load();
  most = before;
  const auto session = load();
  const std::int64_t left = held.load() - before;
  const auto told = static_cast<std::int64_t>(session->memory()->weight_bytes + session->memory()->arena_bytes);
  EXPECT_LE(left, told + static_cast<std::int64_t>(bytes.size()) + 150'000)
      << "the graph, to plan it for other batches; steps, tables, ports";
  EXPECT_LE(most.load() - before, 5 * static_cast<std::int64_t>(bytes.size()) + 1'000'000);
  const std::int64_t bound_before = held.load();
  const auto bound = load_session("native", bytes, {.settings = {{"bind", "1"}}}).value();
  EXPECT_LE(held.load() - bound_before, told + 150'000) << "nothing to plan it anew with";
  fmt::print("{}: file {}, weights and arena {}, left {}, most {} bytes\n", GetParam(), bytes.size(), told, left, most.load() - before);
}

}  // namespace
}  // namespace moru::runtime::native
