// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/tensorrt/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/loaded_library.h"

namespace moru::runtime::tensorrt {
namespace {

std::unexpected<Error> unavailable(std::string_view found, std::string_view what_to_do) {
  return fail(ErrorCode::kUnavailable, fmt::format("backend tensorrt: found {}, expected an NVIDIA GPU; {}", found, what_to_do));
}

}  // namespace

Result<std::vector<Gpu>> find_gpus(const char* driver) {
  auto library = LoadedLibrary::open("CUDA", driver, "of the driver");
  if (!library) return unavailable(fmt::format("no NVIDIA driver ({})", driver), "where there is one, install its driver");
  // CUDA's driver interface, as far as it is asked: every function gives 0 when all is well (CUDA Driver API, cuInit and on).
  int (*init)(unsigned flags) = nullptr;
  int (*count_of)(int* count) = nullptr;
  int (*device_of)(int* device, int ordinal) = nullptr;
  int (*name_of)(char* name, int length, int device) = nullptr;
  int (*attribute_of)(int* value, int attribute, int device) = nullptr;
  library->find("cuInit", init);
  library->find("cuDeviceGetCount", count_of);
  library->find("cuDeviceGet", device_of);
  library->find("cuDeviceGetName", name_of);
  library->find("cuDeviceGetAttribute", attribute_of);
  if (!library->has_all("CUDA's driver"))
    return unavailable(fmt::format("a {} without CUDA's functions", driver), "install the driver again");
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
  const int started = init(0);
  int count = 0;
  if (started == kNoDevice || (started == 0 && (count_of(&count) != 0 || count <= 0)))
    return unavailable("no GPU, only its driver", "run where there is one");
  if (started != 0) return unavailable(fmt::format("a driver that does not start (CUDA error {})", started), "install the driver again");
  std::vector<Gpu> gpus;
  for (int i = 0; i < count; ++i) {
    constexpr int kMaxName = 256;
    std::array<char, kMaxName> name{};
    int device = 0;
    const bool named = device_of(&device, i) == 0 && name_of(name.data(), kMaxName - 1, device) == 0;
    Gpu gpu{.name = named ? name.data() : "unnamed"};
    constexpr int kMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
    constexpr int kMinor = 76;
    if (!named || attribute_of(&gpu.major, kMajor, device) != 0 || attribute_of(&gpu.minor, kMinor, device) != 0) gpu.major = gpu.minor = 0;
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::string describe(const Gpu& gpu) {
  constexpr std::pair<int, int> kListed[] = {{7, 5}, {8, 6}, {8, 9}};
  constexpr int kAllFrom = 12;
  if (gpu.major == 0) return gpu.name;
  const std::pair<int, int> has{gpu.major, gpu.minor};
  const bool listed = gpu.major >= kAllFrom || std::ranges::find(kListed, has) != std::end(kListed);
  return fmt::format("{} (compute capability {}.{}{})", gpu.name, gpu.major, gpu.minor,
                     listed ? "" : "; TensorRT for RTX is made for 7.5, 8.6, 8.9 and from 12.0 on: try onnxruntime:tensorrt");
}

}  // namespace moru::runtime::tensorrt
