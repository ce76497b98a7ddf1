// SPDX-License-Identifier: Apache-2.0
// A text with fields in it: "{device} is at {value} degC".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "edge/streams/item.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// Threads: one at a time.
class TextTemplate {
 public:
  /// {NAME} stands for a field that is a number or a text, {{ and }} for a brace. Errors (kInvalidArgument) give `where`: a brace that
  /// stands alone, a field that the schema does not have.
  static Result<TextTemplate> parse(std::string_view text, const Schema& schema, std::string_view where);
  /// A field that the item lacks is "?". A number is written in the fewest digits that give it again.
  void fill(const Item& item, std::string& text) const;

 private:
  struct Part {
    std::string before;
    FieldFinder field;
  };
  std::vector<Part> parts_;
  std::string end_;
};

}  // namespace moru::edge
