// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/peaks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/engine/plan.h"

namespace moru::runtime {
namespace {

using kernels::PeakKernel;

/// What read() of the kernels can be given parts of.
constexpr std::size_t kReadUnit = 1024;

/// How often `work` does its thing in a second; it gives how often it did.
template <class Work>
double rate_of(const Work& work) {
  Clock& clock = system_clock();
  const TimeNs start = clock.steady_now();
  const std::int64_t done = work();
  return static_cast<double>(done) * 1e9 / static_cast<double>(std::max<TimeNs>(1, clock.steady_now() - start));
}

void keep_best(double* best, double rate) { *best = std::max(*best, rate); }

double clock_of(const PeakKernel& kernel) {
  constexpr std::int64_t kRounds = 2000;  // of 64 cycles: some 50 us
  return rate_of([&] { return kernel.add_in_a_row(kRounds); });
}

/// Rounds of `work` that take some 100 us: more than the clock's steps by far, less than the system lets a thread alone.
std::int64_t rounds_of(std::int64_t (*work)(std::int64_t rounds)) {
  constexpr TimeNs kLongEnough = 100 * kMicrosecond;
  Clock& clock = system_clock();
  std::int64_t rounds = 16;
  while (true) {
    const TimeNs start = clock.steady_now();
    work(rounds);
    if (clock.steady_now() - start >= kLongEnough) return rounds;
    rounds *= 2;
  }
}

/// Turns of all, so that a core which changes its clock, or is lent to another, spoils one turn of each.
void measure_core(const PeakKernel& kernel, int turns, Peaks* peaks) {
  const std::int64_t float_rounds = rounds_of(kernel.multiply_floats);
  const std::int64_t level_rounds = rounds_of(kernel.multiply_levels);
  for (int i = 0; i < turns; ++i) {
    keep_best(&peaks->clock_hz, clock_of(kernel));
    keep_best(&peaks->float_macs_per_second, rate_of([&] { return kernel.multiply_floats(float_rounds); }));
    keep_best(&peaks->level_macs_per_second, rate_of([&] { return kernel.multiply_levels(level_rounds); }));
  }
}

/// A level is measured in the middle of it, as sizes go: half of the first; between the one before and itself of the others, so that
/// what is read can lie in no nearer one.
std::vector<MemoryLevel> levels_of(const PeakOptions& options) {
  constexpr std::size_t kFirstSample = 16 << 10U;  // no machine has a smaller first cache
  constexpr double kMiss = 1.5;                    // so much larger than a cache, most of what is read again is gone from it
  std::vector<MemoryLevel> levels;
  double before = 0;
  for (const Cache& cache : options.caches) {
    const auto size = static_cast<double>(cache.bytes);
    const double middle = levels.empty() ? size / 2 : std::sqrt(before * size);
    levels.push_back({cache.name, cache.bytes, static_cast<std::size_t>(middle), 0});
    before = size;
  }
  const auto sample = static_cast<std::size_t>(std::min(4 * before, static_cast<double>(options.most_sample_bytes)));
  if (levels.empty()) {
    levels.push_back({"nearest cache", 0, kFirstSample, 0});
  } else if (static_cast<double>(sample) >= kMiss * before) {
    levels.push_back({"memory", 0, sample, 0});
  }
  for (MemoryLevel& level : levels) {
    level.sample_bytes = std::clamp(level.sample_bytes / kReadUnit * kReadUnit, kReadUnit, std::max(options.most_sample_bytes, kReadUnit));
  }
  return levels;
}

Status measure_memory(const PeakKernel& kernel, int turns, std::vector<MemoryLevel>* levels) {
  constexpr std::size_t kBytesOfTurn = std::size_t{4} << 20U;
  std::size_t most = 0;
  for (const MemoryLevel& level : *levels) most = std::max(most, level.sample_bytes);
  MORU_ASSIGN_OR_RETURN_IN("measure peaks", const engine::AlignedBytes memory, engine::allocate_aligned(most));
  std::uint64_t sum = 0;
  for (MemoryLevel& level : *levels) {
    const std::size_t bytes = level.sample_bytes;
    const std::size_t times = std::max<std::size_t>(1, kBytesOfTurn / bytes);
    const int few = bytes > kBytesOfTurn ? std::max(1, turns / 4) : turns;
    sum += kernel.read(memory.get(), bytes);
    for (int i = 0; i < few; ++i) {
      keep_best(&level.bytes_per_second, rate_of([&] {
        for (std::size_t j = 0; j < times; ++j) sum += kernel.read(memory.get(), bytes);
        return static_cast<std::int64_t>(times * bytes);
      }));
    }
  }
  asm volatile("" : : "r"(sum));  // somebody wants it
  return {};
}

double giga(double rate) { return rate / 1e9; }

Json json_of(const char* route, double rate, double clock_hz) {
  return {{"route", route}, {"gmac_per_s", giga(rate)}, {"mac_per_cycle", rate / clock_hz}};
}

}  // namespace

const MemoryLevel& Peaks::level_for(std::size_t bytes) const {
  for (const MemoryLevel& level : levels) {
    if (bytes <= level.bytes) return level;
  }
  return levels.back();
}

Result<Peaks> measure_peaks(const kernels::Kernels& kernels, const PeakOptions& options) {
  Peaks peaks{.isa = kernels.isa, .levels = levels_of(options)};
  measure_core(*kernels.peak, options.rounds, &peaks);
  MORU_RETURN_IF_ERROR(measure_memory(*kernels.peak, options.rounds, &peaks.levels));
  return peaks;
}

double measure_clock_hz(const kernels::Kernels& kernels) {
  double best = 0;
  for (int i = 0; i < 3; ++i) keep_best(&best, clock_of(*kernels.peak));
  return best;
}

Json to_json(const Peaks& peaks) {
  const PeakKernel& kernel = *kernels::kernels_for(peaks.isa).peak;
  Json memory = Json::array();
  for (const MemoryLevel& level : peaks.levels) {
    memory.push_back({{"level", level.name},
                      {"size_bytes", level.bytes == 0 ? Json() : Json(level.bytes)},
                      {"sample_bytes", level.sample_bytes},
                      {"gb_per_s", giga(level.bytes_per_second)},
                      {"bytes_per_cycle", level.bytes_per_second / peaks.clock_hz}});
  }
  return {{"isa", kernels::to_string(peaks.isa)},
          {"clock_ghz", giga(peaks.clock_hz)},
          {"floats", json_of(kernel.float_route, peaks.float_macs_per_second, peaks.clock_hz)},
          {"levels", json_of(kernel.level_route, peaks.level_macs_per_second, peaks.clock_hz)},
          {"memory", std::move(memory)}};
}

std::string to_text(const Peaks& peaks) {
  const PeakKernel& kernel = *kernels::kernels_for(peaks.isa).peak;
  const auto products = [&](const char* what, double rate, const char* route) {
    return fmt::format("  {:8} {:8.1f} GMAC/s {:7.1f} MAC a cycle    {}\n", what, giga(rate), rate / peaks.clock_hz, route);
  };
  std::string text = fmt::format("peaks of one core with {}, at {:.2f} GHz\n", kernels::to_string(peaks.isa), giga(peaks.clock_hz));
  text += products("floats", peaks.float_macs_per_second, kernel.float_route);
  text += products("levels", peaks.level_macs_per_second, kernel.level_route);
  for (const MemoryLevel& level : peaks.levels) {
    text += fmt::format("  {:8} {:8.1f} GB/s   {:7.1f} bytes a cycle  {}, read {}\n", level.name, giga(level.bytes_per_second),
                        level.bytes_per_second / peaks.clock_hz, level.bytes == 0 ? "anything" : human_bytes(level.bytes),
                        human_bytes(level.sample_bytes));
  }
  return text;
}

}  // namespace moru::runtime
