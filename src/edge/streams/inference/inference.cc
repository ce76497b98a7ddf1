// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/inference/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace moru::edge {
namespace {

using model::DType;

bool is_levels(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

/// The nearest level; half way to the even one, as TFLite's own quantising does. What is out of range, or no number, is at the border.
template <class T>
T to_level(float value, const Levels& levels) {
  constexpr double kMin = std::numeric_limits<T>::min();
  constexpr double kMax = std::numeric_limits<T>::max();
  const double level = std::nearbyint(double{value} / double{levels.scale}) + static_cast<double>(levels.zero_point);
  return static_cast<T>(level > kMin ? std::min(level, kMax) : kMin);
}

template <class T>
float to_real(T level, const Levels& levels) {
  return static_cast<float>(double{levels.scale} * (static_cast<double>(level) - static_cast<double>(levels.zero_point)));
}

/// x / 255 = v * used.std + used.mean, so what another card wants of it is linear in v.
struct Line {
  double factor = 1.0;
  double offset = 0.0;
  float operator()(float value) const { return static_cast<float>(double{value} * factor + offset); }
};
Line line_of(const std::optional<Normalisation>& used, const Normalisation& wanted) {
  if (!used || *used == wanted) return {};
  return {.factor = used->std / wanted.std, .offset = (used->mean - wanted.mean) / wanted.std};
}

/// Plans the model for batches of 1, 2, 4, ... items, where its first extent is open.
Status prepare_batches(LoadedModel& model, std::int64_t max_batch) {
  if (max_batch <= model.prepared_batch) return {};
  const auto& shape = model.session->inputs()[0].shape;
  for (std::int64_t batch = 1; batch <= max_batch && !shape.empty() && !shape[0].known(); batch *= 2) {
    model::Dims dims;
    for (const model::Dim& dim : shape) dims.push_back(dim.known() ? dim.value : 1);
    dims[0] = batch;
    MORU_RETURN_IF_ERROR(model.session->prepare({&dims, 1}));
  }
  model.prepared_batch = max_batch;
  return {};
}

}  // namespace

Result<Inference> Inference::create(std::shared_ptr<LoadedModel> model, Answer answer, std::int64_t max_batch) {
  Inference inference(std::move(model), answer);
  const auto& session = *inference.model_->session;
  if (session.inputs().size() != 1 || session.outputs().empty()) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("infer: model of release {} has {} inputs and {} outputs, expected 1 input and 1 output at least",
                            inference.model_->release, session.inputs().size(), session.outputs().size()));
  }
  const auto& shape = session.inputs()[0].shape;
  const bool open = !shape.empty() && !shape[0].known();
  for (const model::Dim& dim : shape) inference.item_dims_.push_back(dim.known() ? dim.value : 1);
  inference.fixed_ = std::ranges::count(shape, false, &model::Dim::known) <= (open ? 1 : 0);
  MORU_RETURN_IF_ERROR(inference.make_batch(1));
  MORU_RETURN_IF_ERROR(inference.check_output());
  const auto opens = [](const runtime::Port& port) { return !port.shape.empty() && !port.shape[0].known(); };
  if (!open || !inference.fixed_ || !std::ranges::all_of(session.outputs(), opens)) return inference;
  for (std::int64_t items = 2; items <= max_batch; items *= 2) MORU_RETURN_IF_ERROR(inference.make_batch(items));
  MORU_RETURN_IF_ERROR(prepare_batches(*inference.model_, max_batch));
  return inference;
}

Status Inference::make_batch(std::int64_t items) {
  const auto& session = *model_->session;
  Batch batch{.items = items, .input = {}, .outputs = {}, .views = {}};
  model::Dims dims = item_dims_;
  if (items > 1) dims[0] = items;
  MORU_ASSIGN_OR_RETURN(batch.input, model::Tensor::create(session.inputs()[0].dtype, std::move(dims)));
  for (const auto& port : session.outputs()) {
    model::Dims extents;
    for (std::size_t i = 0; i < port.shape.size(); ++i) {
      if (!port.shape[i].known() && i > 0) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("infer: output '{}' has shape {}, expected only its first extent (the batch) to be unknown", port.name,
                                model::to_string(port.shape)));
      }
      extents.push_back(port.shape[i].known() ? port.shape[i].value : items);
    }
    MORU_ASSIGN_OR_RETURN(auto tensor, model::Tensor::create(port.dtype, std::move(extents)));
    batch.outputs.push_back(std::move(tensor));
  }
  for (auto& output : batch.outputs) batch.views.push_back(output.mutable_view());
  batches_.push_back(std::move(batch));
  return {};
}

