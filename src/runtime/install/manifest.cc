// SPDX-License-Identifier: Apache-2.0
#include "runtime/install/manifest.h"

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

constexpr std::uint64_t kMaxBytes = 1U << 20U;

/// A relative path of plain names: what is removed by this list must lie in the folder.
bool is_inside(std::string_view file) {
  return std::ranges::none_of(split(file, '/'), [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

Result<std::vector<Json>> list_of(const Json& object, std::string_view key, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(object, key, where));
  if (!list.is_array())
    return fail(ErrorCode::kCorrupt, fmt::format("{}: found {} as '{}', expected a list", where, list.type_name(), key));
  return std::vector<Json>(list.begin(), list.end());
}

Result<Manifest> from_json(const Json& json, std::string_view where) {
  Manifest manifest;
  MORU_ASSIGN_OR_RETURN(manifest.backend, json_field<std::string>(json, "backend", where));
  MORU_ASSIGN_OR_RETURN(manifest.installed_at, json_field<std::string>(json, "installed_at", where));
  MORU_ASSIGN_OR_RETURN(const auto packages, list_of(json, "packages", where));
  for (const Json& row : packages) {
    InstalledPackage package;
    MORU_ASSIGN_OR_RETURN(package.name, json_field<std::string>(row, "name", where));
    MORU_ASSIGN_OR_RETURN(package.version, json_field<std::string>(row, "version", where));
    MORU_ASSIGN_OR_RETURN(package.sha256, json_field<std::string>(row, "sha256", where));
    manifest.packages.push_back(std::move(package));
  }
  MORU_ASSIGN_OR_RETURN(const auto files, list_of(json, "files", where));
  for (const Json& row : files) {
    InstalledFile file;
    MORU_ASSIGN_OR_RETURN(file.file, json_field<std::string>(row, "file", where));
    MORU_ASSIGN_OR_RETURN(file.size_bytes, json_field<std::uint64_t>(row, "size_bytes", where));
    MORU_ASSIGN_OR_RETURN(file.sha256, json_field<std::string>(row, "sha256", where));
    if (!is_inside(file.file))
      return fail(ErrorCode::kCorrupt, fmt::format("{}: found the file {}, expected one in the folder", where, in_quotes(file.file)));
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace

Status write_manifest(const Manifest& manifest, const Path& folder) {
  Json packages = Json::array();
  for (const auto& one : manifest.packages) packages.push_back({{"name", one.name}, {"version", one.version}, {"sha256", one.sha256}});
  Json files = Json::array();
  for (const auto& one : manifest.files) files.push_back({{"file", one.file}, {"size_bytes", one.size_bytes}, {"sha256", one.sha256}});
  const Json json = {{"backend", manifest.backend},
                     {"installed_at", manifest.installed_at},
                     {"packages", std::move(packages)},
                     {"files", std::move(files)}};
  return write_file_atomic(folder / kManifestFile, json.dump(2) + "\n");
}

Result<Manifest> read_manifest(const Path& folder) {
  const Path path = folder / kManifestFile;
  MORU_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxBytes));
  const std::string where = fmt::format("manifest '{}'", path.string());
  auto json = parse_json(text, where);
  if (!json) return fail(ErrorCode::kCorrupt, json.error().message);
  auto manifest = from_json(*json, where);
  if (!manifest) return fail(ErrorCode::kCorrupt, manifest.error().message);
  return manifest;
}

}  // namespace moru::runtime
