// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

namespace moru::forge {
namespace {

using model::Tensor;

/// One image's buffers, made once, so that the timed loop measures inference alone.
class OneImage {
 public:
  static Result<OneImage> create(const ImageSet& set, double mean, double std, std::int64_t classes) {
    OneImage one;
    one.table_ = normalisation_table(mean, std);
    MORU_ASSIGN_OR_RETURN(one.input_, Tensor::create(model::DType::kFloat32, {1, 1, set.height(), set.width()}));
    MORU_ASSIGN_OR_RETURN(one.output_, Tensor::create(model::DType::kFloat32, {1, classes}));
    return one;
  }

  /// Wall time of one inference, without the normalisation.
  Result<TimeNs> run(runtime::Session& session, std::span<const std::uint8_t> pixels) {
    std::ranges::transform(pixels, input_.mutable_data<float>().begin(), [&](std::uint8_t pixel) { return table_[pixel]; });
    const model::ConstTensorView input = input_.view();
    const model::TensorView output = output_.mutable_view();
    const TimeNs started = system_clock().steady_now();
    MORU_RETURN_IF_ERROR(session.run({&input, 1}, {&output, 1}));
    return system_clock().steady_now() - started;
  }

 private:
  std::array<float, 256> table_{};
  Tensor input_;
  Tensor output_;
};

Status check_ports(const runtime::Session& session) {
  const auto fits = [](std::span<const runtime::Port> ports, std::size_t rank) {
    return ports.size() == 1 && ports[0].dtype == model::DType::kFloat32 && ports[0].shape.size() == rank;
  };
  if (fits(session.inputs(), 4) && fits(session.outputs(), 2)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("evaluate: found a model with {} inputs and {} outputs, expected one float32 input [N, 1, H, W] and one "
                          "float32 output [N, classes]",
                          session.inputs().size(), session.outputs().size()));
}

Status measure_latencies(runtime::Session& original, runtime::Session& compressed, const ImageSet& set, double mean, double std,
                         const ComparisonOptions& options, Comparison* comparison) {
  constexpr std::int64_t kTurn = 100;
  MORU_ASSIGN_OR_RETURN(OneImage one, OneImage::create(set, mean, std, comparison->original_evaluation.classes));
  std::vector<TimeNs> original_ns;
  std::vector<TimeNs> compressed_ns;
  for (std::int64_t done = 0; done < options.latency_runs; done += kTurn) {
    for (auto [session, samples] : {std::pair{&original, &original_ns}, std::pair{&compressed, &compressed_ns}}) {
      for (std::int64_t i = 0; i < std::min(kTurn, options.latency_runs - done); ++i) {
        MORU_ASSIGN_OR_RETURN(const TimeNs ns, one.run(*session, set.pixels((done + i) % set.size())));
        // The first turn fills caches and lets the runtime allocate.
        if (done > 0 || options.latency_runs <= kTurn) samples->push_back(ns);
      }
    }
    if (options.progress && !options.progress(0.5 + 0.5 * static_cast<double>(done) / static_cast<double>(options.latency_runs))) {
      return fail(ErrorCode::kCancelled, "compare: stopped while measuring latency, as asked");
    }
  }
  comparison->original.latency = runtime::summarise(std::move(original_ns));
  comparison->compressed.latency = runtime::summarise(std::move(compressed_ns));
  return {};
}

double us(TimeNs ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

Result<Evaluation> evaluate(runtime::Session& session, const ImageSet& set, double mean, double std, std::int64_t batch) {
  MORU_RETURN_IF_ERROR(check_ports(session));
  if (set.size() == 0 || batch < 1)
    return fail(ErrorCode::kInvalidArgument, "evaluate: found an empty set or batch, expected at least one image");
  Evaluation evaluation;
  std::int64_t right = 0;
  for (std::int64_t from = 0; from < set.size(); from += batch) {
    const std::int64_t count = std::min(batch, set.size() - from);
    MORU_ASSIGN_OR_RETURN(const Tensor images, normalised_batch(set, from, count, mean, std));
    MORU_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, session.run_once({&images, 1}));
    const Tensor& output = outputs.front();
    if (output.rank() != 2 || output.dims()[0] != count || output.dims()[1] < 1 || output.dims()[1] > 256) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("evaluate: found output {}, expected [{}, classes] with 1 to 256 classes",
                                                           model::to_string(output.dims()), count));
    }
    evaluation.classes = output.dims()[1];
    const auto values = output.data<float>();
    evaluation.probabilities.insert(evaluation.probabilities.end(), values.begin(), values.end());
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = evaluation.row(from + i);
      evaluation.predicted.push_back(static_cast<std::uint8_t>(std::ranges::max_element(row) - row.begin()));
      right += evaluation.predicted.back() == set.label(from + i) ? 1 : 0;
    }
  }
  evaluation.top1 = static_cast<double>(right) / static_cast<double>(set.size());
  return evaluation;
}

double agreement(const Evaluation& a, const Evaluation& b) {
  MORU_CHECK(a.predicted.size() == b.predicted.size() && !a.predicted.empty());
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.predicted.size(); ++i) same += a.predicted[i] == b.predicted[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(a.predicted.size());
}

