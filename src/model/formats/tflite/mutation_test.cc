// SPDX-License-Identifier: Apache-2.0
// TFLite models changed at random: each is read, or refused with a message; none ends the process, hangs, or takes more memory than
// allowed. How many: tests/support/mutations.h. MORU_TEST_DATA adds the models of its folders models/ and mlperf_tiny/.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "tests/support/mutations.h"

namespace moru::model {
namespace {

constexpr std::uint64_t kMaxMemory = std::uint64_t{256} << 20U;

std::string small_net() {
  const auto graph = parse_text(R"(graph "g" {
  meta "tflite.signature:run" = "{\"inputs\": [[\"x\", 0]], \"outputs\": [[\"y\", 0]]}"
  input x: float32[1, 4, 4, 1]
  init w = float32[2, 3, 3, 1] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init q: int8[2] quant {scales = [0.5, 0.25], zero_points = [0, 0], axis = 0} = int8[2] {1, 2}
  init shape = int32[2] {1, -1}
  a: float32[1, 2, 2, 2] = tflite::CONV_2D(x, w) {padding = "VALID", stride_h = 1, stride_w = 1}
  d: float32[2] = tflite::DEQUANTIZE(q)
  b: float32[1, 2, 2, 2] = tflite::ADD(a, d)
  c: float32[1, 2, 2, 2] = tflite.custom::Mine(b) {custom_options = "abc"}
  y: float32[1, 8] = tflite::RESHAPE(c, shape)
  output y
})");
  EXPECT_TRUE(graph.has_value());
  return graph ? write_tflite(*graph).value_or("") : "";
}

/// Bytes replaced, bits turned, the end cut off, and sizes and offsets that lie.
std::string mutant(const std::string& valid, std::uint64_t number) {
  Rng rng(number * 2 + 1);
  std::string bytes = valid;
  const std::uint64_t changes = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = rng.below(bytes.size());
    const std::size_t word = at & ~std::size_t{3};
    switch (rng.below(4)) {
      case 0: bytes[at] = static_cast<char>(rng.next()); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << rng.below(8))); break;
      case 2: bytes.resize(std::max<std::size_t>(at, 8)); break;
      default: bytes.replace(word, std::min<std::size_t>(4, bytes.size() - word), "\xff\xff\xff\x7f", 4); break;
    }
  }
  return bytes;
}

/// What is taken must go out and come back the same.
void check_mutant(const std::string& bytes) {
  const auto graph = read_tflite(bytes, "mutant");
  if (!graph) {
    EXPECT_NE(graph.error().code, ErrorCode::kInternal) << graph.error().message;
    return;
  }
  const auto written = write_tflite(*graph);
  ASSERT_TRUE(written.has_value()) << written.error().message;
  const auto again = read_tflite(*written, "again");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again, {.max_elements = 64}), to_text(*graph, {.max_elements = 64}));
}

TEST(TfliteMutations, EachIsReadOrRefusedInTimeAndMemory) {
  std::vector<std::pair<std::string, std::string>> victims{{"small net", small_net()}};
  if (const char* root = std::getenv("MORU_TEST_DATA"); root != nullptr) {
    for (const char* folder : {"models", "mlperf_tiny"}) {
      for (const auto& entry : std::filesystem::directory_iterator(Path(root) / folder)) {
        if (entry.path().extension() == ".tflite") victims.emplace_back(entry.path().filename().string(), read_file(entry.path()).value());
      }
    }
  }
  for (const auto& [name, bytes] : victims) {
    run_mutations(name, kMaxMemory, [&](std::uint64_t number) { return mutant(bytes, number); }, check_mutant);
  }
}

}  // namespace
}  // namespace moru::model
