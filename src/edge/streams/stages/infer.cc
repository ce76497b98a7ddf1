// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stages/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "edge/streams/inference/inference.h"
#include "edge/streams/inference/model_file.h"

namespace moru::edge {
namespace {

constexpr std::int64_t kNoLabel = -1;  // no class has this number

struct InferOptions {
  std::string model;
  std::string backend = "auto";
  std::string activation = "none";
  std::string input = "tensor";
  std::string output;
  Answer answer = Answer::kClasses;
  std::string reference;
  std::int64_t max_batch = 1;
  std::int64_t max_wait_us = 0;
  std::string where;
};

/// What was made of models before the stage has them, the latest two: the current one and a candidate.
class MadeAhead final : public ModelReader {
 public:
  MadeAhead(Answer answer, std::int64_t max_batch) : answer_(answer), max_batch_(max_batch) {}
  Status get_ready(const std::shared_ptr<LoadedModel>& model) override {
    MORU_ASSIGN_OR_RETURN(auto inference, Inference::create(model, answer_, max_batch_));
    const std::lock_guard lock(mutex_);
    if (made_.size() == 2) made_.pop_front();
    made_.push_back(std::move(inference));
    return {};
  }
  /// That of the model, made now where there is none.
  Result<Inference> take(const std::shared_ptr<LoadedModel>& model) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::ranges::find(made_, model, &Inference::model);
      if (found != made_.end()) {
        Inference inference = std::move(*found);
        made_.erase(found);
        return inference;
      }
    }
    return Inference::create(model, answer_, max_batch_);
  }

 private:
  const Answer answer_;
  const std::int64_t max_batch_;
  std::mutex mutex_;
  std::deque<Inference> made_;
};

