// SPDX-License-Identifier: Apache-2.0
// A backend's library on this machine: got, looked at, removed. The folder is $MORU_HOME/backends/NAME.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/backend.h"
#include "runtime/install/manifest.h"

namespace moru::runtime {

enum class InstallStep {
  kFetch,   ///< bytes of the archive so far; its size when the table knows it
  kUnpack,  ///< bytes taken out so far, of all
  kPut,     ///< all is written; the next thing is the rename
};

struct InstallOptions {
  Path from;  ///< a folder with the archives; empty: the package clients
  std::function<void(InstallStep step, const PackageSpec& package, std::uint64_t done, std::uint64_t total)> progress = {};
};

enum class InstallState {
  kAbsent,
  kOk,            ///< each file is as it was installed, and the packages are those of this build
  kChanged,       ///< a file is missing or has another digest, or the manifest is damaged
  kOtherVersion,  ///< this build pins other packages
  kOwn,           ///< a folder without a manifest: the user's own
};
/// "not installed", "ok", "changed", "other version", "not by moru"
std::string_view to_string(InstallState state);

struct Installation {
  InstallState state = InstallState::kAbsent;
  Path folder;
  Manifest manifest;   ///< empty unless there is one that can be read
  std::string detail;  ///< what was found when the state is neither absent nor ok
  std::uint64_t size_bytes = 0;
};

/// Reads every file that was installed. Threads: any.
Installation look_at_installation(const BackendSpec& backend);

/// Installs a backend's packages, replacing what an earlier install put there; nothing is done when that is right already. One process
/// at a time. Errors: kInvalidArgument (a backend without packages, a folder of the user's own), kUnsupported (no package for this
/// machine), kUnavailable (no client, or it could not; another install runs), kNotFound (not in `from`), kCorrupt (another
/// digest, a damaged archive), kIo, kCancelled when a stop is requested. After an error the old one is there, whole.
Result<Installation> install_backend(const BackendSpec& backend, const InstallOptions& options);

/// Removes the files that were installed, and the folder when nothing else is in it; what it held. Errors: kNotFound, kInvalidArgument for
/// a folder of the user's own, kUnavailable (an install runs), kCorrupt (a damaged manifest), kIo.
Result<Manifest> remove_backend(const BackendSpec& backend);

}  // namespace moru::runtime
