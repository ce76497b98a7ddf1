// SPDX-License-Identifier: Apache-2.0
// The options of builtin ops, to and from attributes. What fields there are is read from the schema itself.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"
#include "tflite_fb/tflite_generated.h"

namespace moru::model::tflite {

namespace fb = moru::tflite_fb;

/// The name of a builtin op ("CONV_2D"); empty for a number that is none.
std::string_view builtin_name(fb::BuiltinOperator builtin);
/// kUnsupported for a name that is none.
Result<fb::BuiltinOperator> builtin_of(std::string_view name);
/// The kind of options that an op has; NONE when it has none. (options_table.cc)
fb::BuiltinOptions options_of(std::string_view op);

/// Where the bodies of control-flow ops come from and go to: fields that name a subgraph by its index.
using ReadBody = std::function<Result<Subgraph>(std::int64_t index)>;
using WriteBody = std::function<Result<std::int64_t>(const Subgraph& body)>;

/// One attribute a field, those with their default value too. `table` may be null: then all are defaults. Errors: kCorrupt.
Result<Attributes> read_options(fb::BuiltinOptions type, const flatbuffers::Table* table, const ReadBody& read_body);

/// The way back. Errors: kInvalidArgument for an attribute that the options do not have, of another type or out of range.
Result<flatbuffers::Offset<void>> write_options(flatbuffers::FlatBufferBuilder& builder, fb::BuiltinOptions type,
                                                const Attributes& attributes, const WriteBody& write_body);

}  // namespace moru::model::tflite
