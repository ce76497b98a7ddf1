// SPDX-License-Identifier: Apache-2.0
// The parent's side: a backend in a process of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"
#include "runtime/worker/requests.h"
#include "runtime/worker/worker.h"

namespace moru::runtime {

/// Every request has `limit` as its own; errors are those of Worker::request(). Threads: one owner.
class BackendWorker {
 public:
  static Result<BackendWorker> start(const WorkerProgram& program, const std::string& backend, TimeNs limit);

  Result<BackendInfo> info();
  Result<Loaded> load(const LoadRequest& request);
  /// Whether it can be loaded; dims and seed do not matter.
  Status try_model(const LoadRequest& request);
  Status warm(const RunRequest& limits);
  /// Wall time of each run of a slice; the limit is for one run.
  Result<std::vector<TimeNs>> run(const RunRequest& limits);
  /// The outputs to the inputs of `seed`. The other process is not trusted with what it writes.
  Result<std::vector<model::Tensor>> answer(std::uint64_t seed, TimeNs limit);
  Result<CaseResult> run_case(const CaseRequest& request);
  Result<WorkerMemory> memory();

  void pause() { worker_.pause(); }
  pid_t pid() const { return worker_.pid(); }
  /// False once it crashed, hung or answered nonsense: every further request fails.
  bool alive() const { return worker_.alive(); }

 private:
  BackendWorker(std::string backend, Worker worker, TimeNs limit)
      : backend_(std::move(backend)), worker_(std::move(worker)), limit_(limit) {}
  std::string backend_;
  Worker worker_;
  TimeNs limit_;
};

/// What every backend says of itself, asked all at once, each in a process of its own; in the order of all_backends(). One that
/// crashes, hangs or throws is not available, and the reason says so.
std::vector<BackendInfo> probe_backends(std::span<const BackendSpec* const> backends, const WorkerProgram& program,
                                        TimeNs limit = 10 * kSecond);

}  // namespace moru::runtime
