// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/config.h"

namespace moru::edge {

/// Where a stage finds its password: in a file or in a variable of the environment, never in the stream file, which is shown and shared.
class Secret {
 public:
  /// Reads `password_file` and `password_variable`; the reader is finished by the caller.
  void read(ConfigReader& reader);
  /// Errors: both are given.
  Status check(const ConfigObject& object) const;
  /// One of them is given.
  bool is_given() const { return !file_.empty() || !variable_.empty(); }
  /// Nothing where neither is given. Looked up anew at each call, so that a password can be changed while the stream runs.
  /// Errors: kNotFound, kIo; no message carries it.
  Result<std::optional<std::string>> get() const;

 private:
  std::string file_;
  std::string variable_;
};

}  // namespace moru::edge
