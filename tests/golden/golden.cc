// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compare.h"
#include "core/text.h"
#include "model/convert/convert.h"
#include "model/graph/text.h"
#include "model/passes/pass.h"

namespace moru::golden {
namespace {

std::unexpected<Error> error_at(std::size_t line, std::string_view message) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("line {}: {}", line, message));
}

/// Walks over the lines of a file.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  std::size_t offset() const { return at_; }
  std::size_t number() const { return number_; }  ///< of the line that next() gave last
  std::string_view next() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    const std::string_view line = text_.substr(at_, end - at_);
    at_ = std::min(end + 1, text_.size());
    ++number_;
    return line;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t number_ = 0;
};

Result<Block> read_block(Lines& lines, std::string_view text) {
  Block block;
  block.begin = lines.offset();
  block.first_line = lines.number() + 1;
  while (!lines.done()) {
    const std::size_t end = lines.offset();
    if (lines.next() != "end") continue;
    block.text = text.substr(block.begin, end - block.begin);
    return block;
  }
  return error_at(block.first_line - 1, "found a block without end, expected a line 'end'");
}

template <class T>
bool read_number(std::string_view word, T& value) {
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  return failure == std::errc{} && end == word.data() + word.size();
}

Result<Numeric> read_numeric(std::string_view rest, std::size_t line) {
  const auto words = split(rest, ' ');
  Numeric numeric;
  if (words.size() != 2 || !read_number(words[0], numeric.seed) || !read_number(words[1], numeric.tolerance) || !(numeric.tolerance >= 0)) {
    return error_at(line, fmt::format("found 'numeric {}', expected 'numeric SEED TOLERANCE'", rest));
  }
  return numeric;
}

Status read_block_line(std::string_view line, Lines& lines, std::string_view text, TestFile& test) {
  const std::size_t number = lines.number();
  MORU_ASSIGN_OR_RETURN(Block block, read_block(lines, text));
  std::optional<Block>& slot = line == "expect" ? test.expect : test.error;
  if (line == "input" ? !test.input.text.empty() : slot.has_value())
    return error_at(number, fmt::format("found a second block '{}', expected one", line));
  if (line == "input") {
    test.input = std::move(block);
  } else {
    slot = std::move(block);
  }
  return {};
}

Status check_complete(const TestFile& test, bool named) {
  const auto missing = [](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found no {}, expected one", what));
  };
  if (!named) return missing("line '# name: PATH' with the path of this file");
  if (test.description.empty()) return missing("line '# description: TEXT'");
  if (test.passes.empty() && test.convert.empty()) return missing("line 'pass NAME' or 'convert FORMAT'");
  if (test.input.text.empty()) return missing("block 'input'");
  if (test.expect.has_value() == test.error.has_value()) {
    return fail(ErrorCode::kInvalidArgument, "found both or none of the blocks 'expect' and 'error', expected one of them");
  }
  if (test.error && test.numeric)
    return fail(ErrorCode::kInvalidArgument, "found 'numeric' beside a block 'error', expected only one of them");
  return {};
}

/// The first line that differs, and all of what was found.
std::string describe_difference(const Block& expected, std::string_view found) {
  const auto want = split(expected.text, '\n');
  const auto have = split(found, '\n');
  const auto [w, h] = std::ranges::mismatch(want, have);
  const auto line_number = expected.first_line + static_cast<std::size_t>(w - want.begin());
  return fmt::format("line {}: found '{}', expected '{}'\nthe graph after the passes:\n{}", line_number, h == have.end() ? "" : *h,
                     w == want.end() ? "" : *w, found);
}

Outcome judge_error(const TestFile& test, const Error& error) {
  Outcome outcome{std::nullopt, error.message};
  if (!test.error) {
    outcome.failure = fmt::format("found the error '{}', expected a graph", error.message);
    return outcome;
  }
  for (const std::string_view line : split(trim(test.error->text), '\n')) {
    if (trim(line).empty() || error.message.find(trim(line)) == std::string::npos) {
      outcome.failure = fmt::format("found the error '{}', expected '{}' in it", error.message, trim(line));
    }
  }
  return outcome;
}

