// SPDX-License-Identifier: Apache-2.0
// The one file that knows libpng.
#include <dlfcn.h>
#include <fmt/format.h>
#include <png.h>

#include <algorithm>

#include "core/loaded_library.h"
#include "core/text.h"
#include "edge/streams/image_file.h"

namespace moru::edge {
namespace {

/// Of its simplified interface, which has no jumps out of our frames.
struct Png {
  decltype(&::png_image_begin_read_from_memory) begin = nullptr;
  decltype(&::png_image_finish_read) finish = nullptr;
  decltype(&::png_image_free) free = nullptr;
};

Result<Png> load() {
  MORU_ASSIGN_OR_RETURN(auto library, LoadedLibrary::open("PNG", "libpng16.so.16", "libpng16-16"));
  Png png;
  library.find("png_image_begin_read_from_memory", png.begin);
  library.find("png_image_finish_read", png.finish);
  library.find("png_image_free", png.free);
  MORU_RETURN_IF_ERROR(library.has_all("release 1.6"));
  return png;
}

/// Loaded once, and never destroyed.
const Result<Png>& library() {
  static const Result<Png>* const instance = new Result<Png>(load());  // never destroyed
  return *instance;
}

std::unexpected<Error> corrupt(const png_image& head) {
  return fail(ErrorCode::kCorrupt, fmt::format("PNG: {}, expected a whole file", trim(static_cast<const char*>(head.message))));
}

}  // namespace

Result<Image> decode_png(std::string_view bytes) {
  const auto& png = library();
  if (!png) return fail(png.error());
  png_image head{};
  head.version = PNG_IMAGE_VERSION;
  if (png->begin(&head, bytes.data(), bytes.size()) == 0) return corrupt(head);
  const bool colour = (head.format & PNG_FORMAT_FLAG_COLOR) != 0;
  head.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  auto image = blank_image(head.height, head.width, colour ? 3 : 1);
  if (!image) {
    png->free(&head);
    return image;
  }
  // What is transparent lies on black.
  const png_color black{};
  if (png->finish(&head, &black, image->bytes.data(), 0, nullptr) == 0) return corrupt(head);
  return image;
}

}  // namespace moru::edge
