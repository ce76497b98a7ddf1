// SPDX-License-Identifier: Apache-2.0
// Whether this is a build with a sanitizer, which has an allocator of its own and is slow.
#pragma once

#ifdef __has_feature
#define MORU_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define MORU_SANITIZED 0
#endif
