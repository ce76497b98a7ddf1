// SPDX-License-Identifier: Apache-2.0
// What a plan is made of.
#pragma once

#include <cstddef>

namespace moru::runtime::engine {

using BufferId = int;

/// The buffers of one run, each where it lies in it.
class Frame {
 public:
  explicit Frame(std::byte* const* buffers) : buffers_(buffers) {}
  template <class T>
  T* at(BufferId buffer) const {
    return reinterpret_cast<T*>(buffers_[buffer]);
  }

 private:
  std::byte* const* buffers_;
};

/// One call of a kernel, or a few. Immutable: several runs of one plan use it at once.
class Step {
 public:
  Step() = default;
  virtual ~Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  /// Allocates nothing, blocks nowhere, cannot fail.
  virtual void run(const Frame& frame) const noexcept = 0;
};

}  // namespace moru::runtime::engine
