// SPDX-License-Identifier: Apache-2.0
// A folder in the making beside the one that it will replace.
#pragma once

#include <string_view>

#include "core/files.h"
#include "core/result.h"

namespace moru::runtime {

/// ROOT/.NAME-XXXXXX with work() for what is needed meanwhile and result() for what will be ROOT/NAME. Removed with the object.
class Staging {
 public:
  /// Removes what earlier ones left in `root` when their process was killed: the caller holds a lock on it.
  static Result<Staging> create(const Path& root, std::string_view name);
  Staging(Staging&& other) noexcept : root_(std::move(other.root_)), target_(std::move(other.target_)) { other.root_.clear(); }
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  Path work() const { return root_ / "work"; }
  Path result() const { return root_ / "result"; }
  /// Makes result() durable, and the folder ROOT/NAME by one rename: after a crash either the old or the new one is there, whole.
  Status put() const;

 private:
  Staging(Path root, Path target) : root_(std::move(root)), target_(std::move(target)) {}
  Path root_;
  Path target_;
};

}  // namespace moru::runtime
