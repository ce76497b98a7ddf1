/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <moru/c.h>

#ifdef __cplusplus
extern "C" {
#endif
moru_code load_from_c(const char* path, const char* backend, moru_session** session, moru_error* error);
#ifdef __cplusplus
}
#endif
