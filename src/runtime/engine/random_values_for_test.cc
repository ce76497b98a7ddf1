// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {
namespace {

class Values {
 public:
  explicit Values(const Choices& choices) : build_(choices) {}

  RandomNetwork make() {
    const Dims dims = build_.coin() ? Dims{build_.between(1, 2), build_.between(1, 20), build_.between(1, 7), build_.between(1, 7)}
                                    : Dims{1, build_.between(1, 40), build_.between(3, 30)};
    value_ = build_.input(build_.floats(dims, 1));
    for (std::int64_t layers = build_.between(1, 5); layers > 0; --layers) layer();
    return build_.finish({value_});
  }

 private:
  void layer() {
    const Dims dims = build_.dims(value_);
    std::int64_t count = 1;
    for (const std::int64_t extent : dims) count *= extent;
    constexpr std::int64_t kSmall = 3000;
    switch (build_.between(0, 8)) {
      case 0: return count < kSmall && dims.size() > 2 ? transposed(dims) : mixed(dims);
      case 1: return count < kSmall ? resize(dims) : mixed(dims);
      case 2: return normalize(dims);
      case 3: return mixed(dims);
      case 4: return pair(dims);
      case 5: return mask(dims);
      case 6: return table(dims);
      case 7: return weights_of_conv(dims);
      default: return line(dims);
    }
  }
  template <class T>
  ValueId list(std::vector<T> numbers) {
    return build_.constant(Tensor::of<T>({std::ssize(numbers)}, std::span<const T>(numbers)));
  }