class InferStage final : public Stage {
 public:
  explicit InferStage(InferOptions options)
      : options_(std::move(options)), made_ahead_(std::make_shared<MadeAhead>(options_.answer, options_.max_batch)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.input, FieldType::kTensor));
    Schema schema = inputs[0];
    FieldSpec output{.name = options_.output, .type = FieldType::kDouble};
    if (options_.answer != Answer::kError) {
      output.type = FieldType::kTensor;
      output.dtype = model::DType::kFloat32;
      output.dims = std::vector<std::int64_t>{-1};
    }
    schema.set(std::move(output));
    schema.set({.name = "release", .type = FieldType::kInt64});
    if (options_.answer == Answer::kClasses) {
      schema.set({.name = "class", .type = FieldType::kInt64});
      schema.set({.name = "class_name", .type = FieldType::kText});
    }
    if (!options_.reference.empty()) {
      MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.reference, FieldType::kInt64));
      schema.set({.name = options_.reference + "_name", .type = FieldType::kText});
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    stop_ = context.stop;
    if (is_model_file(options_.model)) {
      MORU_ASSIGN_OR_RETURN_IN("infer", auto loaded, load_model_file(options_.model, options_.backend));
      loaded->card.activation = options_.activation;
      slot_ = std::make_shared<ModelSlot>();
      slot_->swap(std::move(loaded));
    } else {
      slot_ = context.resource<ModelSlot>("model/" + options_.model);
    }
    if (!slot_)
      return fail(ErrorCode::kNotFound,
                  fmt::format("infer: found no model slot '{}' in this process, expected one; give it a model of that "
                              "name, or a file: model: {}.onnx",
                              options_.model, options_.model));
    slot_->add_reader(made_ahead_);
    return {};
  }

  /// A model that is there is made ready now, and not when the first item waits for it.
  Status prepare() override {
    MORU_ASSIGN_OR_RETURN(const auto taken, wait_for_model());
    return ready(current_, taken.current);
  }

  Status process(Item&& item, Output& output) override {
    Status result;
    process_batch(0, {&item, 1}, output, {&result, 1});
    return result;
  }

  void process_batch(std::size_t, std::span<Item> items, Output& output, std::span<Status> results) override {
    const auto taken = wait_for_model();
    Status status;
    if (taken) {
      status = ready(current_, taken->current);
    } else {
      status = fail(taken.error());
    }
    batch_.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
      results[i] = status ? take(items[i], i) : status;
      if (!results[i] && taken) slot_->count(taken->current, false, false, false, 0);
    }
    if (!status || batch_.empty()) return;
    const Status ran = current_->run(inputs_of(batch_), *clock_);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const Status each = ran ? current_->finite(i) : ran;
      pass_on(*taken, i, each, items[batch_[i].item], output);
      results[batch_[i].item] = each;
    }
    run_shadow(*taken, ran);
    before_.reset();
  }

  std::size_t largest_batch() const override { return static_cast<std::size_t>(options_.max_batch); }
  TimeNs batch_wait() const override { return options_.max_wait_us * kMicrosecond; }
  std::string waiting_for() const override { return waiting_ ? "a release" : ""; }

 private:
  /// An item on its way through the model.
  struct Entry {
    std::size_t item;
    std::int64_t label;
    bool ok = false;  ///< the current model has answered
  };

  /// What people call a class, where the model's card says it.
  static void set_name(Item& item, std::string_view field, const std::vector<std::string>& labels, std::int64_t index) {
    if (index >= 0 && index < static_cast<std::int64_t>(labels.size())) item.set(field, labels[static_cast<std::size_t>(index)]);
  }

  Result<ModelSlot::Taken> wait_for_model() {
    auto taken = slot_->take();
    if (!taken.current) {
      waiting_ = true;
      taken = slot_->wait(stop_);
      waiting_ = false;
    }
    if (!taken.current) return fail(ErrorCode::kCancelled, "infer: the stream stopped before a model came");
    return taken;
  }

  /// Gets another `inference` when the model is another one than before. The last one is let go of when the items have been passed on.
  Status ready(std::optional<Inference>& inference, const std::shared_ptr<LoadedModel>& model) {
    if (inference && inference->model() == model) return {};
    before_ = std::exchange(inference, std::nullopt);
    if (shadow_ && shadow_->model() == model) {  // the candidate is the current one now
      inference = std::exchange(shadow_, std::nullopt);
      return {};
    }
    MORU_ASSIGN_OR_RETURN(inference, made_ahead_->take(model));
    return {};
  }

  /// Puts an item's tensor into the batch; the data are shared, so that they are still there for the candidate when the item has gone.
  Status take(const Item& item, std::size_t index) {
    const auto* tensor = item.get<model::Tensor>(options_.input);
    if (tensor == nullptr)
      return fail(ErrorCode::kInvalidArgument, fmt::format("infer: found no tensor in field '{}', expected one", options_.input));
    MORU_RETURN_IF_ERROR(current_->check(*tensor));
    const auto* reference = options_.reference.empty() ? nullptr : item.get<std::int64_t>(options_.reference);
    batch_.push_back({.item = index, .label = reference == nullptr ? kNoLabel : *reference});
    inputs_.resize(std::max(inputs_.size(), batch_.size()));
    inputs_[batch_.size() - 1] = {*tensor, normalisation_of(item, options_.input)};
    return {};
  }
  std::span<const Inference::Input> inputs_of(const std::vector<Entry>& batch) const { return {inputs_.data(), batch.size()}; }

  void pass_on(const ModelSlot::Taken& taken, std::size_t index, const Status& status, Item& item, Output& output) {
    Entry& entry = batch_[index];
    entry.ok = status.has_value();
    const bool classes = options_.answer == Answer::kClasses;
    const bool labelled = classes && entry.label != kNoLabel;
    const bool right = entry.ok && classes && current_->top(index) == entry.label;
    slot_->count(taken.current, entry.ok, labelled, right, entry.ok ? current_->duration() : 0);
    if (!entry.ok) return;
    const auto values = current_->values(index);
    const auto& card = taken.current->card;
    if (options_.answer == Answer::kError) {
      item.set(options_.output, current_->error(index));
    } else {
      item.set(options_.output, model::Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values));
    }
    if (classes) {
      item.set("class", current_->top(index));
      set_name(item, "class_name", card.labels, current_->top(index));
      if (labelled) set_name(item, options_.reference + "_name", card.labels, entry.label);
    }
    item.set("release", taken.current->release);
    item.set(kThresholdNote, card.alert_threshold);
    output.emit(std::move(item));
  }

  /// After the items have been passed on. What the current model could not answer is not compared.
  void run_shadow(const ModelSlot::Taken& taken, const Status& current_ran) {
    if (!taken.shadow || !current_ran) {
      if (!taken.shadow) shadow_.reset();  // lets go of a candidate that is no longer wanted
      return;
    }
    bool ran = ready(shadow_, taken.shadow).has_value();
    const auto inputs = inputs_of(batch_);
    for (const auto& input : inputs) ran = ran && shadow_->check(input.tensor);
    ran = ran && shadow_->run(inputs, *clock_).has_value();
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (batch_[i].ok) count_shadow(taken, i, ran && shadow_->finite(i));
    }
  }

  void count_shadow(const ModelSlot::Taken& taken, std::size_t i, bool ok) {
    const bool classes = options_.answer == Answer::kClasses;
    ModelSlot::ShadowResult result;
    result.ok = ok;
    result.labelled = classes && batch_[i].label != kNoLabel;
    result.current_ns = current_->duration();
    result.current_right = classes && current_->top(i) == batch_[i].label;
    if (ok) {
      result.candidate_ns = shadow_->duration();
      // Of plain values there is no telling what is near enough.
      result.agree = classes && shadow_->top(i) == current_->top(i);
      result.candidate_right = classes && shadow_->top(i) == batch_[i].label;
    }
    slot_->count_shadow(taken.shadow, result);
  }

  const InferOptions options_;
  std::shared_ptr<ModelSlot> slot_;
  Clock* clock_ = nullptr;
  std::stop_token stop_;
  std::atomic<bool> waiting_{false};
  std::optional<Inference> current_;
  std::optional<Inference> shadow_;
  std::optional<Inference> before_;  ///< the one before current_, where it was just exchanged
  const std::shared_ptr<MadeAhead> made_ahead_;
  std::vector<Entry> batch_;
  std::vector<Inference::Input> inputs_;  ///< of the batch
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  InferOptions options;
  std::string answer = "classes";
  ConfigReader reader(object);
  reader.required("model", &options.model);
  reader.optional("backend", &options.backend);
  reader.choice("activation", &options.activation, {"none", "softmax"});
  reader.optional("input", &options.input);
  reader.optional("output", &options.output);
  reader.choice("answer", &answer, {"classes", "values", "error"});
  reader.optional("reference", &options.reference);
  reader.optional("max_batch", &options.max_batch, {.min = 1, .max = 128});
  reader.optional("max_wait_us", &options.max_wait_us, {.min = 0, .max = 1e7});
  MORU_RETURN_IF_ERROR(reader.finish());
  options.where = object.where();
  options.answer = answer == "values" ? Answer::kValues : answer == "error" ? Answer::kError : Answer::kClasses;
  if (options.output.empty()) options.output = options.answer == Answer::kClasses ? "probabilities" : answer;
  const auto wrong = [&](std::string_view name, std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found '{}', expected {}", object.find(name)->where(), name, expected));
  };
  for (const std::string_view name : {"backend", "activation"}) {
    if (object.find(name) && !is_model_file(options.model)) return wrong(name, "it with a model from a file only");
  }
  if (options.backend != "auto") MORU_RETURN_IF_ERROR_IN(options.where, runtime::choose_backend(options.backend));
  if (!options.reference.empty() && options.answer != Answer::kClasses) return wrong("reference", "it with answer: classes only");
  return std::make_unique<InferStage>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_infer;
