// SPDX-License-Identifier: Apache-2.0
// Whether this is a build with a sanitizer, which has an allocator of its own and is slow.
#pragma once

#ifdef __has_feature
#define MORU_ADDRESS_SANITIZED __has_feature(address_sanitizer)
#define MORU_THREAD_SANITIZED __has_feature(thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define MORU_ADDRESS_SANITIZED 1
#else
#define MORU_ADDRESS_SANITIZED 0
#endif
#ifdef __SANITIZE_THREAD__
#define MORU_THREAD_SANITIZED 1
#else
#define MORU_THREAD_SANITIZED 0
#endif
#endif

#define MORU_SANITIZED (MORU_ADDRESS_SANITIZED || MORU_THREAD_SANITIZED)
