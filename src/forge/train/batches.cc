// SPDX-License-Identifier: Apache-2.0
#include "forge/train/batches.h"

#include <numeric>

namespace moru::forge {

Batches::Batches(const ImageSet& set, double mean, double std, const BatchOptions& options)
    : set_(set),
      options_(options),
      table_(normalisation_table(mean, std)),
      random_(options.seed),
      order_(static_cast<std::size_t>(set.size())),
      position_(order_.size()),
      images_(static_cast<std::size_t>(options.batch * set.height() * set.width())),
      labels_(static_cast<std::size_t>(options.batch)) {
  MORU_CHECK(options.batch >= 1 && options.batch <= set.size());
  std::iota(order_.begin(), order_.end(), 0);
}

void Batches::next() {
  if (position_ + labels_.size() > order_.size()) {
    random_.shuffle(std::span(order_));
    position_ = 0;
  }
  const std::size_t image_size = images_.size() / labels_.size();
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const std::int64_t index = order_[position_++];
    labels_[i] = set_.label(index);
    place(set_.pixels(index), std::span(images_).subspan(i * image_size, image_size));
  }
}

void Batches::place(std::span<const std::uint8_t> pixels, std::span<float> out) {
  const std::int64_t height = set_.height();
  const std::int64_t width = set_.width();
  const auto draw = [&] {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * options_.shift_px + 1))) - options_.shift_px;
  };
  const std::int64_t down = draw();
  const std::int64_t right = draw();
  const bool mirrored = options_.flip && random_.below(2) == 1;
  std::size_t at = 0;
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t from_y = y - down;
    for (std::int64_t x = 0; x < width; ++x, ++at) {
      const std::int64_t shifted = x - right;
      const std::int64_t from_x = mirrored ? width - 1 - shifted : shifted;
      const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
      out[at] = table_[inside ? pixels[static_cast<std::size_t>(from_y * width + from_x)] : 0];
    }
  }
}

}  // namespace moru::forge
