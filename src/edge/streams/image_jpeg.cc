// SPDX-License-Identifier: Apache-2.0
// The one file that knows libjpeg.
#include <dlfcn.h>
#include <fmt/format.h>
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <memory>

#include "core/loaded_library.h"
#include "edge/streams/image_file.h"

namespace moru::edge {
namespace {

/// The functions used, without their jpeg_.
#define MORU_JPEG_FUNCTIONS(X) \
  X(std_error)                 \
  X(CreateDecompress)          \
  X(mem_src)                   \
  X(read_header)               \
  X(start_decompress)          \
  X(read_scanlines)            \
  X(finish_decompress)         \
  X(destroy_decompress)

struct Jpeg {
#define MORU_JPEG_MEMBER(name) decltype(&::jpeg_##name) name = nullptr;
  MORU_JPEG_FUNCTIONS(MORU_JPEG_MEMBER)  // NOLINT(readability-identifier-naming): its names
#undef MORU_JPEG_MEMBER
};

Result<Jpeg> load() {
  MORU_ASSIGN_OR_RETURN(auto library, LoadedLibrary::open("JPEG", "libjpeg.so.62", "libjpeg62-turbo"));
  Jpeg jpeg;
#define MORU_JPEG_LOOK_UP(name) library.find("jpeg_" #name, jpeg.name);
  MORU_JPEG_FUNCTIONS(MORU_JPEG_LOOK_UP)
#undef MORU_JPEG_LOOK_UP
  MORU_RETURN_IF_ERROR(library.has_all("that of libjpeg-turbo"));
  return jpeg;
}

/// Loaded once, and never destroyed.
const Result<Jpeg>& library() {
  static const Result<Jpeg>* const instance = new Result<Jpeg>(load());  // never destroyed
  return *instance;
}

/// libjpeg tells of an error by a call that must not return: it jumps back to run().
struct Reader {
  jpeg_decompress_struct state{};
  jpeg_error_mgr errors{};
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> message{};
};

[[noreturn]] void give_up(j_common_ptr state) {
  auto* const reader = static_cast<Reader*>(state->client_data);
  state->err->format_message(state, reader->message.data());
  std::longjmp(reader->back, 1);
}

enum class Step : std::uint8_t { kHead, kPixels };

/// False after an error. No object with a destructor lives here: the jump would pass it by.
bool run(const Jpeg& jpeg, Reader& reader, Step step, std::uint8_t* pixels, std::size_t row_bytes) {
  if (setjmp(reader.back) != 0) return false;
  if (step == Step::kHead) return jpeg.read_header(&reader.state, TRUE) == JPEG_HEADER_OK;
  jpeg.start_decompress(&reader.state);
  while (reader.state.output_scanline < reader.state.output_height) {
    JSAMPROW row = pixels + row_bytes * reader.state.output_scanline;
    jpeg.read_scanlines(&reader.state, &row, 1);
  }
  jpeg.finish_decompress(&reader.state);
  // It fills what is missing with grey and only warns.
  return reader.errors.num_warnings == 0;
}

bool start(const Jpeg& jpeg, Reader& reader, std::string_view bytes) {
  reader.state.err = jpeg.std_error(&reader.errors);
  reader.errors.error_exit = give_up;
  reader.errors.emit_message = [](j_common_ptr state, int level) {
    if (level < 0 && state->err->num_warnings++ == 0) {
      auto* const self = static_cast<Reader*>(state->client_data);
      state->err->format_message(state, self->message.data());
    }
  };
  reader.state.client_data = &reader;
  if (setjmp(reader.back) != 0) return false;
  jpeg.CreateDecompress(&reader.state, JPEG_LIB_VERSION, sizeof(reader.state));
  jpeg.mem_src(&reader.state, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));  // NOLINT(google-runtime-int): its type
  return true;
}

Result<Image> decode(const Jpeg& jpeg, Reader& reader, std::string_view bytes) {
  const auto corrupt = [&] {
    return fail(ErrorCode::kCorrupt, fmt::format("JPEG: {}, expected a whole file", static_cast<const char*>(reader.message.data())));
  };
  if (!start(jpeg, reader, bytes) || !run(jpeg, reader, Step::kHead, nullptr, 0)) return corrupt();
  const bool grey = reader.state.jpeg_color_space == JCS_GRAYSCALE;
  reader.state.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
  MORU_ASSIGN_OR_RETURN(auto image, blank_image(reader.state.image_height, reader.state.image_width, grey ? 1 : 3));
  if (!run(jpeg, reader, Step::kPixels, image.bytes.data(), image.width * image.channels)) return corrupt();
  return image;
}

}  // namespace

Result<Image> decode_jpeg(std::string_view bytes) {
  const auto& jpeg = library();
  if (!jpeg) return fail(jpeg.error());
  const auto reader = std::make_unique<Reader>();
  auto image = decode(*jpeg, *reader, bytes);
  jpeg->destroy_decompress(&reader->state);
  return image;
}

}  // namespace moru::edge
