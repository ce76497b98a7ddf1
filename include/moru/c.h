/* SPDX-License-Identifier: Apache-2.0 */
/* Running models from C, and from whatever can call C.
 *
 *   Errors     A function that can fail returns a moru_code, MORU_OK being 0, and fills the moru_error that it is given, if any. Nothing is
 *              kept in globals. No input crashes: a null pointer where one must not be is MORU_INVALID_ARGUMENT.
 *   Ownership  What the caller gives is borrowed for the call. What a session points to (ports, memory) is the session's, until moru_bind()
 *              or moru_free().
 *   Threads    A session takes one call at a time and may move between threads. Different sessions, clones too, may run at the same time.
 *   Growth     Structs that the library fills may grow at their end; moru_options carries its size; the others stay as they are. Numbers of
 *              codes and types never change their meaning. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MORU_VERSION_MAJOR 0
#define MORU_VERSION_MINOR 1
#define MORU_VERSION_PATCH 0
#define MORU_VERSION "0.1.0"

#if defined(__GNUC__)
#define MORU_API __attribute__((visibility("default")))
#else
#define MORU_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, MORU_VERSION being that of this header. */
MORU_API const char* moru_version(void);

/* Why something failed. */
typedef int32_t moru_code;
enum {
  MORU_OK = 0,
  MORU_INVALID_ARGUMENT = 1,   /* the caller gave something wrong */
  MORU_NOT_FOUND = 2,          /* no such file or backend */
  MORU_UNSUPPORTED = 3,        /* a right model that this backend cannot run */
  MORU_CORRUPT = 4,            /* a damaged model */
  MORU_IO = 5,                 /* the system refused a read */
  MORU_RESOURCE_EXHAUSTED = 6, /* out of memory, or above a limit */
  MORU_UNAVAILABLE = 7,        /* a backend's library or device is missing */
  MORU_DEADLINE_EXCEEDED = 8,
  MORU_CANCELLED = 9,
  MORU_INTERNAL = 10 /* a bug in Moru */
};
/* "invalid argument"; "unknown" for a number that is no code. */
MORU_API const char* moru_code_name(moru_code code);

/* The caller's own; a longer message is cut. */
typedef struct moru_error {
  moru_code code;
  char message[1020]; /* UTF-8: "where: what was found, what was expected; what to do" */
} moru_error;

/* Element types, with ONNX's numbers. Those of 4 bits lie two a byte, the first in the low bits. */
typedef int32_t moru_dtype;
enum {
  MORU_FLOAT32 = 1,
  MORU_UINT8 = 2,
  MORU_INT8 = 3,
  MORU_UINT16 = 4,
  MORU_INT16 = 5,
  MORU_INT32 = 6,
  MORU_INT64 = 7,
  MORU_BOOL = 9,
  MORU_FLOAT16 = 10,
  MORU_FLOAT64 = 11,
  MORU_UINT32 = 12,
  MORU_UINT64 = 13,
  MORU_COMPLEX64 = 14,
  MORU_COMPLEX128 = 15,
  MORU_BFLOAT16 = 16,
  MORU_FLOAT8E4M3FN = 17,
  MORU_FLOAT8E4M3FNUZ = 18,
  MORU_FLOAT8E5M2 = 19,
  MORU_FLOAT8E5M2FNUZ = 20,
  MORU_UINT4 = 21,
  MORU_INT4 = 22
};
/* "float32"; "unknown" for a number that is no type. */
MORU_API const char* moru_dtype_name(moru_dtype dtype);

/* A loaded model. */
typedef struct moru_session moru_session;

/* A setting that only one backend has. */
typedef struct moru_setting {
  const char* name;
  const char* value;
} moru_setting;