const StageSpec kStage_infer{
    .name = "infer",
    .kind = StageKind::kStage,
    .doc = R"(Runs items through a model: one from a file, or the current one of a slot that the node's agent fills.

Reads   INPUT      tensor of the model's type and of the shape that it takes ([1, 1, 28, 28]), or float32 for a TFLite model of levels
        REFERENCE  int64, the class that is known to be right (optional, for statistics only)
Writes  release    int64, of the model that ran; 0 of a file
        and, as `answer` says what the model's first output is:
        classes: OUTPUT   tensor float32 [C], probabilities (softmax is applied when the model card, or `activation`, says so)
                 class    int64, the class of the highest probability
                 class_name, REFERENCE_name   text, the names of both classes, where the model card has them
        values:  OUTPUT   tensor float32, flat
        error:   OUTPUT   double, the mean squared difference between output and input, of a model that gives its input again

Items that wait in the stage's queue go through the model together, up to max_batch, where its first extent is open; the results are those
of one after the other, and in order. One that comes alone is run at once. When some have come, but not max_batch, max_wait_us is how long
to wait for more.

A model is swapped between two items. Without a model the stream waits ("waiting for a release") and its sources do not
begin. A candidate in shadow runs on the same items after they have been passed on, and changes nothing but statistics.
Where the tensor was normalised for another model card (image_to_tensor leaves a note), it is put right first.

Options
  model: NAME or FILE    resource model/NAME of the node; what has a dot or a slash is a file, .onnx or .tflite
  backend: auto          of a file: native, onnxruntime, ...; auto: native, or onnxruntime where native lacks an op
  activation: none       of a file: softmax when it gives logits
  input: tensor
  output: probabilities  of answer values: values; of error: error
  answer: classes        or values, error
  reference: FIELD       none
  max_batch: 1           to 128
  max_wait_us: 0
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: classify
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, rate_hz: 200, items: 40}
    - name: tensor
      stage: image_to_tensor
      inputs: [camera]
      options: {model: line}
    - name: infer
      stage: infer
      inputs: [tensor]
      options: {model: line, reference: order}
    - name: results
      stage: write_json
      inputs: [infer]
      options: {path: results.jsonl}
)",
    .create = create,
};

}  // namespace moru::edge
