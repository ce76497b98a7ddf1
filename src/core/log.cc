// SPDX-License-Identifier: Apache-2.0
#include "core/log.h"

#include <unistd.h>

#include <atomic>
#include <mutex>

#include "core/clock.h"
#include "core/json.h"

namespace moru {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};

struct SinkHolder {
  std::mutex mutex;
  LogSink sink;
};

SinkHolder& holder() {
  static SinkHolder* instance = new SinkHolder;  // never destroyed: threads may log while the process ends
  return *instance;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: break;
  }
  return "off";
}

/// Control characters of ASCII, and those that UTF-8 writes as 0xC2 and a byte below 0xA0.
bool is_control(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const auto before = at > 0 ? static_cast<unsigned char>(text[at - 1]) : 0U;
  return byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte < 0xa0);
}

/// A value as it stands, or between quotes when spaces, quotes or control characters would make the line ambiguous
/// (values come from outside: a line break must not forge a second line, nor an escape drive the terminal).
std::string readable(std::string_view value) {
  std::string quoted = "\"";
  bool plain = !value.empty();
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (is_control(value, i)) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(value[i]));
      plain = false;
      continue;
    }
    if (value[i] == '"' || value[i] == '\\') quoted += '\\';
    if (value[i] == '"' || value[i] == ' ' || value[i] == '=') plain = false;
    quoted += value[i];
  }
  return plain ? std::string(value) : quoted + '"';
}

void write_line(std::string line) {
  line += '\n';
  // One write, so that lines of several processes on one terminal do not mix; a failed log has nowhere to go.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(holder().mutex);
  holder().sink = std::move(sink);
}

void set_log_level(LogLevel level) { g_level = level; }

bool log_enabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

void log_write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  const std::lock_guard lock(holder().mutex);
  if (holder().sink) holder().sink(LogRecord{level, message, {fields.begin(), fields.size()}});
}

LogSink text_log_sink() {
  return [](const LogRecord& record) {
    std::string line =
        fmt::format("{} {:5} {}", format_utc(system_clock().wall_now()).substr(11, 12), level_name(record.level), record.message);
    for (const auto& field : record.fields) line += fmt::format(" {}={}", field.key, readable(field.value));
    write_line(std::move(line));
  };
}

LogSink json_log_sink() {
  return [](const LogRecord& record) {
    Json line = {{"time", format_utc(system_clock().wall_now())}, {"level", level_name(record.level)}, {"message", record.message}};
    for (const auto& field : record.fields) line[std::string(field.key)] = field.value;
    write_line(line.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
}

}  // namespace moru
