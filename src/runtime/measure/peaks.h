// SPDX-License-Identifier: Apache-2.0
// The most that one core can do with the kernels of an ISA: multiplications of floats and of levels, and bytes read from each cache.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"
#include "runtime/kernels/kernels.h"
#include "runtime/measure/caches.h"

namespace moru::runtime {

struct MemoryLevel {
  std::string name;              ///< "L1d", "memory"
  std::size_t bytes = 0;         ///< its size; the last level holds anything
  std::size_t sample_bytes = 0;  ///< read again and again to measure it
  double bytes_per_second = 0.0;
};

struct Peaks {
  kernels::Isa isa = kernels::Isa::kScalar;
  double clock_hz = 0.0;
  double float_macs_per_second = 0.0;
  double level_macs_per_second = 0.0;
  std::vector<MemoryLevel> levels;  ///< the nearest first; never empty

  /// The nearest level that so many bytes fit in.
  const MemoryLevel& level_for(std::size_t bytes) const;
};

struct PeakOptions {
  std::vector<Cache> caches = read_caches();
  /// Where the last cache is larger than two thirds of this, memory is not measured, and that cache is the last level: a limit that
  /// follows from it is lower than the true one, so still a limit.
  std::size_t most_sample_bytes = std::size_t{512} << 20U;
  int rounds = 20;  ///< each peak is the best of so many
};

/// Of the core that it runs on, in about half a second. Other work on the machine makes peaks lower. Errors: kResourceExhausted.
Result<Peaks> measure_peaks(const kernels::Kernels& kernels, const PeakOptions& options = {});

/// Cycles a second, of some 100 microseconds.
double measure_clock_hz(const kernels::Kernels& kernels);

/// {"isa", "clock_ghz", "floats": {"route", "gmac_per_s", "mac_per_cycle"}, "levels": {...}, "memory": [{"level", "size_bytes",
/// "sample_bytes", "gb_per_s", "bytes_per_cycle"}]}
Json to_json(const Peaks& peaks);
/// For people, some lines.
std::string to_text(const Peaks& peaks);

}  // namespace moru::runtime
