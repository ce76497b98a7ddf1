// SPDX-License-Identifier: Apache-2.0
// TFLite files as nobody's writer makes them.
#pragma once

#include <tflite_fb/tflite_generated.h>

#include <string>
#include <string_view>

namespace moru::model {

/// Moves the zero points [1, 0] of a tensor four bytes from where 8-byte elements may lie: the vector (2; 1, 0), read from the lower
/// half of its first element on, is the vector (1; 0). flatbuffers' verifier takes it. False when there is no such tensor.
inline bool misalign_zero_points(std::string& bytes, std::string_view tensor) {
  for (const auto* one : *tflite_fb::GetModel(bytes.data())->subgraphs()->Get(0)->tensors()) {
    if (one->name()->string_view() != tensor || one->quantization() == nullptr) continue;
    const auto* table = reinterpret_cast<const flatbuffers::Table*>(one->quantization());
    const auto* field = table->GetAddressOf(tflite_fb::QuantizationParameters::VT_ZERO_POINT);
    bytes[static_cast<std::size_t>(reinterpret_cast<const char*>(field) - bytes.data())] += 4;
    return true;
  }
  return false;
}

}  // namespace moru::model
