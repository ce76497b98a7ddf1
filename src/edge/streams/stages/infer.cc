// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stages/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include "edge/streams/stages/normalise.h"

namespace moru::edge {

std::shared_ptr<LoadedModel> ModelSlot::swap(std::shared_ptr<LoadedModel> model) {
  {
    const std::lock_guard lock(mutex_);
    current_.swap(model);
    stats_ = {};
    current_ns_.reset();
  }
  changed_.notify_all();
  return model;
}

void ModelSlot::set_shadow(std::shared_ptr<LoadedModel> candidate) {
  const std::lock_guard lock(mutex_);
  shadow_.swap(candidate);
  shadow_stats_ = {};
  shadow_current_ns_.reset();
  shadow_candidate_ns_.reset();
}

wire::ShadowStats ModelSlot::shadow_stats() const {
  const std::lock_guard lock(mutex_);
  wire::ShadowStats stats = shadow_stats_;
  stats.current_p99_ns = shadow_current_ns_.quantile(0.99);
  stats.candidate_p99_ns = shadow_candidate_ns_.quantile(0.99);
  return stats;
}

InferenceStats ModelSlot::stats() const {
  const std::lock_guard lock(mutex_);
  InferenceStats stats = stats_;
  stats.p99_ns = current_ns_.quantile(0.99);
  return stats;
}

bool ModelSlot::has_model() const {
  const std::lock_guard lock(mutex_);
  return current_ != nullptr;
}

ModelSlot::Taken ModelSlot::take() const {
  const std::lock_guard lock(mutex_);
  return {current_, shadow_};
}

ModelSlot::Taken ModelSlot::wait(const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return current_ != nullptr; });
  return {current_, shadow_};
}

void ModelSlot::count(const std::shared_ptr<LoadedModel>& model, bool ok, bool labelled, bool right, TimeNs duration) {
  const std::lock_guard lock(mutex_);
  if (model != current_) return;
  ++stats_.items;
  if (!ok) {
    ++stats_.errors;
    return;
  }
  current_ns_.record(duration);
  if (labelled) ++stats_.labelled;
  if (labelled && right) ++stats_.right;
}

void ModelSlot::count_shadow(const std::shared_ptr<LoadedModel>& candidate, const ShadowResult& result) {
  const std::lock_guard lock(mutex_);
  if (candidate != shadow_) return;
  ++shadow_stats_.items;
  shadow_current_ns_.record(result.current_ns);
  if (!result.ok) ++shadow_stats_.errors;
  if (result.ok) shadow_candidate_ns_.record(result.candidate_ns);
  if (result.ok && result.agree) ++shadow_stats_.agree;
  if (!result.labelled) return;
  // A candidate that fails an item has not named its class: the gate must see that as being wrong.
  ++shadow_stats_.labelled;
  const bool candidate_right = result.ok && result.candidate_right;
  if (result.current_right && candidate_right) ++shadow_stats_.both_right;
  if (result.current_right && !candidate_right) ++shadow_stats_.only_current;
  if (!result.current_right && candidate_right) ++shadow_stats_.only_candidate;
}

namespace {

constexpr std::int64_t kNoLabel = -1;  // no class has this number

/// The outputs of one session, made once, and the way from them to probabilities.
class Inference {
 public:
  static Result<Inference> create(std::shared_ptr<LoadedModel> model) {
    Inference inference(std::move(model));
    const auto& session = *inference.model_->session;
    if (session.inputs().size() != 1 || session.outputs().empty()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("infer: model of release {} has {} inputs and {} outputs, expected 1 input and 1 output at least",
                              inference.model_->release, session.inputs().size(), session.outputs().size()));
    }
    for (const auto& port : session.outputs()) {
      model::Dims dims;
      for (std::size_t i = 0; i < port.shape.size(); ++i) {
        if (!port.shape[i].known() && i > 0) {
          return fail(ErrorCode::kUnsupported,
                      fmt::format("infer: output '{}' has shape {}, expected only its first extent (the batch) to be unknown", port.name,
                                  model::to_string(port.shape)));
        }
        dims.push_back(port.shape[i].known() ? port.shape[i].value : 1);
      }
      MORU_ASSIGN_OR_RETURN(auto tensor, model::Tensor::create(port.dtype, std::move(dims)));
      inference.outputs_.push_back(std::move(tensor));
    }
    MORU_RETURN_IF_ERROR(inference.check_classes());
    return inference;
  }

