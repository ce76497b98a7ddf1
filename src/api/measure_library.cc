// SPDX-License-Identifier: Apache-2.0
// measure_library MODEL THREADS SECONDS [bind]: what a program pays that runs a model by libmoru.so on the native engine, as one line of
// JSON; with "bind" one that says at load that its batch stays 1. Memory is that over the process before it loaded the model, in bytes:
// "peak" the most there ever was, "steady" after runs, "anonymous" the part of that which is no file's (code that was read in is). Times
// are those of moru_run(); "run_ns" is the fastest of many batches.
#include <malloc.h>
#include <moru/moru.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace {

using Clock = std::chrono::steady_clock;

/// Kilobytes of a field of /proc/self/status, in bytes.
long status(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field + ":")) return std::strtol(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

double microseconds(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

struct Memory {
  std::vector<std::vector<std::byte>> held;
  std::vector<moru::Input> inputs;
  std::vector<moru::Output> outputs;
};

Memory memory_for(const moru::Session& session) {
  Memory memory;
  for (const moru::Port& port : session.inputs()) {
    const std::span<const std::byte> bytes = memory.held.emplace_back(port.size_bytes);
    memory.inputs.emplace_back(port.dtype, bytes);
  }
  for (const moru::Port& port : session.outputs()) {
    const std::span<std::byte> bytes = memory.held.emplace_back(port.size_bytes);
    memory.outputs.emplace_back(port.dtype, bytes);
  }
  return memory;
}

struct Times {
  std::vector<double> runs_us;
  double run_ns = 0;
};

Times measure(moru::Session& session, Memory& memory, double seconds) {
  constexpr int kBatch = 1000;
  Times times;
  const auto start = Clock::now();
  const auto spent = [&] { return microseconds(Clock::now() - start) / 1e6; };
  while (times.runs_us.size() < 30 || spent() < seconds) {
    const auto before = Clock::now();
    if (!session.run(memory.inputs, memory.outputs)) std::exit(1);
    times.runs_us.push_back(microseconds(Clock::now() - before));
  }
  std::ranges::sort(times.runs_us);
  times.run_ns = times.runs_us.front() * 1e3;
  if (times.runs_us.front() > 100) return times;  // batches tell no more
  for (int batch = 0; batch < 50; ++batch) {
    const auto before = Clock::now();
    for (int i = 0; i < kBatch; ++i) {
      if (!session.run(memory.inputs, memory.outputs)) std::exit(1);
    }
    times.run_ns = std::min(times.run_ns, microseconds(Clock::now() - before) * 1e3 / kBatch);
  }
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins here
  const long idle = status("VmRSS");
  const long idle_anonymous = status("RssAnon");
  moru::Options options{.threads = static_cast<int>(std::strtol(argv[2], nullptr, 10))};
  if (argc == 5) options.settings = {{"bind", "1"}};
  auto session = moru::Session::load_file(argv[1], options);
  if (!session) {
    std::fprintf(stderr, "measure_library: %s\n", session.error().message.c_str());
    return 1;
  }
  const long loaded = status("VmHWM") - idle;
  malloc_trim(0);
  Memory memory = memory_for(*session);
  if (!session->run(memory.inputs, memory.outputs)) return 1;
  const long steady = status("VmRSS") - idle;
  const long anonymous = status("RssAnon") - idle_anonymous;
  const Times times = measure(*session, memory, std::strtod(argv[3], nullptr));
  const moru_memory* need = session->memory_need();
  const auto quantile = [&](double q) {
    return times.runs_us[static_cast<std::size_t>(q * static_cast<double>(times.runs_us.size() - 1))];
  };
  std::printf(
      "{\"peak\": %ld, \"steady\": %ld, \"anonymous\": %ld, \"weights\": %llu, \"arena\": %llu, \"min_us\": %.3f, \"p50_us\": %.3f, "
      "\"p99_us\": %.3f, \"run_ns\": %.1f}\n",
      loaded, steady, anonymous, static_cast<unsigned long long>(need->weight_bytes), static_cast<unsigned long long>(need->arena_bytes),
      times.runs_us.front(), quantile(0.5), quantile(0.99), times.run_ns);
  return 0;
}