  void transposed(const Dims& x) {
    model::Attributes attributes = build_.window(x, true);
    const std::int64_t group = build_.between(0, 2) == 0 ? x[1] : 1;
    const std::int64_t outputs = build_.between(1, group > 1 ? 2 : 20);
    Dims w = {x[1], outputs};
    const auto kernel = std::get<std::vector<std::int64_t>>(attributes["kernel_shape"]);
    w.insert(w.end(), kernel.begin(), kernel.end());
    std::vector<std::int64_t> behind;
    for (const std::int64_t stride : std::get<std::vector<std::int64_t>>(attributes["strides"]))
      behind.push_back(build_.between(0, stride - 1));
    attributes["output_padding"] = behind;
    attributes["group"] = group;
    const ValueId bias = build_.coin() ? model::kNoValue : build_.constant(build_.floats({outputs * group}, 1));
    value_ = build_.node("ConvTranspose", "", {value_, build_.constant(build_.floats(w, 0.3F)), bias}, attributes);
    if (build_.coin()) value_ = build_.node("Relu", "", {value_});
  }
  void resize(const Dims& x) {
    constexpr std::array kModes = {"nearest", "linear", "cubic"};
    constexpr std::array kCoordinates = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"};
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; i < x.size(); ++i) sizes.push_back(i < 2 ? x[i] : build_.between(1, 2 * x[i]));
    const model::Attributes attributes = {
        {"mode", std::string(kModes[static_cast<std::size_t>(build_.between(0, 2))])},
        {"coordinate_transformation_mode", std::string(kCoordinates[static_cast<std::size_t>(build_.between(0, 4))])},
        {"antialias", build_.between(0, 1)},
        {"exclude_outside", build_.between(0, 1)}};
    value_ = build_.node("Resize", "", {value_, model::kNoValue, model::kNoValue, list(sizes)}, attributes);
  }
  void normalize(const Dims& x) {
    const ValueId scale = build_.constant(build_.floats({x[1]}, 1));
    const ValueId bias = build_.constant(build_.floats({x[1]}, 1));
    switch (x.size() > 2 ? build_.between(0, 2) : 0) {
      case 0: {
        Tensor variance = build_.floats({x[1]}, 1);
        for (float& value : variance.mutable_data<float>()) value = 0.1F + value * value;
        value_ = build_.node("BatchNormalization", "",
                             {value_, scale, bias, build_.constant(build_.floats({x[1]}, 1)), build_.constant(variance)});
        return;
      }
      case 1: value_ = build_.node("InstanceNormalization", "", {value_, scale, bias}, {{"epsilon", 0.01F}}); return;
      default:
        value_ = build_.node("GroupNormalization", "", {value_, scale, bias},
                             {{"num_groups", x[1] % 2 == 0 ? std::int64_t{2} : x[1]}, {"epsilon", 0.01F}});
    }
  }
  /// Levels of a type, as many as the dims say.
  Tensor levels(DType dtype, const Dims& dims) {
    const bool four = dtype == DType::kInt4 || dtype == DType::kUInt4;
    Tensor bytes = Tensor::create(dtype == DType::kInt8 || dtype == DType::kInt4 ? DType::kInt8 : DType::kUInt8, dims).value();
    for (std::byte& value : bytes.mutable_bytes()) {
      const std::int64_t level = build_.number_between(0, four ? 15 : 255);
      value = static_cast<std::byte>(dtype == DType::kInt4 ? level - 8 : dtype == DType::kInt8 ? level - 128 : level);
    }
    return four ? model::pack_4bit(bytes).value() : bytes;
  }
  /// Weights that stay integers: [k, n], or [n, k] behind a Transpose.
  ValueId packed(std::int64_t k, std::int64_t n, bool transposed) {
    constexpr std::array kTypes = {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kUInt4};
    const DType dtype = kTypes[static_cast<std::size_t>(build_.between(0, 3))];
    const Dims dims = transposed ? Dims{n, k} : Dims{k, n};
    const std::int64_t k_axis = transposed ? 1 : 0;
    model::Attributes attributes;
    Dims scales;
    switch (build_.between(0, 3)) {
      case 0: break;
      case 1:
        scales = {n};
        attributes["axis"] = 1 - k_axis;
        break;
      case 2:
        scales = {k};
        attributes["axis"] = k_axis;
        break;
      default: {
        const std::int64_t block = 2 * build_.between(1, 4);
        attributes["axis"] = k_axis;
        attributes["block_size"] = block;
        scales = dims;
        scales[static_cast<std::size_t>(k_axis)] = (k + block - 1) / block;
      }
    }
    Tensor scale = build_.floats(scales, 0.01F);
    for (float& value : scale.mutable_data<float>()) value = 0.001F + std::fabs(value);
    std::vector<ValueId> inputs = {build_.constant(levels(dtype, dims)), build_.constant(scale)};
    if (build_.coin()) inputs.push_back(build_.constant(levels(dtype, scales)));
    return build_.node("DequantizeLinear", "", inputs, attributes);
  }
  void mixed(const Dims& x) {
    const std::int64_t outputs = build_.between(1, 70);
    const bool transposed = build_.coin();
    const ValueId w = packed(x.back(), outputs, transposed);
    if (x.size() == 2 && build_.coin()) {
      value_ = build_.node("Gemm", "", {value_, w, build_.constant(build_.floats({outputs}, 1))},
                           {{"transB", std::int64_t{transposed ? 1 : 0}}, {"alpha", 0.5F}, {"beta", 2.0F}});
      return;
    }
    const ValueId turned = transposed ? build_.node("Transpose", "", {w}, {{"perm", std::vector<std::int64_t>{1, 0}}}) : w;
    value_ = build_.node("MatMul", "", {value_, turned});
    if (build_.coin()) value_ = build_.node("Add", "", {value_, build_.constant(build_.floats({outputs}, 1))});
    if (build_.coin()) value_ = build_.node("Relu", "", {value_});
  }
  void pair(const Dims& x) {
    if (build_.coin()) {  // by itself, as attention has it
      std::vector<std::int64_t> perm;
      for (std::int64_t i = 0; i < std::ssize(x); ++i) perm.push_back(i);
      std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
      const ValueId turned = build_.node("Transpose", "", {value_}, {{"perm", perm}});
      const ValueId scores = build_.node("Softmax", "", {build_.node("MatMul", "", {value_, turned})});
      value_ = build_.node("MatMul", "", {scores, value_});
      return;
    }
    Dims dims = x;
    for (std::size_t i = 0; i + 2 < dims.size(); ++i) {
      if (build_.coin()) dims[i] = 1;
    }
    dims[dims.size() - 2] = x.back();
    dims.back() = build_.between(1, 40);
    if (build_.between(0, 3) == 0) dims = {x.back()};
    value_ = build_.node("MatMul", "", {value_, build_.input(build_.floats(dims, 0.3F))});
    if (dims.size() == 1) value_ = build_.node("Unsqueeze", "", {value_, list<std::int64_t>({-1})});
  }
  /// Comparisons of inputs, which no rounding changes.
  void mask(const Dims& x) {
    constexpr std::array kOps = {"Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"};
    Dims dims = x;
    if (build_.coin()) dims[0] = 1;
    if (build_.coin()) dims.back() = 1;
    const auto op = [&] { return kOps[static_cast<std::size_t>(build_.between(0, 4))]; };
    ValueId chosen = build_.node(op(), "", {build_.input(build_.floats(dims, 1)), build_.scalar(0.2F)});
    if (build_.coin()) {
      const ValueId other = build_.node(op(), "", {build_.input(build_.floats(x, 1)), build_.scalar(-0.2F)});
      constexpr std::array kBoth = {"And", "Or", "Xor"};
      chosen = build_.node(kBoth[static_cast<std::size_t>(build_.between(0, 2))], "", {build_.node("Not", "", {chosen}), other});
    }
    if (build_.coin()) {
      value_ = build_.node("Where", "", {chosen, value_, build_.scalar(-0.5F)});
    } else {
      value_ = build_.node("Mul", "", {value_, build_.node("Cast", "", {chosen}, {{"to", std::int64_t{1}}})});
    }
  }
  /// An embedding: rows by indices that come with the run, some of them counted from the end.
  void table(const Dims& x) {
    constexpr std::int64_t kRows = 7;
    const bool wide = build_.coin();
    Tensor indices = Tensor::create(wide ? DType::kInt64 : DType::kInt32, Dims(x.begin(), x.end() - 1)).value();
    const auto draw = [&] { return build_.between(-kRows, kRows - 1); };
    if (wide) {
      for (std::int64_t& index : indices.mutable_data<std::int64_t>()) index = draw();
    } else {
      for (std::int32_t& index : indices.mutable_data<std::int32_t>()) index = static_cast<std::int32_t>(draw());
    }
    const ValueId rows = build_.node("Gather", "", {build_.constant(build_.floats({kRows, x.back()}, 1)), build_.input(indices)});
    value_ = build_.node("Add", "", {value_, rows});
  }
  void weights_of_conv(const Dims& x) {
    if (x.size() < 3) return mixed(x);
    Dims w = {build_.between(1, 20), x[1]};
    w.resize(x.size(), 1);
    Tensor scale = build_.floats({w[0]}, 0.01F);
    for (float& value : scale.mutable_data<float>()) value = 0.001F + std::fabs(value);
    const ValueId weights = build_.node("DequantizeLinear", "", {build_.constant(levels(DType::kInt8, w)), build_.constant(scale)},
                                        {{"axis", std::int64_t{0}}});
    value_ = build_.node("Conv", "", {value_, weights});
  }
  /// Along one axis, and back to floats.
  void line(const Dims& x) {
    const std::int64_t axis = build_.between(0, std::ssize(x) - 1);
    switch (build_.between(0, 3)) {
      case 0: {  // places in an input: those of sums that are nearly equal would be chance
        const ValueId place =
            build_.node("ArgMax", "", {build_.input(build_.floats(x, 1))}, {{"axis", axis}, {"keepdims", std::int64_t{1}}});
        value_ = build_.node("Mul", "", {value_, build_.node("Cast", "", {place}, {{"to", std::int64_t{1}}})});
        return;
      }
      case 1:
        value_ = build_
                     .node_of("TopK", {value_, list<std::int64_t>({build_.between(1, x[static_cast<std::size_t>(axis)])})}, 2,
                              {{"axis", axis}, {"largest", build_.between(0, 1)}})
                     .front();
        return;
      case 2: value_ = build_.node("LogSoftmax", "", {value_}, {{"axis", axis}}); return;
      default: {
        constexpr std::array kOps = {"ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"};
        value_ = build_.node(kOps[static_cast<std::size_t>(build_.between(0, 4))], "", {value_, list<std::int64_t>({axis})},
                             {{"keepdims", std::int64_t{1}}});
      }
    }
  }

  Builder build_;
  ValueId value_ = 0;
};

}  // namespace

RandomNetwork random_values(const Choices& choices) { return Values(choices).make(); }

}  // namespace moru::runtime::engine
