// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "cli/backend/verbs.h"
#include "cli/support/models.h"
#include "cli/support/workers.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/worker/run_cases.h"

namespace moru::cli {
namespace {

using runtime::CaseResult;
using runtime::Verdict;

struct Flags {
  std::string name;
  std::string cases;
  std::string filter = "*";
  double timeout_s = 60;
  double rtol = model::Tolerance{}.relative;
  double atol = model::Tolerance{}.absolute;
  int threads = 1;
  LoadFlags load;
  Format format = Format::kText;
};

/// The cases whose name, or its last part, the filter names.
Result<std::vector<model::TestCase>> chosen_cases(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(auto cases, model::find_test_cases(flags.cases));
  const std::size_t found = cases.size();
  std::erase_if(cases, [&](const model::TestCase& one) {
    const auto is_named = [&](const std::string& name) { return ::fnmatch(flags.filter.c_str(), name.c_str(), 0) == 0; };
    return !is_named(one.name) && !is_named(one.folder.filename().string());
  });
  if (cases.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("--filter: found {}, which names none of {} cases, expected one that names some",
                                                         in_quotes(flags.filter), found));
  }
  return cases;
}

std::size_t count_of(const std::vector<CaseResult>& results, Verdict verdict) {
  return static_cast<std::size_t>(std::ranges::count(results, verdict, &CaseResult::verdict));
}

void print(const std::vector<model::TestCase>& cases, const std::vector<CaseResult>& results, const Flags& flags) {
  constexpr std::array kVerdicts = {Verdict::kPass, Verdict::kFail, Verdict::kUnsupported};
  if (flags.format == Format::kJson) {
    Json rows = Json::array();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      rows.push_back({{"name", cases[i].name}, {"result", to_string(results[i].verdict)}, {"reason", results[i].reason}});
    }
    Json counts;
    for (const Verdict verdict : kVerdicts) counts[std::string(to_string(verdict))] = count_of(results, verdict);
    print_json({{"backend", flags.name}, {"counts", std::move(counts)}, {"cases", std::move(rows)}});
    return;
  }
  std::string text;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (results[i].verdict == Verdict::kPass) continue;
    text += fmt::format("{:11} {}: {}\n", to_string(results[i].verdict), in_quotes(cases[i].name), results[i].reason);
  }
  text += fmt::format("{} cases on {}:", results.size(), flags.name);
  for (const Verdict verdict : kVerdicts) {
    text += fmt::format("{} {} {}", verdict == Verdict::kPass ? "" : ",", count_of(results, verdict), to_string(verdict));
  }
  print_text(text + "\n");
}

Outcome run_test(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto load, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const auto cases, chosen_cases(flags));
  const runtime::CasesOptions options{.each = {.threads = flags.threads,
                                               .max_memory_bytes = load.max_memory_bytes,
                                               .tolerance = {.relative = flags.rtol, .absolute = flags.atol}},
                                      .timeout = static_cast<TimeNs>(flags.timeout_s * static_cast<double>(kSecond))};
  std::vector<CaseResult> results;
  {
    Progress progress("test", cases.size());
    MORU_ASSIGN_OR_RETURN(results, runtime::run_cases(cases, flags.name, options, own_worker(),
                                                      [&](std::size_t done, std::string_view name) { progress.update(done, name); }));
  }
  print(cases, results, flags);
  return count_of(results, Verdict::kFail) > 0 ? kFailed : kDone;
}

}  // namespace

void add_backend_test(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* test = app.add_subcommand("test", "Run test cases in the layout of ONNX's own through a backend");
  test->add_option("name", flags.name, "The backend")->required();
  test->add_option("--cases", flags.cases,
                   "A folder with cases at any depth: NAME/model.onnx, NAME/test_data_set_0/input_0.pb, output_0.pb")
      ->required();
  test->add_option("--filter", flags.filter, "Only cases with such names, * and ? stand for any letters")->capture_default_str();
  test->add_option("--rtol", flags.rtol, "How far a float may be off, by its size")->check(CLI::Range(0.0, 1e9))->capture_default_str();
  test->add_option("--atol", flags.atol, "How far it may be off besides")->check(CLI::Range(0.0, 1e9))->capture_default_str();
  test->add_option("--timeout", flags.timeout_s, "Seconds that one case may take")->check(CLI::Range(0.01, 1e6))->capture_default_str();
  test->add_option("--threads", flags.threads, "Threads of the backend")->check(CLI::Range(1, 1024))->capture_default_str();
  add_load_options(*test, &flags.load);
  add_format_option(*test, &flags.format);
  test->footer(
      "Exit code 0 when no case fails; what the backend does not have is no failure.\n"
      "Example:\n  moru backend test reference --cases /usr/share/libonnx-testdata/data/node --filter 'test_conv*'");
  test->callback([run] { *run = [] { return run_test(flags); }; });
}

}  // namespace moru::cli
