// SPDX-License-Identifier: Apache-2.0
// The ONNX reader takes any bytes; what it takes can be written, read and put into text again without a change.
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/versions.h"

namespace {

using namespace moru;

/// So that what a size in the file asks for is refused before the fuzzer's own limit.
constexpr model::ReadOptions kOptions{.max_memory_bytes = std::uint64_t{512} << 20U};

/// In the newest opset nothing has to be said in another way, so the graph comes back as it was.
void check_newest(const model::Graph& graph) {
  const auto bytes = model::write_onnx(graph, {.opset = model::kNewestOpset});
  MORU_CHECK(bytes.has_value());
  const auto first = model::read_onnx(*bytes, "fuzz");
  MORU_CHECK(first.has_value());
  const std::string text = model::to_text(*first);
  const auto again = model::read_onnx(model::write_onnx(*first).value_or(""), "fuzz");
  MORU_CHECK(again.has_value());
  MORU_CHECK(model::to_text(*again) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto graph = model::read_onnx({reinterpret_cast<const char*>(data), size}, "fuzz", kOptions);
  if (!graph) {
    MORU_CHECK(graph.error().code != ErrorCode::kInternal);
    return 0;
  }
  const std::string text = model::to_text(*graph);
  const auto parsed = model::parse_text(text);
  MORU_CHECK(parsed.has_value());
  MORU_CHECK(model::to_text(*parsed) == text);
  check_newest(*graph);
  // An older opset may have no way to say it; what is written can be read.
  const auto bytes = model::write_onnx(*graph);
  if (!bytes) {
    MORU_CHECK(bytes.error().code == ErrorCode::kUnsupported);
    return 0;
  }
  MORU_CHECK(model::read_onnx(*bytes, "fuzz").has_value());
  return 0;
}
