// SPDX-License-Identifier: Apache-2.0
// Libraries that answer as CUDA's driver does: one that finds no GPU, one that cannot start, one with two.
#include <cstring>

#define MORU_SHOWN __attribute__((visibility("default")))

// NOLINTBEGIN(readability-identifier-naming): the names are the driver's
extern "C" {

#if defined(MORU_CUDA_no_device)
MORU_SHOWN int cuInit(unsigned) { return 100; }
#elif defined(MORU_CUDA_broken)
MORU_SHOWN int cuInit(unsigned) { return 999; }
#else
MORU_SHOWN int cuInit(unsigned) { return 0; }
#endif
MORU_SHOWN int cuDeviceGetCount(int* count) {
  *count = 2;
  return 0;
}
MORU_SHOWN int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return 0;
}
MORU_SHOWN int cuDeviceGetAttribute(int* value, int attribute, int device) {
  *value = attribute == 75 ? (device == 0 ? 8 : 9) : (device == 0 ? 9 : 0);
  return 0;
}
MORU_SHOWN int cuDeviceGetName(char* name, int length, int device) {
  std::strncpy(name, device == 0 ? "GPU A" : "GPU B", static_cast<std::size_t>(length));
  return 0;
}
}
// NOLINTEND(readability-identifier-naming)
