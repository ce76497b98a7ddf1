// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/secret.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/files.h"

namespace moru::edge {

void Secret::read(ConfigReader& reader) {
  reader.optional("password_file", &file_);
  reader.optional("password_variable", &variable_);
}

Status Secret::check(const ConfigObject& object) const {
  if (file_.empty() || variable_.empty()) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found 'password_file' and 'password_variable', expected one of them", object.where()));
}

Result<std::optional<std::string>> Secret::get() const {
  constexpr std::uint64_t kLongest = 65'535;  // MQTT has no place for more
  if (!variable_.empty()) {
    const char* const value = std::getenv(variable_.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets variables
    if (value != nullptr) return std::string(value);
    return fail(ErrorCode::kNotFound, fmt::format("found no variable '{}' in the environment, expected the password in it", variable_));
  }
  if (file_.empty()) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(std::string text, read_file(file_, kLongest));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace moru::edge
