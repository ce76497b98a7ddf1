// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/artefacts/artefacts.h"

#include <fmt/format.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/text.h"
#include "model/formats/bundle/bundle.h"

namespace moru::fleet {

Result<BundleLabel> read_bundle_label(std::string_view bytes) {
  // The reader hands what is signed to its verifier first: 16 bytes of magic and sizes, then the header's JSON.
  constexpr std::size_t kPrefixBytes = 16;
  constexpr std::string_view kWhere = "release";
  std::string header;
  const auto keep = [&](std::string_view message, std::string_view) -> Status {
    header = message.substr(std::min(kPrefixBytes, message.size()));
    return {};
  };
  const auto bundle = model::Bundle::open(bytes, keep, kWhere);
  if (header.empty()) return fail(ErrorCode::kInvalidArgument, bundle ? "release: the bundle has no header" : bundle.error().message);
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(header, kWhere));
  BundleLabel label;
  MORU_ASSIGN_OR_RETURN(label.name, json_field<std::string>(json, "name", kWhere));
  MORU_ASSIGN_OR_RETURN(label.release, json_field<std::int64_t>(json, "version", kWhere));
  if (label.release < 1)
    return fail(ErrorCode::kInvalidArgument, fmt::format("release: found version {}, expected 1 or more", label.release));
  if (label.name.empty() || label.name.size() > 128) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("release: found a name of {} bytes, expected 1 to 128", label.name.size()));
  }
  return label;
}

Result<Artefacts> Artefacts::open(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  return Artefacts(folder);
}

Result<std::string> Artefacts::put(std::string_view bytes) const {
  std::string digest = sha256_hex(bytes);
  if (find(digest, bytes.size())) return digest;
  MORU_RETURN_IF_ERROR(write_file_atomic(folder_ / digest, bytes, 0600));
  return digest;
}

Result<Path> Artefacts::find(const std::string& sha256, std::uint64_t size) const {
  const Path path = folder_ / sha256;
  std::error_code error;
  const auto found = std::filesystem::file_size(path, error);
  if (error) return fail(ErrorCode::kNotFound, fmt::format("artefact '{}': {}; push the release again", path.string(), error.message()));
  if (found != size) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("artefact '{}': found {} bytes, expected {}; push the release again", path.string(), found, size));
  }
  return path;
}

}  // namespace moru::fleet
