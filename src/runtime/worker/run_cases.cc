// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/run_cases.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "runtime/backends/backend.h"
#include "runtime/worker/backend_worker.h"

namespace moru::runtime {
namespace {

Status check_backend(std::string_view name, int threads, const WorkerProgram& program) {
  const BackendSpec* backend = find_backend(name);
  if (backend == nullptr) return fail(load_session(name, "").error());  // in the words of all commands
  const auto infos = probe_backends({&backend, 1}, program);
  if (!infos[0].available) return fail(ErrorCode::kUnavailable, infos[0].reason);
  if (threads < 1) return fail(ErrorCode::kInvalidArgument, fmt::format("backend {}: found {} threads, expected 1 or more", name, threads));
  return {};
}

}  // namespace

Result<std::vector<CaseResult>> run_cases(std::span<const model::TestCase> cases, std::string_view backend, const CasesOptions& options,
                                          const WorkerProgram& program, const CaseObserver& observe) {
  MORU_RETURN_IF_ERROR(check_backend(backend, options.each.threads, program));
  std::vector<CaseResult> results;
  std::optional<BackendWorker> worker;
  for (const model::TestCase& one : cases) {
    if (observe) observe(results.size(), one.name);
    if (!worker) {
      MORU_ASSIGN_OR_RETURN(worker, BackendWorker::start(program, std::string(backend), options.timeout));
    }
    auto result = worker->run_case({one.folder, options.each});
    if (!result) {
      if (result.error().code == ErrorCode::kCancelled) return fail(std::move(result).error());
      worker.reset();  // dead, or not to be trusted any more
      result = CaseResult{Verdict::kFail, result.error().message};
    }
    results.push_back(std::move(*result));
  }
  return results;
}

}  // namespace moru::runtime
