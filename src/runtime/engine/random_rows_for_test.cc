// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {
namespace {

/// Expand, depthwise, project, again and again; the images are large enough that these go band by band.
class Rows {
 public:
  Rows(const Choices& choices, bool levels) : build_(choices), levels_(levels) {}

  RandomNetwork make() {
    const std::int64_t larger = levels_ ? 2 : 1;  // as many bytes
    const Dims dims = {1, build_.between(3, 9), larger * build_.between(36, 60), larger * build_.between(36, 50)};
    value_ = build_.input(levels_ ? build_.bytes(DType::kInt8, dims) : build_.floats(dims, 1));
    for (std::int64_t blocks = build_.between(1, 3); blocks > 0; --blocks) block();
    return build_.finish({value_});
  }

 private:
  void block() {
    const ValueId before = value_;
    const std::int64_t narrow = build_.dims(value_)[1];
    const std::int64_t wide = build_.between(30, 90);
    const bool plain = build_.between(0, 2) == 0;
    convolution(wide, 1, plain ? 3 : 1, plain ? build_.between(1, 2) : 1);
    convolution(wide, wide, build_.coin() ? 3 : 5, build_.between(1, 2));
    const bool same = build_.coin() && build_.dims(value_)[2] == build_.dims(before)[2] && build_.dims(value_)[3] == build_.dims(before)[3];
    convolution(same ? narrow : build_.between(5, 24), 1, 1, 1);
    if (same && !levels_) value_ = build_.node("Add", "", {value_, before});
  }

  void convolution(std::int64_t outputs, std::int64_t group, std::int64_t kernel, std::int64_t stride) {
    using Ints = std::vector<std::int64_t>;
    const std::int64_t inputs = build_.dims(value_)[1] / group;
    const Dims w = {outputs, inputs, kernel, kernel};
    const std::int64_t dilation = kernel > 1 && build_.between(0, 3) == 0 ? 2 : 1;
    Ints pads;
    for (int side = 0; side < 4; ++side) pads.push_back(kernel == 1 ? 0 : build_.between(0, kernel - 1));
    const model::Attributes attributes = {
        {"group", group}, {"strides", Ints{stride, stride}}, {"dilations", Ints{dilation, dilation}}, {"pads", pads}};
    const auto terms = static_cast<float>(inputs * kernel * kernel);
    if (!levels_) {
      const float scale = 1 / std::sqrt(terms);
      value_ = build_.node("Conv", "", {value_, build_.constant(build_.floats(w, scale)), build_.constant(build_.floats({outputs}, 1))},
                           attributes);
      if (build_.coin()) value_ = build_.node("Relu", "", {value_});
      return;
    }
    const auto level = [this] { return build_.level(DType::kInt8, build_.between(-128, 127)); };
    const ValueId weights = build_.constant(build_.bytes(DType::kInt8, w));
    // Weights with a zero point now and then: rows are summed, too.
    const ValueId zero = build_.level(DType::kInt8, build_.coin() ? 0 : build_.between(-128, 127));
    value_ =
        build_.node("QConv", "moru", {value_, level(), weights, zero, build_.scalar(1 / (60 * std::sqrt(terms))), level()}, attributes);
  }

  Builder build_;
  bool levels_;
  ValueId value_ = model::kNoValue;
};

}  // namespace

RandomNetwork random_rows_of_levels(const Choices& choices) { return Rows(choices, true).make(); }
RandomNetwork random_rows_of_floats(const Choices& choices) { return Rows(choices, false).make(); }

}  // namespace moru::runtime::engine
