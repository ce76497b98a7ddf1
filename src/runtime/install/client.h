// SPDX-License-Identifier: Apache-2.0
// The machine's package clients, as far as one archive is to be got with them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

/// How many bytes the client has put down so far.
using FetchProgress = std::function<void(std::uint64_t bytes)>;

/// The file name of a package's archive, as its client calls it.
std::string archive_name(const PackageSpec& package);

/// A command that gets the archive on a machine with a network, for people to copy.
std::string fetch_command(const PackageSpec& package);

/// Fetches a package's archive with its client, which works in `folder` alone; where it lies there. Nothing is verified.
/// Errors: kUnavailable (no such client, or it could not, in its own words), kDeadlineExceeded when it is silent for
/// minutes, kCancelled.
Result<Path> fetch_package(const PackageSpec& package, const Path& folder, const FetchProgress& progress);

/// The package's archive in a folder of the user's. Errors: kNotFound with what was looked for.
Result<Path> find_archive(const PackageSpec& package, const Path& folder);

}  // namespace moru::runtime
