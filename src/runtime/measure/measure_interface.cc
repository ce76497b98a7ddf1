// SPDX-License-Identifier: Apache-2.0
// What our interface costs over a library's own: `measure_interface BACKEND MODEL ours|theirs|control SECONDS` loads the model twice in
// this process, through load_session() and by the library's C interface (runtime/backends/direct.h), the named one first, runs the two in
// turns and prints JSON. For scripts/measure_backends, which starts it several times: where the memory of the two happens to lie makes a
// difference, too. How much of one, "control" says: there the library's own stands on both sides.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "core/clock.h"
#include "core/files.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/direct.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/measure/compare.h"

namespace moru::runtime {
namespace {

/// Runs of one side before it is the other's turn: as many as this takes, so that the clock's own cost does not count, and the machine's
/// drift hits both.
constexpr TimeNs kBlock = 200 * kMicrosecond;
constexpr std::size_t kRoundsAtLeast = 25;
constexpr TimeNs kMost = 20 * kSecond;

double quantile(std::vector<double> values, double share) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::ranges::nth_element(values, place);
  return *place;
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

struct Side {
  std::function<bool()> run;
  std::vector<double> blocks = {};  ///< nanoseconds a run

  bool take_turn(std::int64_t runs) {
    const TimeNs before = system_clock().steady_now();
    for (std::int64_t i = 0; i < runs; ++i) {
      if (!run()) return false;
    }
    blocks.push_back(static_cast<double>(system_clock().steady_now() - before) / static_cast<double>(runs));
    return true;
  }
};

/// Which turns of one kind (each second of a side: cold after the other side, or warm after itself) nobody else had the processor in.
std::vector<bool> quiet_turns(const std::vector<double>& blocks) {
  constexpr double kQuiet = 1.25;  // of the fast ones; a turn that is preempted takes a time slice more
  constexpr double kFast = 0.1;    // what share of them: the fastest alone may be luck
  std::vector<bool> quiet(blocks.size());
  for (const std::size_t kind : {0U, 1U}) {
    std::vector<double> alike;
    for (std::size_t i = kind; i < blocks.size(); i += 2) alike.push_back(blocks[i]);
    if (alike.empty()) continue;
    const double most = kQuiet * quantile(std::move(alike), kFast);
    for (std::size_t i = kind; i < blocks.size(); i += 2) quiet[i] = blocks[i] <= most;
  }
  return quiet;
}

/// How much longer ours took, of each round of four turns that nobody disturbed. A round as a whole: by turns alone the two kinds of turn,
/// warm and cold, would stand side by side.
std::vector<double> differences(const Side& ours, const Side& theirs) {
  const auto ours_quiet = quiet_turns(ours.blocks);
  const auto theirs_quiet = quiet_turns(theirs.blocks);
  std::vector<double> all;
  for (std::size_t i = 0; i + 1 < ours.blocks.size(); i += 2) {
    if (!ours_quiet[i] || !ours_quiet[i + 1] || !theirs_quiet[i] || !theirs_quiet[i + 1]) continue;
    all.push_back((ours.blocks[i] + ours.blocks[i + 1] - theirs.blocks[i] - theirs.blocks[i + 1]) / 2);
  }
  return all;
}

/// Rounds of ours, theirs, theirs, ours: neither always follows the other, or itself, whose caches it would find warm.
Status take_turns(Side& ours, Side& theirs, TimeNs time) {
  const auto failed = [] { return fail(ErrorCode::kInternal, "found a run that the library refused, expected none"); };
  if (!ours.take_turn(10) || !theirs.take_turn(10)) return failed();
  const double once = std::max(1.0, std::min(ours.blocks[0], theirs.blocks[0]));
  const auto runs = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(kBlock) / once));
  ours.blocks.clear();
  theirs.blocks.clear();
  const TimeNs start = system_clock().steady_now();
  TimeNs passed = 0;
  while (passed < time || (passed < kMost && differences(ours, theirs).size() < kRoundsAtLeast)) {
    for (Side* side : {&ours, &theirs, &theirs, &ours}) {
      if (!side->take_turn(runs)) return failed();
    }
    passed = system_clock().steady_now() - start;
  }
  if (!differences(ours, theirs).empty()) return {};
  return fail(ErrorCode::kUnavailable, "found no round that nobody disturbed, expected some; let the machine do nothing else");
}

