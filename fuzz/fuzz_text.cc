// SPDX-License-Identifier: Apache-2.0
// The parser of the graph's text form takes any text; what it takes is written and parsed again without a change, and is
// verified or refused.
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moru;
  auto graph = model::parse_text({reinterpret_cast<const char*>(data), size});
  if (!graph) {
    MORU_CHECK(graph.error().code == ErrorCode::kInvalidArgument || graph.error().code == ErrorCode::kResourceExhausted);
    return 0;
  }
  const std::string text = model::to_text(*graph);
  const auto again = model::parse_text(text);
  MORU_CHECK(again.has_value());
  MORU_CHECK(model::to_text(*again) == text);
  const Status inferred = model::infer_shapes(*graph);
  MORU_CHECK(inferred.has_value() || inferred.error().code != ErrorCode::kInternal);
  return 0;
}
