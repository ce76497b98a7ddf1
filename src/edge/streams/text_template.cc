// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/text_template.h"

#include <fmt/format.h>

#include <iterator>

#include "core/text.h"

namespace moru::edge {

Result<TextTemplate> TextTemplate::parse(std::string_view text, const Schema& schema, std::string_view where) {
  TextTemplate result;
  std::string before;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool brace = c == '{' || c == '}';
    if (!brace || text.substr(i + 1).starts_with(c)) {
      before.push_back(c);
      if (brace) ++i;
      continue;
    }
    const auto end = text.find('}', i);
    if (c == '}' || end == std::string_view::npos)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found a '{}' alone in {}, expected {{FIELD}}, or a brace that is doubled", where, c, in_quotes(text)));
    const std::string_view name = text.substr(i + 1, end - i - 1);
    MORU_ASSIGN_OR_RETURN(const FieldSpec* field, schema.need(where, name));
    if (field != nullptr && field->type == FieldType::kTensor)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found field '{}' of type {} in a text, expected a number or a text", where, name, to_string(*field)));
    result.parts_.push_back({std::exchange(before, {}), FieldFinder(name)});
    i = end;
  }
  result.end_ = std::move(before);
  return result;
}

void TextTemplate::fill(const Item& item, std::string& text) const {
  text.clear();
  for (const Part& part : parts_) {
    text += part.before;
    const Field* const field = part.field.in(item);
    if (field == nullptr || field->tensor() != nullptr) {
      text += '?';
    } else if (const auto* integer = field->integer()) {
      fmt::format_to(std::back_inserter(text), "{}", *integer);
    } else if (const auto* number = field->number()) {
      fmt::format_to(std::back_inserter(text), "{}", *number);
    } else {
      text += *field->text();
    }
  }
  text += end_;
}

}  // namespace moru::edge
