// SPDX-License-Identifier: Apache-2.0
// What stands in the boxes and at the lines of a picture. Text of the file is cleaned here: it comes out as valid UTF-8 without
// control characters, cut short. Escaping for XML is the painter's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph/graph.h"

namespace moru::model {

/// Kinds of boxes, each with a colour of its own.
enum class BoxKind : std::uint8_t {
  kPort,
  kConvolution,
  kMatrix,
  kActivation,
  kPool,
  kNormalisation,
  kQuantisation,
  kArithmetic,
  kShape,
  kControl,
  kOther
};
inline constexpr std::size_t kBoxKinds = 11;

struct BoxText {
  BoxKind kind = BoxKind::kOther;
  std::string title;               ///< the op, "input" or "output"
  std::string name;                ///< of the node or value; may be empty
  std::vector<std::string> lines;  ///< attributes, then weights
  std::string whole_name;          ///< not cut short, for the pointer; may be empty
};

/// By the op's name, of any domain: "Conv", "CONV_2D" and "QLinearConv" are convolutions.
BoxKind kind_of(std::string_view op);

BoxText describe_node(const Graph& graph, const Node& node);
BoxText describe_port(std::string_view role, const Value& value);
/// "float32[1, 3, 224, 224]", and "int8[1, 8] x 0.0039 - 128" (scale, zero point) of a quantised type.
std::string type_label(const ValueType& type);

/// Valid UTF-8 of at most `limit` columns, an ellipsis at its end if more was there. What could move, hide or reorder text is U+FFFD.
std::string clean_label(std::string_view text, std::size_t limit);
/// Columns of a fixed-width font: wide characters take two.
std::size_t columns_of(std::string_view label);

}  // namespace moru::model
