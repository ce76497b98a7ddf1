// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {
namespace {

class Sequences {
 public:
  explicit Sequences(const Choices& choices) : build_(choices) {}

  RandomNetwork make() {
    steps_ = build_.between(1, 9);
    batch_ = build_.between(1, 3);
    value_ = build_.input(build_.floats({steps_, batch_, build_.between(1, 20)}, 1));
    std::vector<ValueId> outputs;
    for (std::int64_t layers = build_.between(1, 3); layers > 0; --layers) layer(outputs);
    outputs.insert(outputs.begin(), value_);
    return build_.finish(outputs);
  }

 private:
  static constexpr std::array<std::string_view, 3> kOps = {"LSTM", "GRU", "RNN"};
  static constexpr std::array<std::int64_t, 3> kGates = {4, 3, 1};

  ValueId weights(Dims dims) { return build_.constant(build_.floats(std::move(dims), 0.3F)); }
  /// In either order of batch and directions.
  ValueId state(std::int64_t directions, std::int64_t hidden, bool batch_first) {
    if (build_.coin()) return model::kNoValue;
    Tensor tensor = build_.floats(batch_first ? Dims{batch_, directions, hidden} : Dims{directions, batch_, hidden}, 1);
    return build_.coin() ? build_.constant(std::move(tensor)) : build_.input(std::move(tensor));
  }
  ValueId lengths() {
    if (build_.coin()) return model::kNoValue;
    Tensor tensor = Tensor::create(DType::kInt32, {batch_}).value();
    for (std::int32_t& length : tensor.mutable_data<std::int32_t>()) length = static_cast<std::int32_t>(build_.between(0, steps_));
    return build_.constant(std::move(tensor));
  }

  model::Attributes attributes(std::size_t op, std::int64_t hidden, std::string_view direction, bool batch_first) {
    model::Attributes made = {
        {"hidden_size", hidden}, {"direction", std::string(direction)}, {"layout", std::int64_t{batch_first ? 1 : 0}}};
    if (op == 0 && build_.between(0, 3) == 0) made["input_forget"] = std::int64_t{1};
    if (op == 1) made["linear_before_reset"] = build_.between(0, 1);
    if (build_.between(0, 3) == 0) made["clip"] = 0.7F;
    if (build_.between(0, 3) != 0) return made;
    // Gates that end between 0 and 1, or a state may grow until nothing can be compared.
    constexpr std::array kOfGates = {"Sigmoid", "HardSigmoid"};
    constexpr std::array kOfStates = {"Tanh", "Softsign", "ScaledTanh", "Sigmoid"};
    std::vector<std::string> functions;
    for (int direction_count = direction == "bidirectional" ? 2 : 1; direction_count > 0; --direction_count) {
      if (op != 2) functions.emplace_back(kOfGates[static_cast<std::size_t>(build_.between(0, 1))]);
      for (std::size_t i = 0; i < (op == 0 ? 2U : 1U); ++i)
        functions.emplace_back(kOfStates[static_cast<std::size_t>(build_.between(0, 3))]);
    }
    made["activations"] = functions;
    return made;
  }

  void layer(std::vector<ValueId>& outputs) {
    const auto op = static_cast<std::size_t>(build_.between(0, 2));
    constexpr std::array<std::string_view, 3> kDirections = {"forward", "reverse", "bidirectional"};
    const std::string_view direction = kDirections[static_cast<std::size_t>(build_.between(0, 2))];
    const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
    const std::int64_t hidden = build_.between(1, 24);
    const std::int64_t rows = kGates[op] * hidden;
    const bool batch_first = build_.between(0, 3) == 0;
    const std::vector<std::int64_t> swap = {1, 0, 2};
    const ValueId x = batch_first ? build_.node("Transpose", "", {value_}, {{"perm", swap}}) : value_;
    std::vector<ValueId> inputs = {x,
                                   weights({directions, rows, build_.dims(value_)[2]}),
                                   weights({directions, rows, hidden}),
                                   build_.coin() ? model::kNoValue : weights({directions, 2 * rows}),
                                   lengths(),
                                   state(directions, hidden, batch_first)};
    if (op == 0) {
      inputs.push_back(state(directions, hidden, batch_first));
      inputs.push_back(build_.coin() ? model::kNoValue : weights({directions, 3 * hidden}));
    }
    const auto made =
        build_.node_of(std::string(kOps[op]), std::move(inputs), op == 0 ? 3 : 2, attributes(op, hidden, direction, batch_first));
    outputs.insert(outputs.end(), made.begin() + 1, made.end());
    // [T, D, N, H] or [N, T, D, H] to [T, N, D * H].
    const std::vector<std::int64_t> perm = batch_first ? std::vector<std::int64_t>{1, 0, 2, 3} : std::vector<std::int64_t>{0, 2, 1, 3};
    const ValueId side_by_side = build_.node("Transpose", "", {made.front()}, {{"perm", perm}});
    const std::vector<std::int64_t> shape = {steps_, batch_, directions * hidden};
    value_ =
        build_.node("Reshape", "", {side_by_side, build_.constant(Tensor::of<std::int64_t>({3}, std::span<const std::int64_t>(shape)))});
  }

  Builder build_;
  std::int64_t steps_ = 0;
  std::int64_t batch_ = 0;
  ValueId value_ = 0;
};

}  // namespace

RandomNetwork random_sequences(const Choices& choices) { return Sequences(choices).make(); }

}  // namespace moru::runtime::engine
