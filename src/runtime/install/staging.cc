// SPDX-License-Identifier: Apache-2.0
#include "runtime/install/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstdio>
#include <vector>

namespace moru::runtime {
namespace {

constexpr std::string_view kPattern = "XXXXXX";

/// Names of create()'s making: ".NAME-XXXXXX".
bool is_litter(const Path& path) {
  const std::string name = path.filename().string();
  return name.size() > kPattern.size() + 2 && name.front() == '.' && name[name.size() - kPattern.size() - 1] == '-';
}

void sweep(const Path& root) {
  std::error_code error;
  std::vector<Path> litter;
  for (auto it = std::filesystem::directory_iterator(root, error); !error && it != std::filesystem::end(it); it.increment(error)) {
    if (is_litter(it->path())) litter.push_back(it->path());
  }
  for (const Path& path : litter) std::filesystem::remove_all(path, error);
}

/// Makes the names in a folder and in all below it durable; the files were made so as they were written.
Status sync_tree(const Path& root) {
  MORU_RETURN_IF_ERROR(sync_folder(root));
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(root, error); !error && it != std::filesystem::end(it);
       it.increment(error)) {
    if (it->is_directory(error)) MORU_RETURN_IF_ERROR(sync_folder(it->path()));
  }
  if (error) return fail(ErrorCode::kIo, fmt::format("read folder '{}': {}", root.string(), error.message()));
  return {};
}

}  // namespace

Result<Staging> Staging::create(const Path& root, std::string_view name) {
  sweep(root);
  std::string pattern = (root / fmt::format(".{}-{}", name, kPattern)).string();
  if (::mkdtemp(pattern.data()) == nullptr) return fail(errno_error("make folder", pattern));
  Staging staging(pattern, root / name);
  MORU_RETURN_IF_ERROR(make_folders(staging.work()));
  MORU_RETURN_IF_ERROR(make_folders(staging.result()));
  return staging;
}

Staging::~Staging() {
  std::error_code ignored;
  if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
}

Status Staging::put() const {
  MORU_RETURN_IF_ERROR(sync_tree(result()));
  std::error_code error;
  if (!std::filesystem::exists(target_, error)) {
    if (::rename(result().c_str(), target_.c_str()) != 0) return fail(errno_error("rename to", target_));
  } else if (::renameat2(AT_FDCWD, result().c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
    // A folder cannot be renamed over one with files in it, but two can swap their names, on most file systems.
    const bool cannot = errno == EINVAL || errno == ENOSYS;
    Error why = errno_error("swap with", target_);
    if (cannot) why.message += ", expected a file system that can swap two folders; remove the old one first";
    return fail(why);
  }
  return sync_folder(target_.parent_path());
}

}  // namespace moru::runtime
