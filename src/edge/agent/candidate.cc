// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/digest.h"
#include "core/random.h"

namespace moru::edge {
namespace {

/// int8 outputs are steps of about 1/256: ten of them may sum to 1 within 2 %. Twice that is let pass.
constexpr double kSumTolerance = 0.05;
constexpr std::uint64_t kWarmUpSeed = 1;
/// A card may not make a node allocate at will.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 26U;

Status check_ports(std::span<const runtime::Port> ports, const std::vector<model::CardPort>& card, std::string_view kind) {
  if (ports.size() != card.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("model: found {} {}s, expected the {} of the model card", ports.size(), kind, card.size()));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const bool same_rank = ports[i].shape.size() == card[i].shape.size();
    bool fits = ports[i].name == card[i].name && model::to_string(ports[i].dtype) == card[i].dtype && same_rank;
    for (std::size_t axis = 0; same_rank && axis < ports[i].shape.size(); ++axis) {
      const auto& have = ports[i].shape[axis];
      const auto& want = card[i].shape[axis];
      fits = fits && (!have.known() || !want.known() || have.value == want.value);
    }
    if (!fits) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("model: {} {} is '{}' {} {}, expected '{}' {} {} as the model card says", kind, i, ports[i].name,
                              model::to_string(ports[i].dtype), model::to_string(ports[i].shape), card[i].name, card[i].dtype,
                              model::to_string(card[i].shape)));
    }
  }
  return {};
}

Result<model::Tensor> make_input(const runtime::Port& port, Rng* noise) {
  model::Dims dims;
  for (const auto& extent : port.shape) dims.push_back(extent.known() ? extent.value : 1);
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, model::element_count(dims, port.dtype));
  if (count > kMaxElements) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("warm-up: input '{}' has {} elements, expected at most {}", port.name, count, kMaxElements));
  }
  MORU_ASSIGN_OR_RETURN(auto tensor, model::Tensor::create(port.dtype, std::move(dims)));
  if (noise == nullptr) return tensor;
  if (port.dtype == model::DType::kFloat32) {
    for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(noise->normal());
  } else if (port.dtype == model::DType::kUInt8) {
    for (std::uint8_t& value : tensor.mutable_data<std::uint8_t>()) value = static_cast<std::uint8_t>(noise->below(256));
  }
  return tensor;
}

Status check_output(const model::Tensor& output, bool probabilities, std::string_view name) {
  if (output.dtype() != model::DType::kFloat32) return {};
  double sum = 0.0;
  for (const float value : output.data<float>()) {
    if (!std::isfinite(value))
      return fail(ErrorCode::kCorrupt, fmt::format("warm-up: output '{}' holds {}, expected finite values", name, value));
    if (probabilities && (value < -kSumTolerance || value > 1.0 + kSumTolerance)) {
      return fail(ErrorCode::kCorrupt, fmt::format("warm-up: output '{}' holds {}, expected a probability", name, value));
    }
    sum += static_cast<double>(value);
  }
  if (probabilities && std::abs(sum - 1.0) > kSumTolerance) {
    return fail(ErrorCode::kCorrupt, fmt::format("warm-up: the probabilities of output '{}' sum to {:.3f}, expected 1", name, sum));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<CheckedBundle>> CheckedBundle::open(const Path& file, const ExpectedBundle& expected, const BundlePolicy& policy) {
  const std::string where = fmt::format("bundle of release {}", expected.release);
  MORU_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(file));
  const std::string_view bytes = mapped.bytes();
  if (expected.size != 0 && bytes.size() != expected.size) {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: found {} bytes, expected {}", where, bytes.size(), expected.size));
  }
  if (const std::string digest = sha256_hex(bytes); digest != expected.sha256) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: found SHA-256 {}..., expected {}...", where, digest.substr(0, 16), expected.sha256.substr(0, 16)));
  }
  MORU_ASSIGN_OR_RETURN(auto bundle, model::Bundle::open(bytes, policy.verify, where));
  if (bundle.header().version != expected.release) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: found release {} inside, expected {}", where, bundle.header().version, expected.release));
  }
  std::unique_ptr<CheckedBundle> checked(new CheckedBundle(std::move(mapped), std::move(bundle)));
  MORU_ASSIGN_OR_RETURN(checked->card_, model::read_card(checked->bundle_.header().card, where));
  MORU_ASSIGN_OR_RETURN_IN(where, checked->file_index_, checked->bundle_.select(policy.targets));
  return checked;
}

Result<std::shared_ptr<LoadedModel>> load_candidate(const CheckedBundle& bundle, const SessionLoader& load) {
  auto loaded = std::make_shared<LoadedModel>();
  loaded->release = bundle.release();
  loaded->card = bundle.card();
  MORU_ASSIGN_OR_RETURN(loaded->session, load(bundle.model_bytes()));
  MORU_RETURN_IF_ERROR(check_ports(loaded->session->inputs(), loaded->card.inputs, "input"));
  MORU_RETURN_IF_ERROR(check_ports(loaded->session->outputs(), loaded->card.outputs, "output"));
  return loaded;
}

Status warm_up(const LoadedModel& model, int runs) {
  Rng rng(kWarmUpSeed);
  runtime::Session& session = *model.session;
  const bool probabilities = model.card.activation == "none" && !model.card.labels.empty();
  for (int run = 0; run < runs; ++run) {
    std::vector<model::Tensor> inputs;
    for (const runtime::Port& port : session.inputs()) {
      MORU_ASSIGN_OR_RETURN(auto input, make_input(port, run == 0 ? nullptr : &rng));
      inputs.push_back(std::move(input));
    }
    MORU_ASSIGN_OR_RETURN_IN("warm-up", const auto outputs, session.run_once(inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(check_output(outputs[i], probabilities && i == 0, session.outputs()[i].name));
    }
  }
  return {};
}

}  // namespace moru::edge
