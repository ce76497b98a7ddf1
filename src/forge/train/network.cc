// SPDX-License-Identifier: Apache-2.0
#include "forge/train/network.h"

#include <fmt/format.h>

#include <cmath>

#include "core/digest.h"
#include "core/random.h"

namespace moru::forge {

std::vector<WeightSlot> weight_table(const Network& network) {
  std::vector<WeightSlot> table;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const MoruLayer& layer = network.layers[i];
    const auto add = [&](WeightRole role, std::vector<std::int64_t> dims) {
      std::size_t count = 1;
      for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
      table.push_back({i, role, std::move(dims), offset, count});
      offset += count;
    };
    const std::int64_t in = layer.in_channels;
    const std::int64_t out = layer.out_channels;
    if (layer.kind == kMoruConv) {
      add(WeightRole::kConv, {out, in / layer.groups, layer.kernel, layer.kernel});
    } else if (layer.kind == kMoruBatchNorm) {
      for (const WeightRole role : {WeightRole::kScale, WeightRole::kShift, WeightRole::kMean, WeightRole::kVariance}) add(role, {in});
    } else if (layer.kind == kMoruLinear) {
      add(WeightRole::kLinear, {out, in});
      add(WeightRole::kBias, {out});
    }
  }
  return table;
}

std::size_t weight_count(const Network& network) {
  std::size_t count = 0;
  for (const WeightSlot& slot : weight_table(network)) count += slot.count;
  return count;
}

std::size_t parameter_count(const Network& network) {
  std::size_t count = 0;
  for (const WeightSlot& slot : weight_table(network)) {
    if (slot.role != WeightRole::kMean && slot.role != WeightRole::kVariance) count += slot.count;
  }
  return count;
}

Weights initial_weights(const Network& network, std::uint64_t seed) {
  Rng random(seed);
  Weights weights(weight_count(network), 0.0F);
  for (const WeightSlot& slot : weight_table(network)) {
    const std::span<float> values(weights.data() + slot.offset, slot.count);
    const double fan_in = static_cast<double>(slot.count) / static_cast<double>(slot.dims.front());
    const auto normal = [&](double variance) {
      for (float& value : values) value = static_cast<float>(random.normal() * std::sqrt(variance));
    };
    switch (slot.role) {
      case WeightRole::kConv: normal(2.0 / fan_in); break;
      case WeightRole::kLinear: normal(1.0 / fan_in); break;
      case WeightRole::kScale:
      case WeightRole::kVariance: std::fill(values.begin(), values.end(), 1.0F); break;
      case WeightRole::kShift:
      case WeightRole::kMean:
      case WeightRole::kBias: break;
    }
  }
  return weights;
}

std::string weights_digest(const Weights& weights) {
  return sha256_hex({reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float)});
}

namespace {

/// What a layer gives for one image; flat: [C] after the global average.
struct Extents {
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
  bool flat;
  bool operator==(const Extents&) const = default;
};

Result<Extents> layer_extents(const MoruLayer& layer, const Extents& in, const Extents* second) {
  const auto wrong = [](std::string what) { return fail(ErrorCode::kInvalidArgument, std::move(what)); };
  if (layer.in_channels != in.channels) return wrong(fmt::format("takes {} channels, expected {} as its input has", layer.in_channels, in.channels));
  const bool pool = layer.kind == kMoruMaxPool;
  if (layer.kind == kMoruConv || pool) {
    const std::int64_t padding = pool ? 0 : layer.padding;
    if (in.flat || layer.kernel < 1 || layer.stride < 1 || padding < 0 || in.height + 2 * padding < layer.kernel || in.width + 2 * padding < layer.kernel) {
      return wrong(fmt::format("kernel {} with stride {} and padding {} does not fit its input, expected one that does", layer.kernel, layer.stride, padding));
    }
    if (!pool && (layer.groups < 1 || layer.in_channels % layer.groups != 0 || layer.out_channels < 1 || layer.out_channels % layer.groups != 0)) {
      return wrong(fmt::format("{} groups do not divide {} and {} channels, expected a common divisor", layer.groups, layer.in_channels, layer.out_channels));
    }
    return Extents{pool ? in.channels : layer.out_channels, (in.height + 2 * padding - layer.kernel) / layer.stride + 1,
                   (in.width + 2 * padding - layer.kernel) / layer.stride + 1, false};
  }
  switch (layer.kind) {
    case kMoruBatchNorm:
    case kMoruRelu: return in;
    case kMoruAdd:
      if (second == nullptr || *second != in) return wrong("adds two values of unlike shape, expected one shape");
      return in;
    case kMoruGlobalAverage: return Extents{in.channels, 1, 1, true};
    case kMoruLinear:
      if (!in.flat || layer.out_channels < 1) return wrong("takes an image, expected [N, C]");
      return Extents{layer.out_channels, 1, 1, true};
    default: return wrong(fmt::format("has kind {}, expected 0 to 6", layer.kind));
  }
}

}  // namespace

