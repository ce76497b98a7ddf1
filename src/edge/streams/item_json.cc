// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item_json.h"

#include "core/json.h"

namespace moru::edge {
namespace {

void put(Json& body, const std::string& name, const Field& field) {
  if (const auto* integer = field.integer()) {
    body[name] = *integer;
  } else if (const auto* number = field.number()) {
    body[name] = *number;
  } else if (const auto text = field.text()) {
    body[name] = *text;
  }
}

}  // namespace

Json item_json(const Item& item, const std::vector<std::string>& fields, TimeNs now) {
  Json body = {{"seq", item.sequence}, {"time", item.event_time}};
  if (fields.empty()) {
    for (const Field& field : item.fields) {
      if (!field.name().is_note()) put(body, field.name().text(), field);
    }
  } else {
    for (const auto& name : fields) {
      if (const auto* value = item.find(std::string_view(name))) put(body, name, *value);
    }
  }
  body["latency_us"] = static_cast<double>(now - item.emitted) / static_cast<double>(kMicrosecond);
  return body;
}

}  // namespace moru::edge
