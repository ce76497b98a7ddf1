// SPDX-License-Identifier: Apache-2.0
// The trainer's shared library: the one file that knows libtorch. C++17, because clang 19 compiles torch/torch.h as
// nothing newer.
#include <ATen/Parallel.h>
#include <torch/nn/functional.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "forge/train/trainer_api.h"

namespace {

namespace nn = torch::nn;

class Trainer {
 public:
  Trainer(const MoruNetwork& network, int threads) : layers_(network.layers, network.layers + network.layer_count), shape_(network) {
    at::set_num_threads(threads);
    // Only the weights that the caller sets count; a fixed seed keeps even the unset ones the same.
    torch::manual_seed(0);
    for (const MoruLayer& layer : layers_) add_weights(layer);
    optimizer_ = std::make_unique<torch::optim::SGD>(groups(), torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true));
  }

  void set_weights(const float* values, std::int64_t count) {
    check_count(count);
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& weight : weights_) {
      weight.copy_(torch::from_blob(const_cast<float*>(values), weight.sizes(), torch::kFloat32));
      values += weight.numel();
    }
  }

  void get_weights(float* values, std::int64_t count) const {
    check_count(count);
    for (const torch::Tensor& weight : weights_) {
      const torch::Tensor plain = weight.detach().contiguous();
      std::memcpy(values, plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()) * sizeof(float));
      values += plain.numel();
    }
  }

  void step(MoruStep& step) {
    for (torch::optim::OptimizerParamGroup& group : optimizer_->param_groups()) {
      static_cast<torch::optim::SGDOptions&>(group.options()).lr(step.learning_rate).momentum(step.momentum);
    }
    static_cast<torch::optim::SGDOptions&>(optimizer_->param_groups().front().options()).weight_decay(step.weight_decay);
    const torch::Tensor labels = torch::from_blob(const_cast<std::int64_t*>(step.labels), {step.batch}, torch::kInt64);
    optimizer_->zero_grad();
    const torch::Tensor logits = forward(images(step.images, step.batch), true);
    const torch::Tensor loss =
        nn::functional::cross_entropy(logits, labels, nn::functional::CrossEntropyFuncOptions().label_smoothing(step.label_smoothing));
    loss.backward();
    optimizer_->step();
    step.loss = loss.item<double>();
    step.right = logits.detach().argmax(1).eq(labels).sum().item<std::int64_t>();
  }

  void predict(const float* pixels, std::int64_t batch, float* logits) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor result = forward(images(pixels, batch), false).contiguous();
    std::memcpy(logits, result.data_ptr<float>(), static_cast<std::size_t>(result.numel()) * sizeof(float));
  }

 private:
  torch::Tensor images(const float* pixels, std::int64_t batch) const {
    return torch::from_blob(const_cast<float*>(pixels), {batch, shape_.channels, shape_.height, shape_.width}, torch::kFloat32);
  }

  void add_weights(const MoruLayer& layer) {
    first_weight_.push_back(weights_.size());
    const auto add = [&](torch::Tensor weight, bool learned) { weights_.push_back(weight.set_requires_grad(learned)); };
    const std::int64_t in = layer.in_channels;
    const std::int64_t out = layer.out_channels;
    switch (layer.kind) {
      case kMoruConv: add(torch::zeros({out, in / layer.groups, layer.kernel, layer.kernel}), true); return;
      case kMoruBatchNorm:
        add(torch::ones({in}), true);
        add(torch::zeros({in}), true);
        add(torch::zeros({in}), false);
        add(torch::ones({in}), false);
        return;
      case kMoruLinear:
        add(torch::zeros({out, in}), true);
        add(torch::zeros({out}), true);
        return;
      case kMoruRelu:
      case kMoruAdd:
      case kMoruMaxPool:
      case kMoruGlobalAverage: return;
      default: throw std::invalid_argument("layer kind " + std::to_string(layer.kind) + " is not known");
    }
  }

  /// Decayed weights (rank 2 and more), then the others.
  std::vector<torch::optim::OptimizerParamGroup> groups() const {
    std::vector<torch::Tensor> decayed;
    std::vector<torch::Tensor> others;
    for (const torch::Tensor& weight : weights_) {
      if (weight.requires_grad()) (weight.dim() > 1 ? decayed : others).push_back(weight);
    }
    return {torch::optim::OptimizerParamGroup(decayed), torch::optim::OptimizerParamGroup(others)};
  }

  void check_count(std::int64_t count) const {
    std::int64_t expected = 0;
    for (const torch::Tensor& weight : weights_) expected += weight.numel();
    if (count != expected) throw std::invalid_argument("found " + std::to_string(count) + " weights, expected " + std::to_string(expected));
  }

  torch::Tensor forward(const torch::Tensor& input, bool training) {
    std::vector<torch::Tensor> values;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const MoruLayer& layer = layers_[i];
      const torch::Tensor& x = layer.input < 0 ? input : values[static_cast<std::size_t>(layer.input)];
      const auto weight = [&](std::size_t k) -> torch::Tensor& { return weights_[first_weight_[i] + k]; };
      switch (layer.kind) {
        case kMoruConv: values.push_back(torch::conv2d(x, weight(0), {}, layer.stride, layer.padding, 1, layer.groups)); break;
        case kMoruBatchNorm:
          values.push_back(torch::batch_norm(x, weight(0), weight(1), weight(2), weight(3), training, 0.1, 1e-5, false));
          break;
        case kMoruRelu: values.push_back(torch::relu(x)); break;
        case kMoruAdd: values.push_back(x + values[static_cast<std::size_t>(layer.second)]); break;
        case kMoruMaxPool: values.push_back(torch::max_pool2d(x, layer.kernel, layer.stride)); break;
        case kMoruGlobalAverage: values.push_back(x.mean({2, 3})); break;
        case kMoruLinear: values.push_back(torch::linear(x, weight(0), weight(1))); break;
      }
    }
    return values.back();
  }

  std::vector<MoruLayer> layers_;
  MoruNetwork shape_;
  std::vector<torch::Tensor> weights_;     // in the order of the flat array
  std::vector<std::size_t> first_weight_;  // of each layer
  std::unique_ptr<torch::optim::SGD> optimizer_;
};

