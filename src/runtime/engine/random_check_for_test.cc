// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/random.h"
#include "model/ops/op.h"
#include "runtime/engine/random_check.h"

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Tensor;

constexpr double kUsual = 1e-9;

void change_last_bits(Tensor& tensor, Rng& rng) {
  constexpr double kBit = 1.0 / (1 << 23);
  if (tensor.dtype() != DType::kFloat32) return;
  tensor = tensor.clone();
  for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(double{value} * (1.0 + kBit * (2.0 * rng.uniform() - 1.0)));
}

/// The most that an output changes with the last bits of inputs and constants, of a few tries.
double sensitivity(const RandomNetwork& network, const std::vector<Tensor>& expected, std::size_t output) {
  constexpr int kTries = 4;
  double most = 0;
  for (int i = 0; i < kTries; ++i) {
    Rng rng(static_cast<std::uint64_t>(i) + 1);
    RandomNetwork changed = network;
    for (Tensor& input : changed.inputs) change_last_bits(input, rng);
    for (model::ValueId id = 0; static_cast<std::size_t>(id) < changed.graph.value_count(); ++id) {
      const Tensor* tensor = changed.graph.initializer(id);
      if (tensor == nullptr) continue;
      Tensor other = *tensor;
      change_last_bits(other, rng);
      changed.graph.set_initializer(id, std::move(other));
    }
    const auto made = model::evaluate(changed.graph, changed.inputs);
    if (made) most = std::max(most, nmse(made->at(output), expected[output]));
  }
  return most;
}

}  // namespace

Result<std::vector<Tensor>> run_network(const RandomNetwork& network, kernels::Isa isa, const Threads& threads) {
  MORU_ASSIGN_OR_RETURN(auto plan, Plan::make(network.graph, kernels::kernels_for(isa)));
  MORU_ASSIGN_OR_RETURN(auto context, Context::make(std::move(plan), threads));
  std::vector<Tensor> made;
  std::vector<const std::byte*> from;
  std::vector<std::byte*> to;
  for (const Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
  for (const model::ValueId id : network.graph.outputs) {
    const auto& type = network.graph.value(id).type;
    model::Dims dims;
    for (const auto& dim : *type.shape) dims.push_back(dim.value);
    MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(*type.dtype, std::move(dims)));
    made.push_back(std::move(tensor));
  }
  for (Tensor& tensor : made) to.push_back(tensor.mutable_bytes().data());
  context->run(from, to);
  context->run(from, to);
  return made;
}

double nmse(const Tensor& found, const Tensor& expected) {
  double errors = 0;
  double squares = 1e-12;
  for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
    const double error = double{found.data<float>()[i]} - double{expected.data<float>()[i]};
    errors += error * error;
    squares += double{expected.data<float>()[i]} * double{expected.data<float>()[i]};
  }
  return errors / squares;
}

std::string difference(const RandomNetwork& network, const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  // Ten times what a change of one bit does, in amplitude: the engine rounds in many places, and sums of so many bits grow with their root.
  constexpr double kTimes = 100;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].dtype() != DType::kFloat32) {
      if (!same_bits(found[i], expected[i])) return fmt::format("output {}: found other {}", i, model::to_string(expected[i].dtype()));
      continue;
    }
    const double off = nmse(found[i], expected[i]);
    if (off <= kUsual) continue;
    const double most = kTimes * sensitivity(network, expected, i);
    if (!(off <= most)) return fmt::format("output {}: found an NMSE of {:.2g}, expected at most {:.2g}", i, off, std::max(kUsual, most));
  }
  return {};
}

}  // namespace moru::runtime::engine
