// SPDX-License-Identifier: Apache-2.0
// Released bundles as files, named by their SHA-256.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"

namespace moru::fleet {

/// What a bundle says of itself, unverified: the hub files bundles away, the nodes judge them.
struct BundleLabel {
  std::string name;
  std::int64_t release = 0;
};
/// kInvalidArgument when the bytes are no bundle or the header is unreadable. Damaged files inside and signatures are not
/// looked at.
Result<BundleLabel> read_bundle_label(std::string_view bytes);

/// Threads: all functions from any thread.
class Artefacts {
 public:
  static Result<Artefacts> open(const Path& folder);
  /// Stores the bytes under their digest, which it returns; whole or not at all. The same bytes again change nothing.
  Result<std::string> put(std::string_view bytes) const;
  /// Where the bytes of that digest lie; kNotFound, kCorrupt when the file's size is not `size`.
  Result<Path> find(const std::string& sha256, std::uint64_t size) const;

 private:
  explicit Artefacts(Path folder) : folder_(std::move(folder)) {}
  Path folder_;
};

}  // namespace moru::fleet
