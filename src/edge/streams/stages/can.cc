// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "edge/streams/can_socket.h"
#include "edge/streams/can_source.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMostMessages = 512;  // the kernel takes as many filters (CAN_RAW_FILTER_MAX)

/// "291", "0x123"
std::optional<std::uint32_t> parse_id(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  std::uint32_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id, hex ? 16 : 10);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(id) : std::nullopt;
}

Result<CanOptions::Message> read_message(const ConfigObject& object, std::size_t max_bytes) {
  CanOptions::Message message;
  std::string id;
  std::optional<ConfigObject> signals;
  ConfigReader reader(object);
  reader.required("id", &id);
  reader.required("signals", &signals);
  reader.optional("extended", &message.id.extended);
  reader.optional("name", &message.name);
  MORU_RETURN_IF_ERROR(reader.finish());
  const auto number = parse_id(id);
  const std::uint32_t most = message.id.extended ? 0x1FFFFFFF : 0x7FF;
  if (!number || *number > most) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found id {}, expected a number up to {:#x}{}", object.where(), in_quotes(id),
                                                         most, message.id.extended ? "" : "; ids of 29 bits are 'extended: true'"));
  }
  message.id.id = *number;
  if (message.name.empty()) message.name = fmt::format("{:#x}", *number);
  MORU_ASSIGN_OR_RETURN(message.signals, read_signals(*signals, max_bytes));
  return message;
}

/// Two messages may have a signal of the same name when it is the same thing.
Status check_messages(const ConfigObject& object, const std::vector<CanOptions::Message>& messages) {
  std::vector<FieldSpec> known = {{.name = "message", .type = FieldType::kText}};
  for (const auto& message : messages) {
    if (std::ranges::count(messages, message.id, &CanOptions::Message::id) > 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found message {:#x} twice, expected it once", object.where(), message.id.id));
    }
    for (const auto& signal : message.signals) {
      const auto same = std::ranges::find(known, signal.spec.name, &FieldSpec::name);
      if (same == known.end()) {
        known.push_back(signal.spec);
      } else if (to_string(*same) != to_string(signal.spec)) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("{}: found '{}' as {} and as {}, expected one name for one thing", object.where(), signal.spec.name.text(),
                                to_string(*same), to_string(signal.spec)));
      }
    }
  }
  return {};
}

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  CanOptions options;
  std::optional<ConfigObject> messages;
  ConfigReader reader(object);
  reader.required("interface", &options.interface);
  reader.required("messages", &messages);
  reader.optional("fd", &options.fd);
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  for (const auto& message : messages->items()) {
    MORU_ASSIGN_OR_RETURN(auto read, read_message(message, options.fd ? 64 : 8));
    options.messages.push_back(std::move(read));
  }
  if (options.messages.empty() || options.messages.size() > kMostMessages) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} messages, expected a list of 1 to {}", messages->where(),
                                                         options.messages.size(), kMostMessages));
  }
  MORU_RETURN_IF_ERROR(check_messages(*messages, options.messages));
  std::vector<CanId> ids;
  for (const auto& message : options.messages) ids.push_back(message.id);
  auto open = [interface = options.interface, ids, fd = options.fd] { return open_can(interface, ids, fd); };
  return make_can_source(std::move(options), std::move(open));
}

}  // namespace

extern const StageSpec kStage_can;
const StageSpec kStage_can{
    .name = "can",
    .kind = StageKind::kSource,
    .doc =
        R"yaml(Reads messages of a CAN bus, classic or FD (SocketCAN): one item a message, with the signals that a table finds in its bits.

Writes  message  text, the message's name
        the signals of the message: int64, or double where one has a scale or an offset, or 64 bits without a sign

Each message
  id: NUMBER             291 or 0x123
  extended: false        true: an id of 29 bits
  name: TEXT             without it the id
  signals: {NAME: {...}}

Each signal, as a DBC file has it (SG_)
  start: BIT             8 * byte + n: its lowest bit, or, with order big, its highest
  length: BITS           1 to 64
  order: little          or big: of the bytes
  signed: false
  scale: 1               value = number * scale + offset
  offset: 0
  unit: TEXT
  multiplexer: false     true: its value says which of the signals with `when` the message has
  when: VALUE            it is in the messages whose multiplexer has this value

The event time is the kernel's, when it got the message. Other ids are left out by the kernel. What is no such message is dropped with
its reason: "too short", "remote frame", "bad frame", and what the controller reports: "bus off", "controller problem", "controller
restarted", "transceiver problem". Messages that found no room in the socket's queue are counted as missed. While the
interface is down, the source is stale, and opens it again.

Options
  interface: NAME        can0
  messages: [{...}, ...]
  fd: false              true: messages of up to 64 bytes, too
  items: 0               ends after so many; 0: when drained
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: engine
spec:
  stages:
    - name: bus
      stage: can
      options:
        interface: vcan0
        items: 3
        messages:
          - id: 0x123
            name: engine
            signals:
              speed: {start: 0, length: 16, scale: 0.25, unit: rpm}
              temperature: {start: 23, length: 8, order: big, offset: -40, unit: degC}
    - name: hot
      stage: threshold
      inputs: [bus]
      options: {field: temperature, on: 110, off: 100}
    - name: results
      stage: write_json
      inputs: [hot]
      options: {path: engine.jsonl}
)yaml",
    .create_source = create,
    .needs = "a CAN interface",
};

}  // namespace moru::edge