/// What both sides need: the model in the format that the library reads, and the memory of inputs and outputs.
class Comparison {
 public:
  Comparison(const BackendSpec& backend, const DirectSpec& direct) : backend_(backend), direct_(direct) {}

  Status load(const Path& path, std::string_view first) {
    MORU_ASSIGN_OR_RETURN(bytes_, read_file(path));
    const ModelBytes given{format_of_bytes(bytes_), bytes_};
    if (std::ranges::find(backend_.formats, given.format) == backend_.formats.end()) {
      MORU_ASSIGN_OR_RETURN(auto converted, converted_bytes(given, backend_.formats.front()));
      converted_ = std::move(converted.bytes);
    } else {
      converted_ = bytes_;
    }
    MORU_RETURN_IF_ERROR(make_memory());
    if (first == "ours") MORU_RETURN_IF_ERROR(load_ours());
    MORU_ASSIGN_OR_RETURN(theirs_, direct_.load(converted_, inputs_, outputs_));
    if (first == "theirs") MORU_RETURN_IF_ERROR(load_ours());
    if (first == "control") {
      MORU_ASSIGN_OR_RETURN(control_, direct_.load(converted_, inputs_, outputs_));
    }
    return {};
  }

  Status measure(TimeNs time) {
    Side ours{.run = [this] { return ours_->run(inputs_, outputs_).has_value(); }};
    if (control_ != nullptr) ours.run = [this] { return control_->run(); };
    Side theirs{.run = [this] { return theirs_->run(); }};
    MORU_RETURN_IF_ERROR(take_turns(ours, theirs, time));
    const auto found = differences(ours, theirs);
    fmt::print("{{\"ours_us\": {:.4f}, \"theirs_us\": {:.4f}, \"difference_us\": {:.4f}, \"rounds\": {}}}\n", median(ours.blocks) / 1e3,
               median(theirs.blocks) / 1e3, median(found) / 1e3, found.size());
    return {};
  }

 private:
  Status load_ours() {
    MORU_ASSIGN_OR_RETURN(ours_, load_session(backend_.name, bytes_));
    return {};
  }

  /// Through a session of its own, so that the two that are compared are as new as each other.
  Status make_memory() {
    MORU_ASSIGN_OR_RETURN(const auto session, load_session(backend_.name, bytes_));
    Rng rng(1);
    MORU_ASSIGN_OR_RETURN(input_tensors_, random_inputs(session->inputs(), 1, rng));
    MORU_ASSIGN_OR_RETURN(output_tensors_, session->run_once(input_tensors_));
    for (const auto& tensor : input_tensors_) inputs_.push_back(tensor.view());
    for (auto& tensor : output_tensors_) outputs_.push_back(tensor.mutable_view());
    return {};
  }

  const BackendSpec& backend_;
  const DirectSpec& direct_;
  std::string bytes_;
  std::string converted_;
  std::vector<model::Tensor> input_tensors_;
  std::vector<model::Tensor> output_tensors_;
  std::vector<model::ConstTensorView> inputs_;
  std::vector<model::TensorView> outputs_;
  std::unique_ptr<Session> ours_;
  std::unique_ptr<DirectModel> theirs_;
  std::unique_ptr<DirectModel> control_;  ///< in place of ours
};

Status measure(std::string_view name, const Path& path, std::string_view first, TimeNs time) {
  const auto directs = all_directs();
  const auto direct = std::ranges::find(directs, name, &DirectSpec::name);
  if (direct == directs.end()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("backend: found '{}', expected one with a direct.cc", name));
  }
  MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(name));
  Comparison comparison(*choice.backend, **direct);
  MORU_RETURN_IF_ERROR(comparison.load(path, first));
  return comparison.measure(time);
}

}  // namespace
}  // namespace moru::runtime

int main(int argc, char** argv) {
  using moru::ErrorCode;
  moru::Status status = moru::fail(ErrorCode::kInvalidArgument, "usage: measure_interface BACKEND MODEL ours|theirs|control SECONDS");
  const std::string_view first = argc == 5 ? argv[3] : "";
  const std::string_view text = argc == 5 ? argv[4] : "";
  double seconds = 0;
  const bool right = std::from_chars(text.data(), text.data() + text.size(), seconds).ec == std::errc{} && seconds > 0 && seconds < 3600;
  if (right && (first == "ours" || first == "theirs" || first == "control")) {
    status = moru::runtime::measure(argv[1], argv[2], first, static_cast<moru::TimeNs>(seconds * 1e9));
  }
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}