void judge(const Budget& budget, Comparison* c) {
  c->drop_points = 100.0 * (c->original.top1 - c->compressed.top1);
  c->size_ratio =
      c->original.size_bytes == 0 ? 0.0 : static_cast<double>(c->compressed.size_bytes) / static_cast<double>(c->original.size_bytes);
  c->speed_up =
      c->compressed.latency.p50 == 0 ? 0.0 : static_cast<double>(c->original.latency.p50) / static_cast<double>(c->compressed.latency.p50);
  c->violations.clear();
  // Differences of shares are not exact in binary; a drop of exactly the budget is within it.
  if (c->drop_points > budget.max_drop_points + 1e-9) {
    c->violations.push_back(
        fmt::format("accuracy: fell by {:.2f} points, expected at most {:.2f}", c->drop_points, budget.max_drop_points));
  }
  if (c->size_ratio > budget.max_size_ratio) {
    c->violations.push_back(
        fmt::format("size: {:.1f} % of the original, expected at most {:.1f} %", 100 * c->size_ratio, 100 * budget.max_size_ratio));
  }
  c->budget_met = c->violations.empty();
}

Result<Comparison> compare_models(std::string_view original, std::string_view compressed, const ImageSet& set, double mean, double std,
                                  const Budget& budget, const ComparisonOptions& options) {
  const runtime::SessionOptions session_options{.threads = options.threads};
  MORU_ASSIGN_OR_RETURN_IN("original model", const auto original_session,
                           runtime::load_session(options.backend, original, session_options));
  MORU_ASSIGN_OR_RETURN_IN("compressed model", const auto compressed_session,
                           runtime::load_session(options.backend, compressed, session_options));
  Comparison comparison;
  const auto go_on = [&](double share) { return !options.progress || options.progress(share); };
  MORU_ASSIGN_OR_RETURN_IN("original model", comparison.original_evaluation, evaluate(*original_session, set, mean, std));
  if (!go_on(0.3)) return fail(ErrorCode::kCancelled, "compare: stopped after the original model, as asked");
  MORU_ASSIGN_OR_RETURN_IN("compressed model", comparison.compressed_evaluation, evaluate(*compressed_session, set, mean, std));
  if (comparison.original_evaluation.classes != comparison.compressed_evaluation.classes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("compare: found {} classes in one model and {} in the other, expected as many",
                                                         comparison.original_evaluation.classes, comparison.compressed_evaluation.classes));
  }
  if (!go_on(0.5)) return fail(ErrorCode::kCancelled, "compare: stopped after the compressed model, as asked");
  MORU_RETURN_IF_ERROR(measure_latencies(*original_session, *compressed_session, set, mean, std, options, &comparison));
  comparison.original.size_bytes = original.size();
  comparison.compressed.size_bytes = compressed.size();
  comparison.original.top1 = comparison.original_evaluation.top1;
  comparison.compressed.top1 = comparison.compressed_evaluation.top1;
  comparison.agreement = agreement(comparison.original_evaluation, comparison.compressed_evaluation);
  judge(budget, &comparison);
  return comparison;
}

Json to_json(const Comparison& c) {
  return {{"accuracy_float", c.original.top1},
          {"accuracy_int8", c.compressed.top1},
          {"drop_points", c.drop_points},
          {"agreement", c.agreement},
          {"size_float_bytes", c.original.size_bytes},
          {"size_int8_bytes", c.compressed.size_bytes},
          {"size_ratio", c.size_ratio},
          {"latency_float_p50_us", us(c.original.latency.p50)},
          {"latency_float_p99_us", us(c.original.latency.p99)},
          {"latency_int8_p50_us", us(c.compressed.latency.p50)},
          {"latency_int8_p99_us", us(c.compressed.latency.p99)},
          {"speed_up", c.speed_up},
          {"budget_met", c.budget_met},
          {"violations", c.violations}};
}

std::string to_table(const Comparison& c) {
  const auto row = [](std::string_view name, const std::string& a, const std::string& b, const std::string& note) {
    return fmt::format("{:<20} {:>12} {:>12}   {}\n", name, a, b, note);
  };
  const auto time = [](TimeNs ns) { return fmt::format("{:.0f} us", us(ns)); };
  std::string text = row("", "float32", "int8", "");
  text += row("top-1", percent(c.original.top1), percent(c.compressed.top1), fmt::format("{:+.2f} points", -c.drop_points));
  text +=
      row("size", human_bytes(c.original.size_bytes), human_bytes(c.compressed.size_bytes), fmt::format("{:.1f} %", 100 * c.size_ratio));
  text += row("latency p50", time(c.original.latency.p50), time(c.compressed.latency.p50), fmt::format("{:.2f} times as fast", c.speed_up));
  text += row("latency p99", time(c.original.latency.p99), time(c.compressed.latency.p99), "");
  text += row("arg-max agreement", "", percent(c.agreement), "");
  text += c.budget_met ? "budget: met\n" : "";
  for (const std::string& violation : c.violations) text += fmt::format("budget: not met: {}\n", violation);
  return text;
}

}  // namespace moru::forge