  const std::shared_ptr<LoadedModel>& model() const { return model_; }
  std::int64_t top() const { return top_; }
  TimeNs duration() const { return duration_; }
  std::span<const float> probabilities() const { return probabilities_; }

  /// `input` [1, ...] as normalised by `used`. Afterwards probabilities() [C] and top().
  Status run(const model::Tensor& input, const std::optional<Normalisation>& used, const Clock& clock) {
    const TimeNs start = clock.steady_now();
    const Normalisation wanted{model_->card.mean, model_->card.std};
    model::ConstTensorView view = input.view();
    if (used && *used != wanted && input.dtype() == model::DType::kFloat32) {
      MORU_RETURN_IF_ERROR(renormalise(input, *used, wanted));
      view = scratch_.view();
    }
    views_.clear();
    for (auto& output : outputs_) views_.push_back(output.mutable_view());
    MORU_RETURN_IF_ERROR(model_->session->run({&view, 1}, views_));
    const auto status = finish();
    duration_ = clock.steady_now() - start;
    return status;
  }

 private:
  explicit Inference(std::shared_ptr<LoadedModel> model) : model_(std::move(model)) {}

  Status check_classes() {
    const auto& first = outputs_.front();
    if (first.dtype() != model::DType::kFloat32 || first.count() < 1) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("infer: output '{}' is {} {}, expected float32 [1, C]", model_->session->outputs()[0].name,
                              model::to_string(first.dtype()), model::to_string(first.dims())));
    }
    const auto labels = model_->card.labels.size();
    if (labels != 0 && labels != static_cast<std::size_t>(first.count())) {
      return fail(ErrorCode::kCorrupt, fmt::format("infer: output '{}' has {} classes, expected the {} of the model card",
                                                   model_->session->outputs()[0].name, first.count(), labels));
    }
    probabilities_.resize(static_cast<std::size_t>(first.count()));
    return {};
  }

  Status renormalise(const model::Tensor& input, const Normalisation& used, const Normalisation& wanted) {
    if (scratch_.dims() != input.dims()) {
      MORU_ASSIGN_OR_RETURN(scratch_, model::Tensor::create(model::DType::kFloat32, input.dims()));
    }
    // x / 255 = v * used.std + used.mean, so the wanted value is linear in v.
    const double factor = used.std / wanted.std;
    const double offset = (used.mean - wanted.mean) / wanted.std;
    std::ranges::transform(input.data<float>(), scratch_.mutable_data<float>().begin(),
                           [&](float value) { return static_cast<float>(double{value} * factor + offset); });
    return {};
  }

  Status finish() {
    const auto values = outputs_.front().data<float>();
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("infer: release {} gave a value that is not finite, expected probabilities or logits", model_->release));
    }
    const auto highest = std::ranges::max_element(values);
    top_ = highest - values.begin();
    if (model_->card.activation == "softmax") {
      double sum = 0.0;
      for (const float value : values) sum += std::exp(double{value} - double{*highest});
      for (std::size_t i = 0; i < values.size(); ++i)
        probabilities_[i] = static_cast<float>(std::exp(double{values[i]} - double{*highest}) / sum);
    } else {
      std::ranges::copy(values, probabilities_.begin());
    }
    return {};
  }

  std::shared_ptr<LoadedModel> model_;
  std::vector<model::Tensor> outputs_;
  std::vector<model::TensorView> views_;
  std::vector<float> probabilities_;
  model::Tensor scratch_;
  std::int64_t top_ = 0;
  TimeNs duration_ = 0;
};

struct InferOptions {
  std::string model;
  std::string input = "tensor";
  std::string output = "probabilities";
  std::string reference;
  std::string where;
};

