// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/text.h"
#include "model/ops/verify.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace {

Result<const PassSpec*> required_pass(std::string_view name) {
  if (const PassSpec* pass = find_pass(name)) return pass;
  std::vector<std::string> known;
  for (const PassSpec* pass : all_passes()) known.emplace_back(pass->name);
  return fail(ErrorCode::kNotFound,
              fmt::format("pass '{:.60}': found no such pass, expected one that `moru passes` lists{}", name, did_you_mean(name, known)));
}

Result<PassReport> run_pass(Graph& graph, const PassSpec& pass) {
  PassReport report;
  report.name = pass.name;
  report.nodes_before = graph.nodes().size();
  const TimeNs start = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(report.changes, pass.run(graph));
  report.duration = system_clock().steady_now() - start;
  report.nodes_after = graph.nodes().size();
  if (const Status status = infer_shapes(graph); !status) {
    return fail(ErrorCode::kInternal, fmt::format("the graph that it made: {}", status.error().message));
  }
  return report;
}

}  // namespace

const PassSpec* find_pass(std::string_view name) {
  for (const PassSpec* pass : all_passes()) {
    if (pass->name == name) return pass;
  }
  return nullptr;
}

Result<std::vector<PassReport>> run_passes(Graph& graph, std::span<const std::string> names) {
  std::vector<const PassSpec*> passes;
  for (const std::string& name : names) {
    MORU_ASSIGN_OR_RETURN(const PassSpec* pass, required_pass(name));
    passes.push_back(pass);
  }
  MORU_RETURN_IF_ERROR(infer_shapes(graph));
  std::vector<PassReport> reports;
  for (const PassSpec* pass : passes) {
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("pass '{}'", pass->name), PassReport report, run_pass(graph, *pass));
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace moru::model
