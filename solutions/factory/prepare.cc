// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/process.h"
#include "core/text.h"
#include "forge/compress/compress.h"
#include "forge/data/dataset.h"
#include "forge/package/package.h"
#include "forge/train/network_graph.h"
#include "forge/train/recipe.h"
#include "forge/train/train.h"
#include "forge/train/trainer.h"
#include "forge/validate/evaluate.h"
#include "forge/validate/fault_injection.h"
#include "forge/validate/threshold.h"
#include "model/formats/onnx/onnx.h"
#include "runtime/backends/backend.h"
#include "trust/keys.h"

namespace moru::factory {
namespace {

constexpr const char* kBackend = "onnxruntime";
constexpr double kHarmfulDropPoints = 5.0;

/// Everything that the steps hand on to one another.
class Preparation {
 public:
  Preparation(const DemoOptions& options, const DemoEvents& events, Report& report) : options_(options), events_(events), report_(report) {}

  Result<Prepared> run() {
    const auto step = [this](const std::string& title, Result<std::string> (Preparation::*work)()) {
      return timed_step(events_, report_, title, [this, work] { return (this->*work)(); });
    };
    MORU_RETURN_IF_ERROR(step("Dataset", &Preparation::load));
    MORU_RETURN_IF_ERROR(step("Train cnn_small", &Preparation::train_first));
    MORU_RETURN_IF_ERROR(step("Compress to int8", &Preparation::compress_first));
    MORU_RETURN_IF_ERROR(step("Check against the budget", &Preparation::check));
    if (!report_.budget_met) return Prepared{};
    MORU_RETURN_IF_ERROR(step("Choose the alert's threshold", &Preparation::choose_threshold));
    MORU_RETURN_IF_ERROR(step("Train release 2 on from release 1", &Preparation::train_second));
    MORU_RETURN_IF_ERROR(step("Package and sign releases 1 to 5", &Preparation::package));
    return std::move(prepared_);
  }

 private:
  Result<std::string> load() {
    MORU_ASSIGN_OR_RETURN(dataset_, forge::load_dataset(options_.dataset, {.seed = options_.seed}));
    const auto counts = forge::class_counts(dataset_.train, dataset_.labels.size());
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    return fmt::format("{} train, {} validation, {} test images; {} classes with {} to {} training images each", dataset_.train.size(),
                       dataset_.validation.size(), dataset_.test.size(), dataset_.labels.size(), *least, *most);
  }

  /// Trains, or takes what an earlier run with the same data, recipe, seed and library has left in the cache.
  Result<model::Graph> train_cached(const forge::TrainRecipe& recipe, const forge::Weights* initial, std::string* note) {
    forge::TrainOptions train_options{.seed = options_.seed, .threads = options_.threads, .initial = initial, .progress = {}};
    MORU_ASSIGN_OR_RETURN(const auto version, forge::Trainer::library_version());
    const Path file = options_.home / "cache" / (forge::train_cache_key(dataset_, recipe, train_options, version) + ".onnx");
    std::error_code ignored;
    if (!options_.fresh && std::filesystem::exists(file, ignored)) {
      *note = "from the cache (--fresh trains anew)";
      return model::load_onnx(file);
    }
    train_options.progress = [this](const forge::TrainProgress& progress) {
      events_.progress(
          static_cast<std::uint64_t>(progress.step), static_cast<std::uint64_t>(progress.steps),
          fmt::format("epoch {}/{}, loss {:.3f}, {:.0f} images/s", progress.epoch, progress.epochs, progress.loss, progress.images_per_s));
      return !stop_requested();
    };
    MORU_ASSIGN_OR_RETURN(const auto trained, forge::train(dataset_, recipe, train_options));
    MORU_ASSIGN_OR_RETURN(auto graph, forge::to_graph(trained.network, trained.weights));
    MORU_RETURN_IF_ERROR(make_folders(file.parent_path()));
    MORU_RETURN_IF_ERROR(model::save_onnx(graph, file));
    *note =
        fmt::format("{:.2f} % of the validation images, weights {}", trained.validation_top1 * 100, trained.weights_digest.substr(0, 16));
    return graph;
  }

