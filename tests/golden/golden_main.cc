// SPDX-License-Identifier: Apache-2.0
// moru_golden [--update] FILE...: runs golden tests by path; the exit code is 0 when all pass, 1 when one fails, 2 for wrong usage.
#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "golden.h"

namespace {

/// False when the test fails or is none.
bool run_file(const std::string& path, bool update) {
  const auto report = [&](std::string_view message) {
    fmt::print(stderr, "FAIL {}\n{}\n", path, message);
    return false;
  };
  const auto text = moru::read_file(path);
  if (!text) return report(text.error().message);
  const auto test = moru::golden::parse_test(*text, path);
  if (!test) return report(test.error().message);
  const auto outcome = moru::golden::run_test(*test);
  if (!outcome.failure) {
    fmt::print("ok   {}\n", path);
    return true;
  }
  if (!update) return report(*outcome.failure + "\nIf this is right: moru_golden --update, and review the change");
  const std::string updated = moru::golden::update_test(*text, *test, outcome);
  // Only the block is rewritten: an error in place of a graph, or other numbers, still fail.
  const auto new_test = moru::golden::parse_test(updated, path);
  if (!new_test) return report(new_test.error().message);
  const auto again = moru::golden::run_test(*new_test);
  if (again.failure) return report(*again.failure);
  if (const moru::Status written = moru::write_file_atomic(path, updated); !written) return report(written.error().message);
  fmt::print("new  {}\n", path);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  bool update = false;
  for (const char* argument : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
    if (std::string_view(argument) == "--update") {
      update = true;
    } else {
      paths.emplace_back(argument);
    }
  }
  if (paths.empty() || paths[0].starts_with('-')) {
    fmt::print(stderr, "usage: moru_golden [--update] FILE...\n  moru_golden tests/golden/passes/fold_batch_norm.test\n");
    return 2;
  }
  bool good = true;
  for (const std::string& path : paths) good = run_file(path, update) && good;
  return good ? 0 : 1;
}
