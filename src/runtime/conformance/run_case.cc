// SPDX-License-Identifier: Apache-2.0
#include "runtime/conformance/run_case.h"

#include <fmt/format.h>

#include <string>

#include "core/files.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/test_cases.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

/// Empty when every data set gives the right answer, else which one does not, and how.
Result<std::string> check_case(const Path& folder, std::string_view backend, const CaseOptions& options) {
  MORU_ASSIGN_OR_RETURN(const model::Tolerance tolerance, model::tolerance_of(folder, options.tolerance));
  MORU_ASSIGN_OR_RETURN(const std::string bytes,
                        model::read_whole_onnx(folder / "model.onnx", {.max_memory_bytes = options.max_memory_bytes}));
  MORU_ASSIGN_OR_RETURN(const auto session, load_session(backend, bytes, {.threads = options.threads}));
  MORU_ASSIGN_OR_RETURN(const auto paths, model::find_data_sets(folder));
  for (const Path& path : paths) {
    MORU_ASSIGN_OR_RETURN(const model::DataSet set, model::read_data_set(path));
    const std::string name = path.filename().string();
    MORU_ASSIGN_OR_RETURN_IN(name, const auto outputs, session->run_once(set.inputs));
    const std::string wrong = model::difference(outputs, set.outputs, tolerance);
    if (!wrong.empty()) return fmt::format("{}: {}", name, wrong);
  }
  return "";
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
    case Verdict::kUnsupported: return "unsupported";
  }
  return "";
}

CaseResult run_case(const Path& folder, std::string_view backend, const CaseOptions& options) {
  auto wrong = check_case(folder, backend, options);
  if (wrong) return {wrong->empty() ? Verdict::kPass : Verdict::kFail, std::move(*wrong)};
  const bool unsupported = wrong.error().code == ErrorCode::kUnsupported;
  return {unsupported ? Verdict::kUnsupported : Verdict::kFail, wrong.error().message};
}

}  // namespace moru::runtime