  Result<std::string> train_first() {
    std::string note;
    MORU_ASSIGN_OR_RETURN(recipe_, forge::find_train_recipe("cnn_small"));
    MORU_ASSIGN_OR_RETURN(float_graph_, train_cached(recipe_, nullptr, &note));
    return note;
  }

  Result<model::Graph> compress(const model::Graph& graph) {
    MORU_ASSIGN_OR_RETURN(auto compressed,
                          forge::compress(graph, dataset_, compression_, forge::backend_runner(kBackend, options_.threads)));
    return std::move(compressed.graph);
  }

  Result<std::string> compress_first() {
    MORU_ASSIGN_OR_RETURN(const auto graph, compress(float_graph_));
    MORU_ASSIGN_OR_RETURN(float_onnx_, model::write_onnx(float_graph_));
    MORU_ASSIGN_OR_RETURN(int8_onnx_, model::write_onnx(graph));
    return fmt::format("{} to {}, calibrated on {} images", human_bytes(float_onnx_.size()), human_bytes(int8_onnx_.size()),
                       compression_.calibration_images);
  }

  Result<std::string> check() {
    forge::ComparisonOptions how;
    how.backend = kBackend;
    how.progress = [this](double share) {
      events_.progress(static_cast<std::uint64_t>(share * 1000), 1000, "");
      return !stop_requested();
    };
    MORU_ASSIGN_OR_RETURN(
        comparison_, forge::compare_models(float_onnx_, int8_onnx_, dataset_.test, dataset_.mean, dataset_.std, compression_.budget, how));
    report_.float_model = comparison_.original;
    report_.int8_model = comparison_.compressed;
    report_.argmax_agreement = comparison_.agreement;
    report_.max_drop = compression_.budget.max_drop_points / 100;
    report_.max_size_ratio = compression_.budget.max_size_ratio;
    report_.budget_met = comparison_.budget_met;
    for (const auto line : split(trim(forge::to_table(comparison_)), '\n')) events_.say(line);
    return std::string(comparison_.budget_met ? "the budget is met" : "the budget is NOT met");
  }

  Result<std::string> choose_threshold() {
    MORU_ASSIGN_OR_RETURN(const auto session, runtime::load_session(kBackend, int8_onnx_, {.threads = options_.threads}));
    MORU_ASSIGN_OR_RETURN(const auto validation, forge::evaluate(*session, dataset_.validation, dataset_.mean, dataset_.std));
    MORU_ASSIGN_OR_RETURN(threshold_, forge::alert_threshold(validation, dataset_.validation, comparison_.compressed_evaluation,
                                                             dataset_.test, options_.seed));
    report_.threshold = threshold_.threshold;
    report_.validation_curve = threshold_.validation_curve;
    report_.test_curve = threshold_.test_curve;
    return fmt::format("{:.5f}; on the test part {:.2f} % false alarms, {:.1f} % of the defects found", threshold_.threshold,
                       threshold_.test.false_alarms * 100, threshold_.test.detected * 100);
  }

  Result<std::string> train_second() {
    std::string note;
    MORU_ASSIGN_OR_RETURN(const auto network, forge::network_of(float_graph_, static_cast<std::int64_t>(dataset_.labels.size())));
    MORU_ASSIGN_OR_RETURN(const auto weights, forge::weights_from_graph(network, float_graph_));
    MORU_ASSIGN_OR_RETURN(const auto graph, train_cached(forge::fine_tune_recipe(recipe_), &weights, &note));
    MORU_ASSIGN_OR_RETURN(second_, compress(graph));
    return note;
  }

  /// Top-1 of a model on the validation part.
  Result<double> validation_top1(const model::Graph& graph) {
    if (stop_requested()) return fail(ErrorCode::kCancelled, "releases: interrupted");
    MORU_ASSIGN_OR_RETURN(const auto onnx, model::write_onnx(graph));
    MORU_ASSIGN_OR_RETURN(const auto session, runtime::load_session(kBackend, onnx, {.threads = options_.threads}));
    MORU_ASSIGN_OR_RETURN(const auto evaluation, forge::evaluate(*session, dataset_.validation, dataset_.mean, dataset_.std));
    return evaluation.top1;
  }