Status Inference::check_output() {
  const auto& output = batches_[0].outputs.front();
  const auto& port = model_->session->outputs()[0];
  const bool fits = output.dtype() == DType::kFloat32 || (is_levels(output.dtype()) && model_->output_levels);
  if (!fits || output.count() < 1) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("infer: output '{}' is {} {}, expected float32, or a TFLite model's levels of one scale", port.name,
                            model::to_string(output.dtype()), model::to_string(output.dims())));
  }
  width_ = static_cast<std::size_t>(output.count());
  input_width_ = static_cast<std::size_t>(batches_[0].input.count());
  const DType input = batches_[0].input.dtype();
  if (answer_ == Answer::kError && (!fixed_ || width_ != input_width_ || (input != DType::kFloat32 && !is_levels(input)))) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("infer: output '{}' has {} values, and the input {} of {}, expected as many numbers, for their difference",
                            port.name, width_, input_width_, model::to_string(input)));
  }
  const auto labels = model_->card.labels.size();
  if (answer_ == Answer::kClasses && labels != 0 && labels != width_) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("infer: output '{}' has {} classes, expected the {} of the model card", port.name, width_, labels));
  }
  return {};
}

Status Inference::check(const model::Tensor& tensor) const {
  const auto& port = model_->session->inputs()[0];
  const std::span<const std::int64_t> dims(item_dims_);
  const bool shape =
      std::ranges::equal(tensor.dims(), dims) || (!dims.empty() && dims[0] == 1 && std::ranges::equal(tensor.dims(), dims.subspan(1)));
  const bool levels = tensor.dtype() == DType::kFloat32 && is_levels(port.dtype) && model_->input_levels;
  // Extents that only a run binds are the session's to check.
  if ((tensor.dtype() == port.dtype || levels) && (shape || !fixed_)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("infer: found a tensor {} {}, expected {} {}", model::to_string(tensor.dtype()), model::to_string(tensor.dims()),
                          model::to_string(port.dtype), model::to_string(port.shape)));
}

Status Inference::run(std::span<const Input> inputs, const Clock& clock) {
  const TimeNs start = clock.steady_now();
  values_.resize(inputs.size() * width_);
  tops_.resize(inputs.size());
  errors_.resize(inputs.size());
  finite_.assign(inputs.size(), 1);
  for (std::size_t first = 0; first < inputs.size();) {
    std::size_t size = batches_.size() - 1;
    while (static_cast<std::size_t>(batches_[size].items) > inputs.size() - first) --size;
    Batch& batch = batches_[size];
    MORU_RETURN_IF_ERROR(run_part(inputs.subspan(first, static_cast<std::size_t>(batch.items)), batch, first));
    first += static_cast<std::size_t>(batch.items);
  }
  duration_ = clock.steady_now() - start;
  return {};
}

bool Inference::runs_as_it_is(const Input& input) const {
  const Normalisation wanted{model_->card.mean, model_->card.std};
  const bool as_wanted = !input.used || *input.used == wanted || input.tensor.dtype() != DType::kFloat32;
  return as_wanted && input.tensor.dtype() == model_->session->inputs()[0].dtype;
}

Status Inference::run_part(std::span<const Input> inputs, Batch& batch, std::size_t first) {
  model::ConstTensorView view = batch.input.view();
  const bool direct = inputs.size() == 1 && runs_as_it_is(inputs[0]);
  if (direct) {
    view = inputs[0].tensor.view();
    if (fixed_) view.dims = item_dims_;
  } else {
    if (!fixed_ && batch.input.dims() != inputs[0].tensor.dims()) {
      MORU_ASSIGN_OR_RETURN(batch.input, model::Tensor::create(batch.input.dtype(), inputs[0].tensor.dims()));
      view = batch.input.view();
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) write_input(inputs[i], batch.input, i);
  }
  MORU_RETURN_IF_ERROR(model_->session->run({&view, 1}, batch.views));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    read_output(batch.outputs.front(), i, first + i);
    finish(inputs[i], first + i);
  }
  return {};
}

