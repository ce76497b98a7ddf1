// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace moru::model::onnx {
namespace {

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

using Entries = std::map<std::string, std::string, std::less<>>;

Result<std::optional<std::uint64_t>> number(const Entries& entries, std::string_view key) {
  const auto it = entries.find(key);
  if (it == entries.end()) return std::optional<std::uint64_t>();
  const std::string& text = it->second;
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size())
    return corrupt(fmt::format("external data: found {} {}, expected a number of bytes", key, in_quotes(text)));
  return std::optional(value);
}

/// A relative path without a step upwards. Links are followed later, and what they lead to is checked.
bool is_inside(const Path& location) {
  return !location.empty() && location.is_relative() && std::ranges::none_of(location, [](const Path& part) { return part == ".."; });
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> ExternalFiles::open(std::string_view location) {
  if (const auto it = files_.find(location); it != files_.end()) return it->second;
  const auto outside = [&] {
    return corrupt(fmt::format("external data: found location {}, expected a file in the model's folder", in_quotes(location)));
  };
  if (location.find('\0') != std::string_view::npos || !is_inside(location)) return outside();
  std::error_code error;
  const Path folder = std::filesystem::canonical(folder_.empty() ? Path(".") : folder_, error);
  const Path file = error ? Path() : std::filesystem::canonical(folder / location, error);
  if (error)
    return fail(ErrorCode::kNotFound,
                fmt::format("external data: found no file {}, expected it in the model's folder", in_quotes(location)));
  const auto [differs, rest] = std::ranges::mismatch(folder, file);
  if (differs != folder.end()) return outside();
  // Before it is opened: opening a pipe would wait.
  if (!std::filesystem::is_regular_file(file, error))
    return corrupt(fmt::format("external data: found {}, which is no regular file, expected one", in_quotes(location)));
  MORU_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(file));
  auto shared = std::make_shared<const MappedFile>(std::move(mapped));
  files_.emplace(location, shared);
  return shared;
}

Result<ExternalPayload> ExternalFiles::locate(const Entries& entries) {
  const auto location = entries.find("location");
  if (location == entries.end()) return corrupt("external data: found no location, expected a file's name");
  MORU_ASSIGN_OR_RETURN(const auto offset, number(entries, "offset"));
  MORU_ASSIGN_OR_RETURN(const auto length, number(entries, "length"));
  MORU_ASSIGN_OR_RETURN(const auto file, open(location->second));
  const std::uint64_t size = file->bytes().size();
  const std::uint64_t start = offset.value_or(0);
  if (start > size || length.value_or(0) > size - start) {
    return corrupt(fmt::format("external data: found offset {} and length {} in {}, expected them within its {} bytes", start,
                               length.value_or(0), in_quotes(location->second), size));
  }
  const std::string_view bytes = file->bytes().substr(start, length.value_or(size - start));
  return ExternalPayload{std::as_bytes(std::span(bytes)), file};
}

}  // namespace moru::model::onnx
