// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/constant.h"

namespace moru::model::onnx {

Result<Tensor> constant_tensor(std::string_view name, const Attribute& attribute) {
  const auto is = [&]<class T>(std::string_view wanted, const T*& value) {
    value = std::get_if<T>(&attribute);
    return value != nullptr && name == wanted;
  };
  const auto length = [](const auto& values) { return Dims{static_cast<std::int64_t>(values.size())}; };
  if (const Tensor* tensor = nullptr; is("value", tensor) || is("sparse_value", tensor)) return *tensor;
  if (const float* value = nullptr; is("value_float", value)) return Tensor::scalar(*value);
  if (const std::int64_t* value = nullptr; is("value_int", value)) return Tensor::scalar(*value);
  if (const std::string* value = nullptr; is("value_string", value)) return Tensor::of_strings({}, std::span(value, 1));
  if (const std::vector<float>* values = nullptr; is("value_floats", values)) return Tensor::of<float>(length(*values), *values);
  if (const std::vector<std::int64_t>* values = nullptr; is("value_ints", values))
    return Tensor::of<std::int64_t>(length(*values), *values);
  if (const std::vector<std::string>* values = nullptr; is("value_strings", values)) return Tensor::of_strings(length(*values), *values);
  return fail(
      ErrorCode::kCorrupt,
      "found another kind of constant, expected value, sparse_value, value_int, value_float, value_string or a list of one of these");
}

}  // namespace moru::model::onnx
