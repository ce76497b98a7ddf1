// SPDX-License-Identifier: Apache-2.0
// Golden tests of graph passes as text: the graph before, the passes, the graph after, and whether both compute the same.
// The form of the files stands in README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru::golden {

/// Lines of a block, without "end"; and where they lie in the file.
struct Block {
  std::string text;
  std::size_t first_line = 0;  ///< number of the first line of `text`, from 1
  std::size_t begin = 0;       ///< offset of `text` in the file
};

struct Numeric {
  std::uint64_t seed = 0;
  double tolerance = 0;
};

struct TestFile {
  std::string description;
  std::vector<std::string> passes;
  std::string convert;  ///< "tflite" or "onnx": after the passes the graph is brought to that format's words; empty: it is not
  Block input;
  std::optional<Block> expect;
  std::optional<Block> error;  ///< each line must stand in the error's message
  std::optional<Numeric> numeric;
};

/// Parses a test; `path` as given in its "# name:" line. Errors: kInvalidArgument with the line.
Result<TestFile> parse_test(std::string_view text, std::string_view path);

/// How a test went: nothing when it passed, else what differed.
struct Outcome {
  std::optional<std::string> failure;
  std::string found;  ///< the graph after the passes, as text; or the error's message
};

/// Runs the passes and compares.
Outcome run_test(const TestFile& test);

/// The file with its expect or error block replaced by what was found.
std::string update_test(std::string_view text, const TestFile& test, const Outcome& outcome);

}  // namespace moru::golden
