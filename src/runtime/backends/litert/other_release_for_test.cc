// SPDX-License-Identifier: Apache-2.0
// A library that exports what LiteRT does, but for a function that came or went with another release: MORU_LITERT_HAS names what it has.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the names are the library's.
__attribute__((visibility("default"))) int LiteRtCreateEnvironment() noexcept { return 0; }
__attribute__((visibility("default"))) int MORU_LITERT_HAS() noexcept { return 0; }
// NOLINTEND(readability-identifier-naming)
}
