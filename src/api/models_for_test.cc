// SPDX-License-Identifier: Apache-2.0
// Writes the models of the tests into the folder that it is given.
#include <cstdio>

#include "core/files.h"
#include "model/convert/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"

namespace moru {
namespace {

// [1, 2, 3, 4] gives [10.5, 0].
constexpr std::string_view kDense = R"(graph "dense" {
  opset 13
  input x: float32[N, 4]
  init w = float32[4, 2] {1, -1, 1, -1, 1, -1, 1, -1}
  init b = float32[2] {0.5, 0}
  z: float32[N, 2] = Gemm(x, w, b)
  y: float32[N, 2] = Relu(z)
  output y
})";

// Levels [2, 4, 6, 8] stand for [1, 2, 3, 4]; their sums by twos, 4 and 6, for the levels [18, 22].
constexpr std::string_view kLevels = R"(graph "levels" {
  opset 13
  input x: int8[1, 4]
  init half = float32[] {0.5}
  init one = float32[] {1}
  init zero = int8[] {0}
  init ten = int8[] {10}
  init w = int8[4, 2] {1, 0, 0, 1, 1, 0, 0, 1}
  xf: float32[1, 4] = DequantizeLinear(x, half, zero)
  wf: float32[4, 2] = DequantizeLinear(w, one, zero)
  yf: float32[1, 2] = MatMul(xf, wf)
  y: int8[1, 2] = QuantizeLinear(yf, half, ten)
  output y
})";

// Two rows at least: one is too small for the window.
constexpr std::string_view kWindow = R"(graph "window" {
  opset 13
  input x: float32[1, 1, H, 2]
  y: float32[1, 1, ?, 1] = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
})";

// How many outputs there are only the run knows.
constexpr std::string_view kOpen = R"(graph "open" {
  opset 13
  input x: float32[4]
  y: int64[1, ?] = NonZero(x)
  output y
})";

Status write_models(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  const std::pair<const char*, std::string_view> models[] = {
      {"dense.onnx", kDense}, {"levels.onnx", kLevels}, {"window.onnx", kWindow}, {"open.onnx", kOpen}};
  for (const auto& [name, text] : models) {
    MORU_ASSIGN_OR_RETURN(const auto graph, model::parse_text(text));
    MORU_ASSIGN_OR_RETURN(const auto bytes, model::write_onnx(graph));
    MORU_RETURN_IF_ERROR(write_file_atomic(folder / name, bytes));
  }
  MORU_ASSIGN_OR_RETURN(auto levels, model::parse_text(kLevels));
  MORU_ASSIGN_OR_RETURN(const auto converted, model::to_tflite(std::move(levels)));
  MORU_ASSIGN_OR_RETURN(const auto bytes, model::write_tflite(converted.graph));
  return write_file_atomic(folder / "levels.tflite", bytes);
}

}  // namespace
}  // namespace moru

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const moru::Status written = moru::write_models(argv[1]);
  if (!written) std::fputs(written.error().message.c_str(), stderr);
  return written ? 0 : 1;
}
