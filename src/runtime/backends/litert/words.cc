// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/words.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/text.h"

namespace moru::runtime::litert {
namespace {

/// What was printed on a thread; of more than fits the end is lost.
struct Printed {
  char text[4096];
  std::size_t size = 0;
};
thread_local Printed printed;

ssize_t keep(void*, const char* text, std::size_t size) {
  const std::size_t taken = std::min(size, sizeof printed.text - printed.size);
  std::memcpy(printed.text + printed.size, text, taken);
  printed.size += taken;
  return static_cast<ssize_t>(size);
}

/// Unbuffered, so that each thread's words come at once and on that thread.
std::FILE* make_stream() {
  std::FILE* stream = ::fopencookie(nullptr, "w", {.read = nullptr, .write = keep, .seek = nullptr, .close = nullptr});
  if (stream != nullptr) std::setvbuf(stream, nullptr, _IONBF, 0);
  return stream;
}

std::unexpected<Error> failed(std::string_view found) {
  return fail(ErrorCode::kUnavailable,
              fmt::format("backend litert: found {}, expected a library whose messages can be kept off stderr", found));
}

/// The loader's tables hold addresses as numbers.
template <class T>
T* at(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

/// The place where the library keeps the address of `stderr`: a relocation of the kind that only stores a symbol's address.
ElfW(Addr) * find_slot(const link_map& library) {
#if defined(__x86_64__)
  constexpr ElfW(Word) kStoresAddress = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
  constexpr ElfW(Word) kStoresAddress = R_AARCH64_GLOB_DAT;
#endif
  const ElfW(Sym)* symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela)* relocations = nullptr;
  std::size_t size = 0;
  for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SYMTAB) symbols = at<const ElfW(Sym)>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) names = at<const char>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELA) relocations = at<const ElfW(Rela)>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELASZ) size = entry->d_un.d_val;
  }
  if (symbols == nullptr || names == nullptr || relocations == nullptr) return nullptr;
  for (const ElfW(Rela)* one = relocations; one < relocations + size / sizeof *relocations; ++one) {
    if (ELF64_R_TYPE(one->r_info) != kStoresAddress) continue;
    const std::string_view name(names + symbols[ELF64_R_SYM(one->r_info)].st_name);
    if (name == "stderr") return at<ElfW(Addr)>(library.l_addr + one->r_offset);
  }
  return nullptr;
}

}  // namespace

Status keep_words(void* handle) {
  // Never closed: threads of the library may print at any time.
  static std::FILE* const stream = make_stream();
  if (stream == nullptr) return failed("no memory for a stream");
  link_map* library = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&library)) != 0) return failed("no link map");
  ElfW(Addr)* slot = find_slot(*library);
  if (slot == nullptr) return failed("no use of stderr");
  // The loader has made the page read-only when it was done.
  const auto page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  void* const start = at<void>(reinterpret_cast<std::uintptr_t>(slot) / page_size * page_size);
  if (::mprotect(start, page_size, PROT_READ | PROT_WRITE) != 0) return failed("a page that cannot be written");
  *slot = reinterpret_cast<std::uintptr_t>(&stream);
  ::mprotect(start, page_size, PROT_READ);
  return {};
}

void forget_words() { printed.size = 0; }

std::string take_words() {
  constexpr std::string_view kError = "ERROR: ";
  constexpr std::size_t kLongest = 600;
  std::string words;
  for (std::string_view line : split({printed.text, printed.size}, '\n')) {
    if (!line.starts_with(kError)) continue;
    line.remove_prefix(kError.size());
    if (words.size() + line.size() > kLongest) break;
    words += (words.empty() ? "" : "; ") + std::string(line);
  }
  forget_words();
  // Names out of the model are among them.
  std::ranges::replace_if(words, [](unsigned char one) { return one < ' ' || one > '~'; }, '?');
  return words;
}

}  // namespace moru::runtime::litert