  Status add_release(std::int64_t number, std::string what, std::string expected, const std::string& onnx, const model::Graph& graph) {
    auto card = forge::classifier_card("factory-line", graph, dataset_);
    card.alert_threshold = threshold_.threshold;
    card.provenance = {
        {"made", what}, {"dataset", dataset_.digest}, {"recipe", forge::describe(recipe_)}, {"seed", std::to_string(options_.seed)}};
    if (number == 1) {
      forge::add_figures(comparison_, &card);
      forge::add_figures(threshold_, &card);
    }
    MORU_ASSIGN_OR_RETURN(
        auto release, forge::make_release("factory-line", number, format_utc(system_clock().wall_now()), card, {{.bytes = onnx}}, *key_));
    prepared_.releases.push_back({number, std::move(what), std::move(expected), std::move(release.bytes)});
    return {};
  }

  Status add_release(std::int64_t number, std::string what, std::string expected, const model::Graph& graph) {
    MORU_ASSIGN_OR_RETURN(const auto onnx, model::write_onnx(graph));
    return add_release(number, std::move(what), std::move(expected), onnx, graph);
  }

  Result<std::string> package() {
    const Path keys = moru_home() / "keys";
    MORU_RETURN_IF_ERROR(make_folders(keys, 0700));
    MORU_ASSIGN_OR_RETURN(auto key, trust::SigningKey::load_or_create(keys / "release.pem"));
    key_.emplace(std::move(key));
    prepared_.public_key = keys / "release.pub.pem";
    MORU_RETURN_IF_ERROR(write_file_atomic(prepared_.public_key, key_->public_key().to_pem()));

    MORU_ASSIGN_OR_RETURN(const auto first, model::read_onnx(int8_onnx_, "release 1"));
    MORU_RETURN_IF_ERROR(add_release(1, "the compressed model", "succeeded", int8_onnx_, first));
    MORU_RETURN_IF_ERROR(add_release(2, "trained on from release 1", "succeeded", second_));
    MORU_ASSIGN_OR_RETURN(const auto shuffled, forge::shuffle_weights(second_, options_.seed));
    MORU_RETURN_IF_ERROR(add_release(3, "release 2 with shuffled weights", "failed", shuffled));
    const auto top1 = [this](const model::Graph& graph) { return validation_top1(graph); };
    MORU_ASSIGN_OR_RETURN(const auto degraded, forge::degrade_weights(second_, kHarmfulDropPoints, options_.seed, top1));
    MORU_RETURN_IF_ERROR(
        add_release(4, fmt::format("release 2 made {:.0f} points less accurate", kHarmfulDropPoints), "failed", degraded.graph));
    MORU_RETURN_IF_ERROR(add_release(5, "release 2 again, one byte flipped on the way", "refused", second_));
    auto& damaged = prepared_.releases.back().bundle;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x10);
    return fmt::format("{} each, signed by key {}", human_bytes(damaged.size()), key_->public_key().id());
  }

  const DemoOptions& options_;
  const DemoEvents& events_;
  Report& report_;
  forge::CompressRecipe compression_;
  forge::Dataset dataset_;
  forge::TrainRecipe recipe_;
  model::Graph float_graph_;
  model::Graph second_;  ///< release 2, int8
  std::string float_onnx_;
  std::string int8_onnx_;
  forge::Comparison comparison_;
  forge::ThresholdReport threshold_;
  std::optional<trust::SigningKey> key_;
  Prepared prepared_;
};

}  // namespace

Status timed_step(const DemoEvents& events, Report& report, const std::string& title, const std::function<Result<std::string>()>& work) {
  events.step(title);
  const TimeNs started = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(auto note, work());
  report.steps.push_back({title, static_cast<double>(system_clock().steady_now() - started) / 1e9, std::move(note)});
  events.step_done(report.steps.back());
  return {};
}

Result<Prepared> prepare_releases(const DemoOptions& options, const DemoEvents& events, Report& report) {
  return Preparation(options, events, report).run();
}

}  // namespace moru::factory
