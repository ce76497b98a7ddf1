// SPDX-License-Identifier: Apache-2.0
// What an installed backend's folder holds: manifest.json in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace moru::runtime {

struct InstalledFile {
  std::string file;  ///< path inside the folder
  std::uint64_t size_bytes = 0;
  std::string sha256;
};
struct InstalledPackage {
  std::string name;
  std::string version;
  std::string sha256;  ///< of the archive
};

struct Manifest {
  std::string backend;
  std::string installed_at;  ///< UTC
  std::vector<InstalledPackage> packages;
  std::vector<InstalledFile> files;
};

inline constexpr const char* kManifestFile = "manifest.json";

Status write_manifest(const Manifest& manifest, const Path& folder);

/// Errors: kNotFound when the folder has none; kCorrupt for one that was damaged, also when it names files outside the folder.
Result<Manifest> read_manifest(const Path& folder);

}  // namespace moru::runtime
