/* SPDX-License-Identifier: Apache-2.0 */
/* What c_test.cc asks of a translation unit in C11. */
#include "c11_for_test.h"

moru_code load_from_c(const char* path, const char* backend, moru_session** session, moru_error* error) {
  moru_options options = MORU_OPTIONS;
  options.backend = backend;
  return moru_load_file(path, &options, session, error);
}
