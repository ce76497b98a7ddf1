// SPDX-License-Identifier: Apache-2.0
#include "cli/support/parity.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "cli/support/inputs.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "runtime/backends/ports.h"

namespace moru::cli {
namespace {

using model::Tensor;

/// Of each name in `of`, its place in `among`: by name when all are there, else by order.
Result<std::vector<std::size_t>> match(const std::vector<std::string>& of, const std::vector<std::string>& among, std::string_view what) {
  if (of.size() != among.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("compare: found {} {}s, expected {}, as many as the first model has", among.size(), what, of.size()));
  }
  std::vector<std::size_t> by_name;
  for (const std::string& name : of) {
    const auto it = std::ranges::find(among, name);
    if (it == among.end()) break;
    by_name.push_back(static_cast<std::size_t>(it - among.begin()));
  }
  if (by_name.size() == of.size()) return by_name;
  std::vector<std::size_t> by_order(of.size());
  for (std::size_t i = 0; i < of.size(); ++i) by_order[i] = i;
  return by_order;
}

std::vector<std::string> input_names(const ModelRunner& runner) {
  std::vector<std::string> names;
  for (const runtime::Port& port : runner.inputs()) names.push_back(port.name);
  return names;
}

/// The inputs of every run, made when it is asked for.
class Runs {
 public:
  static Result<Runs> create(const ModelRunner& runner, const ParityFlags& flags) {
    Runs runs(runner, flags);
    MORU_ASSIGN_OR_RETURN(runs.binding_, dim_binding(flags.dims));
    if (flags.data.empty()) return runs;
    MORU_ASSIGN_OR_RETURN(auto tensors, read_tensors(flags.data));
    MORU_ASSIGN_OR_RETURN_IN("--data", const auto ordered, order_tensors(std::move(tensors), runner.inputs()));
    MORU_ASSIGN_OR_RETURN_IN("--data", runs.data_, split_runs(ordered, runner.inputs()));
    return runs;
  }
  std::size_t count() const { return flags_.data.empty() ? static_cast<std::size_t>(flags_.samples) : data_.size(); }
  Result<std::vector<Tensor>> get(std::size_t index) const {
    if (!flags_.data.empty()) return data_[index];
    return random_tensors(runner_.inputs(), binding_, flags_.seed + index);
  }
  std::string describe() const {
    return fmt::format("{} {}run{}{}", count(), flags_.data.empty() ? "seeded " : "", count() == 1 ? "" : "s",
                       flags_.data.empty() ? "" : " of data");
  }

 private:
  Runs(const ModelRunner& runner, const ParityFlags& flags) : runner_(runner), flags_(flags) {}
  const ModelRunner& runner_;
  const ParityFlags& flags_;
  model::DimBinding binding_;
  std::vector<std::vector<Tensor>> data_;
};

std::string figure(double value) { return value == 0 ? "0" : fmt::format("{:.3g}", value); }

}  // namespace

void add_parity_options(CLI::App& command, ParityFlags* flags) {
  command.add_option("--data", flags->data,
                     "Inputs: NAME=x.npy or x.npz, with one run or many along a first axis; else seeded random ones");
  command.add_option("--samples", flags->samples, "How many random runs")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  command.add_option("--seed", flags->seed, "Of the random inputs")->capture_default_str();
  command.add_option("--backend", flags->backend, "Runs both models")->capture_default_str();
  command.add_option("--threads", flags->threads, "Threads of the backend")->check(CLI::Range(1, 1024))->capture_default_str();
  command.add_option("--max-error", flags->max_error, "Exit code 3 when an element is further away than this")
      ->check(CLI::NonNegativeNumber);
  add_dim_options(command, &flags->dims);
}

Result<ParityReport> measure_parity(const Path& expected, const Path& found, const ParityFlags& flags, const model::LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN(ModelRunner second, ModelRunner::open(found, flags.backend, flags.threads, options));
  const Answerer answerer{input_names(second),
                          {second.outputs().begin(), second.outputs().end()},
                          [&second](std::span<const Tensor> inputs) { return second.run(inputs); }};
  return measure_parity(expected, answerer, flags, options);
}

Result<ParityReport> measure_parity(const Path& expected, const Answerer& found, const ParityFlags& flags,
                                    const model::LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN(ModelRunner first, ModelRunner::open(expected, flags.backend, flags.threads, options));
  MORU_ASSIGN_OR_RETURN(const auto inputs, match(input_names(first), found.inputs, "input"));
  const std::vector<std::string> names(first.outputs().begin(), first.outputs().end());
  MORU_ASSIGN_OR_RETURN(const auto outputs, match(names, found.outputs, "output"));
  MORU_ASSIGN_OR_RETURN(const Runs runs, Runs::create(first, flags));
  ParityReport report{.inputs = runs.describe(), .outputs = {}};
  for (const std::string& name : names) report.outputs.push_back({.output = name});
  Progress progress("compare", runs.count());
  for (std::size_t i = 0; i < runs.count(); ++i) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, "compare: found a request to stop, expected to finish");
    progress.update(i);
    MORU_ASSIGN_OR_RETURN(const auto given, runs.get(i));
    std::vector<Tensor> matched(given.size());
    for (std::size_t k = 0; k < given.size(); ++k) matched[inputs[k]] = given[k];
    MORU_ASSIGN_OR_RETURN(const auto answers, first.run(given));
    MORU_ASSIGN_OR_RETURN(const auto others, found.run(matched));
    for (std::size_t k = 0; k < answers.size(); ++k) {
      MORU_RETURN_IF_ERROR_IN("output " + in_quotes(names[k]), runtime::add_run(answers[k], others[outputs[k]], &report.outputs[k]));
    }
  }
  for (const runtime::Parity& output : report.outputs) {
    report.max_error = std::max(report.max_error, output.max_error);
    report.same_bits = report.same_bits && output.same_bits;
  }
  return report;
}

std::string to_text(const ParityReport& report) {
  std::string out =
      fmt::format("parity        {}: {}\n", report.inputs, report.same_bits ? "the same bits" : "max error " + figure(report.max_error));
  out += fmt::format("  {:<28} {:>10} {:>10} {:>10}  {}\n", "output", "max error", "RMS error", "NMSE", "arg-max agreement");
  for (const runtime::Parity& output : report.outputs) {
    const double share = output.samples == 0 ? 0 : 100.0 * static_cast<double>(output.agreements) / static_cast<double>(output.samples);
    out += fmt::format("  {:<28} {:>10} {:>10} {:>10}  {}\n", in_quotes(output.output), figure(output.max_error), figure(output.rms_error),
                       figure(output.nmse), output.samples == 0 ? "-" : fmt::format("{:.4g} % of {}", share, output.samples));
  }
  return out;
}

Json to_json(const ParityReport& report) {
  Json outputs = Json::array();
  for (const runtime::Parity& output : report.outputs) outputs.push_back(runtime::to_json(output));
  return {{"inputs", report.inputs},
          {"same_bits", report.same_bits},
          {"max_error", std::isfinite(report.max_error) ? Json(report.max_error) : Json("inf")},
          {"outputs", std::move(outputs)}};
}

bool within(const ParityReport& report, const ParityFlags& flags) { return flags.max_error < 0 || report.max_error <= flags.max_error; }

}  // namespace moru::cli
