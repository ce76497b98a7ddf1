// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/borders.h"

#include <cstdint>
#include <cstring>

namespace moru::runtime::engine {
namespace {

class BorderStep final : public ElementsStep {
 public:
  BorderStep(BufferId from, BufferId to, std::size_t bytes, bool flip, const kernels::Kernels& kernels)
      : ElementsStep(bytes), from_(from), to_(to), flip_(flip), flip_u8_(kernels.elementwise->flip_u8) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    if (flip_) {
      flip_u8_(frame.at<const std::uint8_t>(from_) + first, frame.at<std::uint8_t>(to_) + first, count);
    } else {
      std::memcpy(frame.at<std::byte>(to_) + first, frame.at<const std::byte>(from_) + first, count);
    }
  }

 private:
  BufferId from_;
  BufferId to_;
  bool flip_;
  void (*flip_u8_)(const std::uint8_t* x, std::uint8_t* y, std::size_t count);
};

}  // namespace

std::unique_ptr<Step> make_border(BufferId from, BufferId to, std::size_t bytes, bool flip, const kernels::Kernels& kernels) {
  return std::make_unique<BorderStep>(from, to, bytes, flip, kernels);
}

}  // namespace moru::runtime::engine
