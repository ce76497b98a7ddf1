// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/mqtt_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace moru::edge {
namespace {

constexpr std::int64_t kPort = 1883;
constexpr std::int64_t kTlsPort = 8883;

std::unexpected<Error> wrong(std::string_view where, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected {}", where, found, expected));
}

/// The name between the braces that `text` begins with, and what stands behind them.
std::optional<std::string_view> field_at(std::string_view text, std::string_view& rest) {
  const auto end = text.find('}');
  if (end == std::string_view::npos || end == 1 || text.find('{', 1) < end) return std::nullopt;
  rest = text.substr(end + 1);
  return text.substr(1, end - 1);
}

}  // namespace

void MqttOptionsReader::read(ConfigReader& reader) {
  reader.optional("host", &host_);
  reader.optional("port", &port_, {.min = 1, .max = 65'535});
  reader.choice("version", &version_, {"5", "3.1.1"});
  reader.optional("client_id", &client_id_);
  reader.optional("keep_alive_s", &keep_alive_s_, {.min = 0, .max = 65'535});
  reader.optional("user", &user_);
  password_.read(reader);
  reader.optional("tls", &tls_);
  reader.optional("ca_file", &ca_file_);
  reader.optional("certificate_file", &certificate_file_);
  reader.optional("key_file", &key_file_);
}

Result<wire::mqtt::SessionOptions> MqttOptionsReader::finish(const ConfigObject& object) const {
  const std::string where = object.where();
  if (host_.empty()) return wrong(where, "an empty 'host'", "a host's name or address");
  if (!tls_ && !(ca_file_ + certificate_file_ + key_file_).empty())
    return wrong(where, "files for TLS without 'tls: true'", "both or neither");
  if (certificate_file_.empty() != key_file_.empty()) return wrong(where, "one of 'certificate_file' and 'key_file'", "both or neither");
  MORU_RETURN_IF_ERROR(password_.check(object));
  if (user_.empty() && password_.is_given()) return wrong(where, "a password without 'user'", "both");
  if (client_id_.size() > wire::mqtt::kLongestText || user_.size() > wire::mqtt::kLongestText)
    return wrong(where, "a client id or user of more than 65,535 bytes", "less");
  wire::mqtt::SessionOptions options;
  options.host = host_;
  options.port = static_cast<int>(port_ != 0 ? port_ : tls_ ? kTlsPort : kPort);
  options.tls = {.on = tls_, .ca_file = ca_file_, .certificate_file = certificate_file_, .key_file = key_file_};
  options.connect.version = version_ == "5" ? wire::mqtt::Version::k5 : wire::mqtt::Version::k311;
  options.connect.client_id = client_id_;
  options.connect.keep_alive_s = static_cast<std::uint16_t>(keep_alive_s_);
  if (!user_.empty()) options.connect.user = user_;
  return options;
}

Status MqttOptionsReader::read_password(wire::mqtt::SessionOptions& options) const {
  MORU_ASSIGN_OR_RETURN_IN("MQTT", auto password, password_.get());
  if (password) options.connect.password = std::move(*password);
  return {};
}

Result<MqttTopic> MqttTopic::to_read(std::string_view pattern, std::string_view where) {
  MqttTopic topic;
  topic.pattern_ = pattern;
  std::string_view rest = pattern;
  if (constexpr std::string_view kShare = "$share/"; rest.starts_with(kShare)) {
    const auto end = rest.find('/', kShare.size());
    if (end == std::string_view::npos) return wrong(where, fmt::format("topic {}", in_quotes(pattern)), "$share/GROUP/TOPIC");
    topic.share_ = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
  }
  for (const std::string_view level : split(rest, '/')) {
    std::string_view behind;
    Part& part = topic.parts_.emplace_back(Part{.text = std::string(level), .field = std::nullopt});
    if (level.find_first_of("{}") == std::string_view::npos) continue;
    const auto name = level.starts_with('{') ? field_at(level, behind) : std::nullopt;
    if (!name || !behind.empty()) return wrong(where, fmt::format("level {} of a topic", in_quotes(level)), "{NAME} as a whole level");
    part.field = FieldName(*name);
    if (part.field->is_note()) return wrong(where, fmt::format("field name {}", in_quotes(*name)), "one without a dot");
  }
  if (!wire::mqtt::is_filter(topic.filter()))
    return wrong(where, fmt::format("topic {}", in_quotes(pattern)), "+ as a whole level and # at the end, if at all");
  return topic;
}

Result<MqttTopic> MqttTopic::to_write(std::string_view pattern, std::string_view where) {
  MqttTopic topic;
  topic.pattern_ = pattern;
  for (std::string_view rest = pattern; !rest.empty();) {
    const auto brace = std::min(rest.find('{'), rest.size());
    if (brace > 0) topic.parts_.push_back({.text = std::string(rest.substr(0, brace)), .field = std::nullopt});
    rest.remove_prefix(brace);
    if (rest.empty()) break;
    std::string_view behind;
    const auto name = field_at(rest, behind);
    if (!name) return wrong(where, fmt::format("topic {}", in_quotes(pattern)), "{NAME} with a field's name in it");
    topic.parts_.push_back({.text = {}, .field = FieldName(*name)});
    rest = behind;
  }
  for (const Part& part : topic.parts_) {
    if (!part.field && !wire::mqtt::is_topic(part.text))
      return wrong(where, fmt::format("topic {}", in_quotes(pattern)), "one without wildcards, for one message goes to one topic");
  }
  if (topic.parts_.empty()) return wrong(where, "an empty topic", "one: alerts/{device}");
  return topic;
}

std::string MqttTopic::filter() const {
  std::string filter = share_;
  for (const Part& part : parts_) {
    if (&part != &parts_.front()) filter.push_back('/');
    filter += part.field ? "+" : part.text;
  }
  return filter;
}

std::vector<FieldName> MqttTopic::fields() const {
  std::vector<FieldName> names;
  for (const Part& part : parts_) {
    if (part.field) names.push_back(*part.field);
  }
  return names;
}

bool MqttTopic::read(std::string_view topic, Item& item) const {
  // First whether it fits, so that a topic of another pattern leaves nothing behind.
  const auto walk = [&](auto on_field) {
    std::string_view rest = topic;
    bool more = true;
    for (const Part& part : parts_) {
      if (part.text == "#" && !part.field) return true;
      if (!more) return false;
      const auto end = rest.find('/');
      const std::string_view level = rest.substr(0, end);
      more = end != std::string_view::npos;
      rest.remove_prefix(more ? end + 1 : rest.size());
      if (part.field) {
        on_field(*part.field, level);
      } else if (part.text != "+" && part.text != level) {
        return false;
      }
    }
    return !more;
  };
  if (!walk([](FieldName, std::string_view) {})) return false;
  return walk([&](FieldName name, std::string_view level) { item.set(name, level); });
}

std::string_view MqttTopic::write(const Item& item, std::string& topic) const {
  topic.clear();
  for (const Part& part : parts_) {
    if (!part.field) {
      topic += part.text;
      continue;
    }
    const Field* const field = item.find(*part.field);
    if (field == nullptr) return "no field for the topic";
    if (const auto text = field->text()) {
      // A value from outside makes one level, and no wildcard.
      if (text->empty() || text->find_first_of(std::string_view("/+#\0", 4)) != std::string_view::npos) return "bad field for the topic";
      topic += *text;
    } else if (const auto* integer = field->integer()) {
      topic += std::to_string(*integer);
    } else {
      return "bad field for the topic";
    }
  }
  return topic.size() <= wire::mqtt::kLongestText ? "" : "bad field for the topic";
}

}  // namespace moru::edge
