// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/result.h"

namespace moru::model::onnx {

/// What reading may still take of the machine. Charged before memory is asked for, by estimates that are rather too high.
class ReadBudget {
 public:
  explicit ReadBudget(std::uint64_t max_memory_bytes) : limit_(max_memory_bytes) {}
  /// kResourceExhausted when no `bytes` are left.
  Status take(std::uint64_t bytes);

 private:
  std::uint64_t limit_;
  std::uint64_t taken_ = 0;
};

}  // namespace moru::model::onnx
