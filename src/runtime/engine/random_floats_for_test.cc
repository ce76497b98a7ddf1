// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {
namespace {

class Floats {
 public:
  explicit Floats(const Choices& choices) : build_(choices) {}

  RandomNetwork make() {
    const Dims dims = build_.coin() ? Dims{build_.between(1, 2), build_.between(1, 20), build_.between(1, 9), build_.between(1, 9)}
                                    : Dims{1, build_.between(1, 40), build_.between(3, 30)};
    value_ = build_.input(build_.floats(dims, 1));
    for (std::int64_t layers = build_.between(1, 6); layers > 0; --layers) layer();
    return build_.finish({value_});
  }

 private:
  void layer() {
    const Dims dims = build_.dims(value_);
    switch (build_.between(0, 6)) {
      case 0:
      case 1: return dims.size() > 2 ? convolution(dims) : product(dims);
      case 2: return binary(dims);
      case 3: return dims.size() > 2 ? pool(dims) : product(dims);
      case 4: return function();
      case 5: return dims.size() > 2 && build_.between(0, 2) == 0 ? flatten() : concat();
      default: return movement(dims);
    }
  }
  void maybe_relu() {
    if (build_.coin()) value_ = build_.node("Relu", "", {value_});
  }
  void convolution(const Dims& x) {
    const auto [group, outputs] = groups_of(build_, x[1]);
    model::Attributes attributes = build_.window(x, true);
    Dims w = {outputs, x[1] / group};
    const auto kernel = std::get<std::vector<std::int64_t>>(attributes["kernel_shape"]);
    w.insert(w.end(), kernel.begin(), kernel.end());
    attributes["group"] = group;
    const ValueId bias = build_.coin() ? model::kNoValue : build_.constant(build_.floats({outputs}, 1));
    const ValueId old = value_;
    value_ = build_.node("Conv", "", {value_, build_.constant(build_.floats(w, 0.3F)), bias}, attributes);
    if (build_.dims(old) == build_.dims(value_) && build_.coin()) value_ = build_.node("Add", "", {old, value_});
    maybe_relu();
  }
  void product(const Dims& x) {
    const std::int64_t outputs = build_.between(1, 70);
    if (build_.coin()) {
      value_ = build_.node(
          "Gemm", "", {value_, build_.constant(build_.floats({outputs, x.back()}, 0.3F)), build_.constant(build_.floats({outputs}, 1))},
          {{"transB", std::int64_t{1}}});
    } else {
      value_ = build_.node("MatMul", "", {value_, build_.constant(build_.floats({x.back(), outputs}, 0.3F))});
      if (build_.coin()) value_ = build_.node("Add", "", {value_, build_.constant(build_.floats({outputs}, 1))});
    }
    maybe_relu();
  }
  void binary(const Dims& x) {
    Dims dims = x;
    for (std::int64_t& extent : dims) {
      if (build_.between(0, 2) == 0) extent = 1;
    }
    const ValueId b = build_.coin() ? build_.constant(build_.floats(dims, 1)) : build_.input(build_.floats(dims, 1));
    constexpr std::array kOps = {"Add", "Mul", "Sub"};
    value_ = build_.node(kOps[static_cast<std::size_t>(build_.between(0, 2))], "", {value_, b});
    maybe_relu();
  }
  void pool(const Dims& x) {
    switch (build_.between(0, 2)) {
      case 0: value_ = build_.node("MaxPool", "", {value_}, build_.window(x, true)); return;
      case 1: {
        model::Attributes attributes = build_.window(x, false);
        attributes.erase("dilations");
        attributes["count_include_pad"] = std::int64_t{1};
        value_ = build_.node("AveragePool", "", {value_}, attributes);
        return;
      }
      default: value_ = build_.node("GlobalAveragePool", "", {value_});
    }
  }
  void function() {
    constexpr std::array kOps = {"Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Softmax", "Relu"};
    value_ = build_.node(kOps[static_cast<std::size_t>(build_.between(0, 6))], "", {value_});
  }
  void concat() {
    Dims dims = build_.dims(value_);
    dims[1] = build_.between(1, 5);
    value_ = build_.node("Concat", "", {value_, build_.input(build_.floats(dims, 1))}, {{"axis", std::int64_t{1}}});
  }
  void flatten() { value_ = build_.node("Flatten", "", {value_}); }
  void movement(const Dims& x) {
    const auto rank = static_cast<std::int64_t>(x.size());
    if (build_.coin()) {
      std::vector<std::int64_t> perm;
      for (std::int64_t i = 0; i < rank; ++i) perm.push_back(i);
      for (std::size_t i = perm.size(); i-- > 1;)
        std::swap(perm[i], perm[static_cast<std::size_t>(build_.between(0, static_cast<std::int64_t>(i)))]);
      value_ = build_.node("Transpose", "", {value_}, {{"perm", perm}});
      return;
    }
    std::vector<std::int64_t> pads;
    for (std::int64_t i = 0; i < 2 * rank; ++i) pads.push_back(build_.between(0, 2));
    value_ = build_.node(
        "Pad", "",
        {value_, build_.constant(Tensor::of<std::int64_t>({2 * rank}, std::span<const std::int64_t>(pads))), build_.scalar(0.5F)});
  }

  Builder build_;
  ValueId value_ = 0;
};

}  // namespace

RandomNetwork random_floats(const Choices& choices) { return Floats(choices).make(); }

}  // namespace moru::runtime::engine
