// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item_json.h"

#include "core/json.h"

namespace moru::edge {
namespace {

void put(Json& body, const std::string& name, const FieldValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    body[name] = *integer;
  } else if (const auto* number = std::get_if<double>(&value)) {
    body[name] = *number;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    body[name] = *text;
  }
}

}  // namespace

Json item_json(const Item& item, const std::vector<std::string>& fields, TimeNs now) {
  Json body = {{"seq", item.sequence}, {"time", item.event_time}};
  if (fields.empty()) {
    for (const auto& [name, value] : item.fields) {
      if (name.find('.') == std::string::npos) put(body, name, value);
    }
  } else {
    for (const auto& name : fields) {
      if (const auto* value = item.find(name)) put(body, name, *value);
    }
  }
  body["latency_us"] = static_cast<double>(now - item.emitted) / static_cast<double>(kMicrosecond);
  return body;
}

}  // namespace moru::edge
