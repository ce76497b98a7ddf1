/* SPDX-License-Identifier: Apache-2.0
 * The C interface of a runtime that somebody else made: what a backend is written against. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(modernize-use-using,readability-identifier-naming): it is C */

#ifdef __cplusplus
extern "C" {
#endif

#define SKELETON_API __attribute__((visibility("default")))

/* Row-major; its element type is that of the model's input or output. */
typedef struct {
  const int64_t* extents;
  size_t rank;
  const void* data;
  size_t size; /* bytes */
} SkeletonTensor;
typedef struct SkeletonModel SkeletonModel;

/* "1.4": the first number changes when the interface does. */
SKELETON_API const char* skeleton_version(void);
/* Why the last call on this thread failed. */
SKELETON_API const char* skeleton_last_error(void);
/* An ONNX model; null when it is none or has an op that is not known. */
SKELETON_API SkeletonModel* skeleton_load(const void* onnx, size_t size);
SKELETON_API void skeleton_free(SkeletonModel* model);
/* 0 when all is well. */
SKELETON_API int skeleton_run(SkeletonModel* model, const SkeletonTensor* inputs, size_t count);
/* An output of the last run, borrowed until the next. */
SKELETON_API SkeletonTensor skeleton_output(const SkeletonModel* model, size_t index);

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-use-using,readability-identifier-naming) */