/// Runs `body`; an exception becomes -1 and its first line in `error`.
template <class Body>
int guarded(char* error, std::size_t error_size, const Body& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& exception) {
    const std::string text = exception.what();
    std::snprintf(error, error_size, "%s", text.substr(0, text.find('\n')).c_str());
  } catch (...) {
    std::snprintf(error, error_size, "an error of unknown type");
  }
  return -1;
}

void* create(const MoruNetwork* network, std::int32_t threads, char* error, std::size_t error_size) {
  void* handle = nullptr;
  guarded(error, error_size, [&] { handle = new Trainer(*network, threads); });
  return handle;
}
int set_weights(void* handle, const float* weights, std::int64_t count, char* error, std::size_t error_size) {
  return guarded(error, error_size, [&] { static_cast<Trainer*>(handle)->set_weights(weights, count); });
}
int get_weights(void* handle, float* weights, std::int64_t count, char* error, std::size_t error_size) {
  return guarded(error, error_size, [&] { static_cast<Trainer*>(handle)->get_weights(weights, count); });
}
int take_step(void* handle, MoruStep* step, char* error, std::size_t error_size) {
  return guarded(error, error_size, [&] { static_cast<Trainer*>(handle)->step(*step); });
}
int predict(void* handle, const float* images, std::int64_t batch, float* logits, char* error, std::size_t error_size) {
  return guarded(error, error_size, [&] { static_cast<Trainer*>(handle)->predict(images, batch, logits); });
}
void destroy(void* handle) { delete static_cast<Trainer*>(handle); }

const MoruTrainerTable kTable = {
    kMoruTrainerVersion, "libtorch " TORCH_VERSION, create, set_weights, get_weights, take_step, predict, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const MoruTrainerTable* moru_trainer_table();
extern "C" const MoruTrainerTable* moru_trainer_table() { return &kTable; }
