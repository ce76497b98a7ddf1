// SPDX-License-Identifier: Apache-2.0
// Runs the built programs as a user would, for end-to-end tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/process.h"

namespace moru::testing {

struct ProgramRun {
  int code = -1;
  std::string output;  ///< stdout and stderr
};

/// Runs a command to its end; stdout and stderr in one text.
inline ProgramRun run_command(const std::vector<std::string>& command, std::vector<std::pair<std::string, std::string>> environment = {},
                              TimeNs timeout = 60 * kSecond) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", "exec \"$@\" 2>&1", "sh"};
  options.arguments.insert(options.arguments.end(), command.begin(), command.end());
  options.environment = std::move(environment);
  const auto run = run_and_capture(options, timeout);
  if (!run) {
    ADD_FAILURE() << run.error().message;
    return {};
  }
  return {run->status.code, run->output};
}

/// A program of this build, by name. MORU_PROGRAMS is defined by the test's CMake target.
inline ProgramRun run_program(const std::string& name, const std::vector<std::string>& arguments,
                              std::vector<std::pair<std::string, std::string>> environment = {}) {
  std::vector<std::string> command = {std::string(MORU_PROGRAMS) + "/" + name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, std::move(environment));
}

}  // namespace moru::testing
