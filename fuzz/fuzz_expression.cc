// SPDX-License-Identifier: Apache-2.0
// Any text as an expression: an error with its place, or a program that runs on any item.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/check.h"
#include "edge/streams/expression.h"

namespace {

moru::edge::Schema schema() {
  using moru::edge::FieldType;
  moru::edge::Schema schema;
  schema.set({.name = "t", .type = FieldType::kDouble, .unit = "degC"});
  schema.set({.name = "limit", .type = FieldType::kDouble, .unit = "degC"});
  schema.set({.name = "p", .type = FieldType::kDouble, .unit = "bar"});
  schema.set({.name = "n", .type = FieldType::kInt64});
  schema.set({.name = "temperature", .type = FieldType::kDouble});
  schema.set({.name = "device", .type = FieldType::kText});
  schema.set({.name = "odd name", .type = FieldType::kInt64});
  return schema;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const moru::edge::Schema kSchema = schema();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expression = moru::edge::Expression::compile(text, kSchema, "fuzz");
  if (!expression) {
    MORU_CHECK(expression.error().code == moru::ErrorCode::kInvalidArgument);
    return 0;
  }
  moru::edge::Item full;
  full.set("t", 1e308);
  full.set("limit", -0.0);
  full.set("n", INT64_MIN);
  full.set("temperature", 20.0);
  full.set("device", "it's a device with a long name");
  full.set("odd name", -1);
  for (const auto& item : {moru::edge::Item(), full}) {
    moru::edge::Expression::Value value;
    bool passes = false;
    static_cast<void>(expression->run(item, value));
    if (expression->type() != moru::edge::FieldType::kText) static_cast<void>(expression->test(item, passes));
  }
  return 0;
}