Result<model::Graph> graph_after(const TestFile& test, model::Graph graph) {
  if (!test.passes.empty()) {
    MORU_ASSIGN_OR_RETURN(const auto reports, model::run_passes(graph, test.passes));
    static_cast<void>(reports);
  }
  if (test.convert.empty()) return graph;
  MORU_ASSIGN_OR_RETURN(auto converted, test.convert == "tflite" ? model::to_tflite(std::move(graph)) : model::to_onnx(std::move(graph)));
  return std::move(converted.graph);
}

/// A graph in TFLite's words is compared after the way back, so that both are run by the same references.
Status compare(const TestFile& test, const model::Graph& before, model::Graph after) {
  if (test.convert == "tflite") {
    MORU_ASSIGN_OR_RETURN_IN("the way back", auto back, model::to_onnx(std::move(after)));
    after = std::move(back.graph);
  }
  return compare_graphs(before, after, test.numeric->seed, test.numeric->tolerance);
}

}  // namespace

Result<TestFile> parse_test(std::string_view text, std::string_view path) {
  constexpr std::string_view kName = "# name: ";
  constexpr std::string_view kDescription = "# description: ";
  TestFile test;
  bool named = false;
  Lines lines(text);
  while (!lines.done()) {
    const std::string_view line = lines.next();
    if (line.starts_with(kName)) {
      // A copied test that kept its old name would be searched for in the wrong place.
      if (!path.ends_with(trim(line.substr(kName.size()))))
        return error_at(lines.number(), fmt::format("found '{}', expected the path of this file, {}", line, path));
      named = true;
    } else if (line.starts_with(kDescription)) {
      test.description = trim(line.substr(kDescription.size()));
    } else if (trim(line).empty() || line.starts_with('#')) {
      continue;
    } else if (line.starts_with("pass ")) {
      test.passes.emplace_back(trim(line.substr(5)));
    } else if (line == "convert tflite" || line == "convert onnx") {
      test.convert = line.substr(8);
    } else if (line.starts_with("numeric ")) {
      MORU_ASSIGN_OR_RETURN(test.numeric, read_numeric(trim(line.substr(8)), lines.number()));
    } else if (line == "input" || line == "expect" || line == "error") {
      MORU_RETURN_IF_ERROR(read_block_line(line, lines, text, test));
    } else {
      return error_at(
          lines.number(),
          fmt::format("found '{}', expected pass, convert tflite, convert onnx, input, expect, error, numeric or a comment", line));
    }
  }
  MORU_RETURN_IF_ERROR(check_complete(test, named));
  return test;
}

Outcome run_test(const TestFile& test) {
  auto before = model::parse_text(test.input.text);
  if (!before) return judge_error(test, before.error());
  auto after = graph_after(test, *before);
  if (!after) return judge_error(test, after.error());
  Outcome outcome{std::nullopt, model::to_text(*after)};
  if (test.error) {
    outcome.failure =
        fmt::format("found a graph, expected the error\n{}\nthe graph after the passes:\n{}", test.error->text, outcome.found);
    return outcome;
  }
  if (outcome.found != test.expect->text) {
    outcome.failure = describe_difference(*test.expect, outcome.found);
    return outcome;
  }
  if (test.numeric) {
    if (const Status same = compare(test, *before, std::move(*after)); !same) outcome.failure = same.error().message;
  }
  return outcome;
}

std::string update_test(std::string_view text, const TestFile& test, const Outcome& outcome) {
  const Block& block = test.expect ? *test.expect : *test.error;
  std::string found = outcome.found;
  if (!found.ends_with('\n')) found += '\n';
  return std::string(text.substr(0, block.begin)) + found + std::string(text.substr(block.begin + block.text.size()));
}

}  // namespace moru::golden
