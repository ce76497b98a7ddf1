// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item.h"

#include <algorithm>

namespace moru::edge {

const FieldValue* Item::find(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Item::set(std::string_view name, FieldValue value) {
  const auto it = std::ranges::find(fields, name, [](const auto& field) { return std::string_view(field.first); });
  if (it == fields.end()) {
    fields.emplace_back(name, std::move(value));
  } else {
    it->second = std::move(value);
  }
}

}  // namespace moru::edge