void Inference::write_input(const Input& input, model::Tensor& to, std::size_t at) const {
  if (input.tensor.dtype() != DType::kFloat32) {
    const auto bytes = input.tensor.bytes();
    std::memcpy(to.mutable_bytes().subspan(at * bytes.size()).data(), bytes.data(), bytes.size());
    return;
  }
  const auto from = input.tensor.data<float>();
  const Line line = line_of(input.used, {model_->card.mean, model_->card.std});
  const auto write = [&]<class T>(std::span<T> all, auto convert) {
    std::ranges::transform(from, all.subspan(at * from.size()).begin(), convert);
  };
  if (to.dtype() == DType::kInt8) {
    write(to.mutable_data<std::int8_t>(), [&](float value) { return to_level<std::int8_t>(line(value), *model_->input_levels); });
  } else if (to.dtype() == DType::kUInt8) {
    write(to.mutable_data<std::uint8_t>(), [&](float value) { return to_level<std::uint8_t>(line(value), *model_->input_levels); });
  } else {
    write(to.mutable_data<float>(), line);
  }
}

void Inference::read_output(const model::Tensor& from, std::size_t at, std::size_t item) {
  float* const to = values_.data() + item * width_;
  const auto read = [&]<class T>(std::span<const T> all, auto convert) {
    std::ranges::transform(all.subspan(at * width_, width_), to, convert);
  };
  if (from.dtype() == DType::kInt8) {
    read(from.data<std::int8_t>(), [&](std::int8_t level) { return to_real(level, *model_->output_levels); });
  } else if (from.dtype() == DType::kUInt8) {
    read(from.data<std::uint8_t>(), [&](std::uint8_t level) { return to_real(level, *model_->output_levels); });
  } else {
    std::ranges::copy(from.data<float>().subspan(at * width_, width_), to);
  }
}

/// From what the model gave to what is asked of it.
void Inference::finish(const Input& input, std::size_t item) {
  const std::span<float> values(values_.data() + item * width_, width_);
  finite_[item] = std::ranges::all_of(values, [](float value) { return std::isfinite(value); }) ? 1 : 0;
  if (finite_[item] == 0 || answer_ == Answer::kValues) return;
  if (answer_ == Answer::kError) {
    errors_[item] = squared_error(input, values);
    finite_[item] = std::isfinite(errors_[item]) ? 1 : 0;
    return;
  }
  const auto highest = std::ranges::max_element(values);
  tops_[item] = highest - values.begin();
  if (model_->card.activation != "softmax") return;
  const double most{*highest};
  double sum = 0.0;
  for (const float value : values) sum += std::exp(double{value} - most);
  for (float& value : values) value = static_cast<float>(std::exp(double{value} - most) / sum);
}

/// The mean over the elements of what was given and what came back.
double Inference::squared_error(const Input& input, std::span<const float> values) const {
  double sum = 0.0;
  const auto add = [&]<class T>(std::span<const T> from, auto real) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double difference = double{values[i]} - double{real(from[i])};
      sum += difference * difference;
    }
  };
  const Levels levels = model_->input_levels.value_or(Levels{});
  const auto real = [&](auto level) { return to_real(level, levels); };
  switch (input.tensor.dtype()) {
    case DType::kInt8: add(input.tensor.data<std::int8_t>(), real); break;
    case DType::kUInt8: add(input.tensor.data<std::uint8_t>(), real); break;
    default: add(input.tensor.data<float>(), line_of(input.used, {model_->card.mean, model_->card.std})); break;
  }
  return sum / static_cast<double>(values.size());
}

Status Inference::finite(std::size_t item) const {
  if (finite_[item] != 0) return {};
  return fail(ErrorCode::kCorrupt, fmt::format("infer: release {} gave a value that is not finite, expected numbers", model_->release));
}

}  // namespace moru::edge