Status check_network(const Network& network) {
  const Extents input{network.channels, network.height, network.width, false};
  std::vector<Extents> values;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const MoruLayer& layer = network.layers[i];
    const std::string where = fmt::format("network '{}': layer {}", network.name, i);
    const auto known = [&](std::int32_t index) { return index >= -1 && index < static_cast<std::int32_t>(i); };
    if (!known(layer.input) || (layer.kind == kMoruAdd && !known(layer.second))) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: takes layers {} and {}, expected earlier ones", where, layer.input, layer.second));
    }
    const auto value = [&](std::int32_t index) -> const Extents& { return index < 0 ? input : values[static_cast<std::size_t>(index)]; };
    MORU_ASSIGN_OR_RETURN_IN(where, const Extents out, layer_extents(layer, value(layer.input), layer.kind == kMoruAdd ? &value(layer.second) : nullptr));
    values.push_back(out);
  }
  if (values.empty() || !values.back().flat || values.back().channels != network.classes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("network '{}': the last layer does not give {} classes, expected a linear layer that does", network.name,
                                                         network.classes));
  }
  return {};
}

namespace {

/// Appends layers; each takes the one before it.
class Builder {
 public:
  explicit Builder(Network* network) : network_(network) {}

  void conv_norm_relu(std::int32_t in, std::int32_t out, std::int32_t kernel, std::int32_t stride) {
    add({.kind = kMoruConv, .in_channels = in, .out_channels = out, .kernel = kernel, .stride = stride, .padding = kernel / 2, .groups = 1});
    add({.kind = kMoruBatchNorm, .in_channels = out, .out_channels = out});
    add({.kind = kMoruRelu, .in_channels = out, .out_channels = out});
  }
  void head(std::int32_t channels, std::int32_t classes) {
    add({.kind = kMoruGlobalAverage, .in_channels = channels, .out_channels = channels});
    add({.kind = kMoruLinear, .in_channels = channels, .out_channels = classes});
  }

 private:
  void add(MoruLayer layer) {
    layer.input = static_cast<std::int32_t>(network_->layers.size()) - 1;
    network_->layers.push_back(layer);
  }
  Network* network_;
};

}  // namespace

Network cnn_small(std::int64_t classes) {
  Network network{.name = "cnn_small", .classes = classes, .layers = {}};
  Builder build(&network);
  // Strides early: training and inference cost what the large maps cost.
  build.conv_norm_relu(1, 32, 3, 2);
  build.conv_norm_relu(32, 64, 3, 2);
  build.conv_norm_relu(64, 64, 3, 1);
  build.conv_norm_relu(64, 96, 3, 2);
  build.conv_norm_relu(96, 128, 3, 1);
  build.head(128, static_cast<std::int32_t>(classes));
  return network;
}

Result<Network> find_network(std::string_view name, std::int64_t classes) {
  if (name == "cnn_small") return cnn_small(classes);
  return fail(ErrorCode::kNotFound, fmt::format("network: found '{}', expected 'cnn_small'", name));
}

}  // namespace moru::forge