class InferStage final : public Stage {
 public:
  explicit InferStage(InferOptions options) : options_(std::move(options)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.input, FieldType::kTensor));
    Schema schema = inputs[0];
    schema.set(
        {.name = options_.output, .type = FieldType::kTensor, .dtype = model::DType::kFloat32, .dims = std::vector<std::int64_t>{-1}});
    schema.set({.name = "class", .type = FieldType::kInt64});
    schema.set({.name = "class_name", .type = FieldType::kText});
    schema.set({.name = "release", .type = FieldType::kInt64});
    if (!options_.reference.empty()) {
      MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.reference, FieldType::kInt64));
      schema.set({.name = options_.reference + "_name", .type = FieldType::kText});
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext& context) override {
    slot_ = context.resource<ModelSlot>("model/" + options_.model);
    if (!slot_)
      return fail(
          ErrorCode::kNotFound,
          fmt::format("infer: found no model slot '{}' in this process, expected one; give it a model of that name", options_.model));
    clock_ = context.clock;
    stop_ = context.stop;
    return {};
  }

  Status prepare() override {
    MORU_RETURN_IF_ERROR(wait_for_model());
    return {};
  }

  Status process(Item&& item, Output& output) override {
    MORU_ASSIGN_OR_RETURN(const auto taken, wait_for_model());
    const auto* field = item.get<model::Tensor>(options_.input);
    if (field == nullptr)
      return fail(ErrorCode::kInvalidArgument, fmt::format("infer: found no tensor in field '{}', expected one", options_.input));
    const model::Tensor input = *field;  // shares the data; the item is gone when the candidate runs
    const auto used = normalisation_of(item, options_.input);
    const auto* reference = options_.reference.empty() ? nullptr : item.get<std::int64_t>(options_.reference);
    const std::int64_t label = reference == nullptr ? kNoLabel : *reference;

    const Status status = infer(current_, taken.current, input, used);
    const bool right = status && current_->top() == label;
    slot_->count(taken.current, status.has_value(), label != kNoLabel, right, status ? current_->duration() : 0);
    MORU_RETURN_IF_ERROR(status);
    item.set(options_.output,
             model::Tensor::of<float>({static_cast<std::int64_t>(current_->probabilities().size())}, current_->probabilities()));
    item.set("class", current_->top());
    set_name(item, "class_name", taken.current->card.labels, current_->top());
    if (label != kNoLabel) set_name(item, options_.reference + "_name", taken.current->card.labels, label);
    item.set("release", taken.current->release);
    item.set(kThresholdNote, taken.current->card.alert_threshold);
    output.emit(std::move(item));
    run_shadow(taken, input, used, label);
    return {};
  }

  std::string waiting_for() const override { return waiting_ ? "a release" : ""; }

 private:
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

  /// Runs `model` by way of `inference`, which is made anew when the model is another one than before.
  Status infer(std::optional<Inference>& inference, const std::shared_ptr<LoadedModel>& model, const model::Tensor& input,
               const std::optional<Normalisation>& used) {
    if (!inference || inference->model() != model) {
      inference.reset();
      MORU_ASSIGN_OR_RETURN(inference, Inference::create(model));
    }
    return inference->run(input, used, *clock_);
  }

  void run_shadow(const ModelSlot::Taken& taken, const model::Tensor& input, const std::optional<Normalisation>& used, std::int64_t label) {
    if (!taken.shadow) {
      shadow_.reset();  // lets go of a candidate that is no longer wanted
      return;
    }
    ModelSlot::ShadowResult result;
    result.labelled = label != kNoLabel;
    result.current_right = current_->top() == label;
    result.current_ns = current_->duration();
    result.ok = infer(shadow_, taken.shadow, input, used).has_value();
    if (result.ok) {
      result.agree = shadow_->top() == current_->top();
      result.candidate_right = shadow_->top() == label;
      result.candidate_ns = shadow_->duration();
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
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  InferOptions options;
  ConfigReader reader(object);
  reader.required("model", &options.model);
  reader.optional("input", &options.input);
  reader.optional("output", &options.output);
  reader.optional("reference", &options.reference);
  MORU_RETURN_IF_ERROR(reader.finish());
  options.where = object.where();
  return std::make_unique<InferStage>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_infer;
const StageSpec kStage_infer{
    .name = "infer",
    .kind = StageKind::kStage,
    .doc = R"(Runs each item through the current model of a slot, batch 1.

Reads   INPUT      tensor, float32, of the shape that the model takes ([1, 1, 28, 28])
        REFERENCE  int64, the class that is known to be right (optional, for statistics only)
Writes  OUTPUT     tensor float32 [C], probabilities (softmax is applied when the model card says so)
        class      int64, the class of the highest probability
        release    int64, of the model that ran
        class_name, REFERENCE_name   text, the names of both classes, where the model card has them

A model is swapped between two items. Without a model the stream waits ("waiting for a release") and its sources do not
begin. A candidate in shadow runs on the same items after they have been passed on, and changes nothing but statistics.
Where the tensor was normalised for another model card (image_to_tensor leaves a note), it is put right first.

Options
  model: NAME            resource model/NAME of the node
  input: tensor
  output: probabilities
  reference: FIELD       none
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
