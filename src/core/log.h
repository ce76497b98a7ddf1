// SPDX-License-Identifier: Apache-2.0
// Structured log: a constant message and key-value pairs. Library code logs only what nobody can return as an error
// (a retry, a state change); it never writes to stdout or stderr itself. Not for hot paths: count there instead.
//
//   MORU_LOG(kWarn, "queue full", "stream", name, "dropped", count);
#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace moru {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

struct LogField {
  std::string_view key;
  std::string value;
};

struct LogRecord {
  LogLevel level;
  std::string_view message;
  std::span<const LogField> fields;
};

using LogSink = std::function<void(const LogRecord&)>;

/// Where records go from now on; the default throws them away. Call once at start-up. Sinks are called one at a time.
void set_log_sink(LogSink sink);
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);

/// One line for people: "17:35:00.123 warn  queue full stream=line dropped=3".
LogSink text_log_sink();
/// One JSON object a line, for services.
LogSink json_log_sink();

namespace detail {
template <class T>
std::string log_value(const T& value) {
  return fmt::format("{}", value);
}
inline void log_pairs(LogLevel level, std::string_view message) { log_write(level, message, {}); }
template <class A>
void log_pairs(LogLevel level, std::string_view message, std::string_view ka, const A& a) {
  log_write(level, message, {{ka, log_value(a)}});
}
template <class A, class B>
void log_pairs(LogLevel level, std::string_view message, std::string_view ka, const A& a, std::string_view kb, const B& b) {
  log_write(level, message, {{ka, log_value(a)}, {kb, log_value(b)}});
}
template <class A, class B, class C>
void log_pairs(LogLevel level, std::string_view message, std::string_view ka, const A& a, std::string_view kb, const B& b,
               std::string_view kc, const C& c) {
  log_write(level, message, {{ka, log_value(a)}, {kb, log_value(b)}, {kc, log_value(c)}});
}
template <class A, class B, class C, class D>
void log_pairs(LogLevel level, std::string_view message, std::string_view ka, const A& a, std::string_view kb, const B& b,
               std::string_view kc, const C& c, std::string_view kd, const D& d) {
  log_write(level, message, {{ka, log_value(a)}, {kb, log_value(b)}, {kc, log_value(c)}, {kd, log_value(d)}});
}
}  // namespace detail
}  // namespace moru

/// A macro only so that arguments are not evaluated when the level is off.
#define MORU_LOG(level, ...)                                           \
  do {                                                                 \
    if (::moru::log_enabled(::moru::LogLevel::level)) {                \
      ::moru::detail::log_pairs(::moru::LogLevel::level, __VA_ARGS__); \
    }                                                                  \
  } while (false)