/* Where and how a model runs. Start from MORU_OPTIONS. */
typedef struct moru_options {
  size_t struct_size;  /* sizeof(moru_options) */
  const char* backend; /* "native" when null; "openvino", "onnxruntime:cuda" */
  const char* device;  /* one of the backend's devices; its default when null */
  int32_t threads;     /* that a run may take, the caller's among them; 1 when 0 */
  const moru_setting* settings;
  size_t setting_count;
} moru_options;
#define MORU_OPTIONS {sizeof(moru_options), NULL, NULL, 0, NULL, 0}

/* Loads an ONNX or TFLite model; `options` may be null. Open extents are bound to 1 until moru_bind() says otherwise. `*session` is the
 * caller's, for moru_free(); null after an error. Everything that can be prepared is prepared here: it takes milliseconds, or longer. The
 * file or the bytes are not needed afterwards; weights that an ONNX model keeps in files beside it are not read. */
MORU_API moru_code moru_load_file(const char* path, const moru_options* options, moru_session** session, moru_error* error);
MORU_API moru_code moru_load_bytes(const void* bytes, size_t size_bytes, const moru_options* options, moru_session** session,
                                   moru_error* error);
/* Another session of the same model, options and shapes, to run at the same time: it has memory and threads of its own, and shares the
 * weights. Both live as long as they like. A call on `session`, as for its one call at a time. MORU_UNSUPPORTED on other backends than
 * "native": load the model again. */
MORU_API moru_code moru_clone(const moru_session* session, moru_session** copy, moru_error* error);

/* Null is fine. */
MORU_API void moru_free(moru_session* session);

/* An input or output. */
typedef struct moru_port {
  const char* name;
  moru_dtype dtype;
  size_t rank;
  const int64_t* dims;          /* as the model says; -1 for an open extent */
  const char* const* dim_names; /* of open extents ("N"), which are equal where their names are; "" without one */
  const int64_t* bound_dims;    /* of the next run; -1 in an output whose extents nobody knows before it, which moru_run() refuses */
  size_t size_bytes;            /* of the memory that the next run needs here; 0 with extents that are not known */
} moru_port;
MORU_API size_t moru_input_count(const moru_session* session);
MORU_API size_t moru_output_count(const moru_session* session);
/* Null for an index that is none. */
MORU_API const moru_port* moru_input(const moru_session* session, size_t index);
MORU_API const moru_port* moru_output(const moru_session* session, size_t index);

typedef struct moru_shape {
  const int64_t* dims;
  size_t rank;
} moru_shape;
/* Sets the shapes of the inputs, one each, for the runs that follow; the outputs' follow from them. Takes as long as loading, so that runs
 * need not. After an error, all is as it was before the call. */
MORU_API moru_code moru_bind(moru_session* session, const moru_shape* inputs, size_t input_count, moru_error* error);

/* What the session holds as it is bound now: will it fit? */
typedef struct moru_memory {
  uint64_t weight_bytes; /* weights as they are kept for running */
  uint64_t arena_bytes;  /* what lies between layers */
} moru_memory;
/* Null where a backend cannot tell; "native" can. */
MORU_API const moru_memory* moru_memory_need(const moru_session* session);

/* The caller's memory: dense, row by row; an input may be any bytes that are `size_bytes` of the port, but aligned for its type. */
typedef struct moru_const_buffer {
  const void* data;
  size_t size_bytes; /* as the port's */
  moru_dtype dtype;  /* as the port's */
} moru_const_buffer;
typedef struct moru_buffer {
  void* data;
  size_t size_bytes;
  moru_dtype dtype;
} moru_buffer;
/* One inference, from and into the caller's memory, in the order of the ports. Outputs overlap nothing. On "native": no allocation or lock,
 * and no system call, but with several threads to wake one and to park (futex). After an error the outputs hold anything. */
MORU_API moru_code moru_run(moru_session* session, const moru_const_buffer* inputs, size_t input_count, const moru_buffer* outputs,
                            size_t output_count, moru_error* error);

#ifdef __cplusplus
}
#endif
