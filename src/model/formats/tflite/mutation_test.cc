// SPDX-License-Identifier: Apache-2.0
// TFLite models changed at random: each is read, or refused with a message; none ends the process, hangs, or takes more memory than
// allowed. How many: tests/support/mutations.h. MORU_TEST_DATA adds the models of its folders models/ and mlperf_tiny/.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <vector>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/tflite/convert.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "tests/support/mutations.h"

namespace moru::model {
namespace {

constexpr std::uint64_t kMaxMemory = std::uint64_t{256} << 20U;

std::string small_net() {
  const auto graph = parse_text(R"(graph "g" {
  meta "tflite.signature:run" = "{\"inputs\": [[\"x\", 0]], \"outputs\": [[\"y\", 0]]}"
  input x: float32[1, 4, 4, 1]
  init w = float32[2, 3, 3, 1] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init q: int8[2] quant {scales = [0.5, 0.25], zero_points = [0, 0], axis = 0} = int8[2] {1, 2}
  init shape = int32[2] {1, -1}
  a: float32[1, 2, 2, 2] = tflite::CONV_2D(x, w) {padding = "VALID", stride_h = 1, stride_w = 1}
  d: float32[2] = tflite::DEQUANTIZE(q)
  b: float32[1, 2, 2, 2] = tflite::ADD(a, d)
  c: float32[1, 2, 2, 2] = tflite.custom::Mine(b) {custom_options = "abc"}
  y: float32[1, 8] = tflite::RESHAPE(c, shape)
  output y
})");
  EXPECT_TRUE(graph.has_value());
  return graph ? write_tflite(*graph).value_or("") : "";
}

namespace fb = moru::tflite_fb;

/// Bytes replaced, bits turned, the end cut off, and sizes and offsets that lie.
std::string with_other_bytes(const std::string& valid, Rng& rng) {
  std::string bytes = valid;
  const std::uint64_t changes = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = rng.below(bytes.size());
    const std::size_t word = at & ~std::size_t{3};
    switch (rng.below(4)) {
      case 0: bytes[at] = static_cast<char>(rng.next()); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << rng.below(8))); break;
      case 2: bytes.resize(std::max<std::size_t>(at, 8)); break;
      default: bytes.replace(word, std::min<std::size_t>(4, bytes.size() - word), "\xff\xff\xff\x7f", 4); break;
    }
  }
  return bytes;
}

template <class T>
T& any_of(std::vector<T>& list, Rng& rng) {
  return list[rng.below(list.size())];
}

std::int32_t odd_number(Rng& rng) {
  static constexpr std::int32_t kNumbers[] = {
      0, 1, -1, 2, -2, 3, 255, 65536, 1 << 30, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
  return kNumbers[rng.below(std::size(kNumbers))];
}

/// Another extent or another rank.
void change_shape(std::vector<std::int32_t>& shape, Rng& rng) {
  if (!shape.empty() && rng.below(2) == 0)
    any_of(shape, rng) = odd_number(rng);
  else if (!shape.empty() && rng.below(4) == 0)
    shape.pop_back();
  else
    shape.push_back(odd_number(rng));
}

void change_tensor(fb::ModelT& model, std::vector<std::unique_ptr<fb::TensorT>>& tensors, Rng& rng) {
  fb::TensorT& tensor = *any_of(tensors, rng);
  switch (rng.below(6)) {
    case 0: change_shape(tensor.shape, rng); return;
    case 1: change_shape(tensor.shape_signature, rng); return;
    case 2: tensor.name = any_of(tensors, rng)->name; return;
    case 3: tensor.type = static_cast<fb::TensorType>(rng.below(24)); return;
    case 4:
      tensor.buffer =
          rng.below(4) == 0 ? static_cast<std::uint32_t>(odd_number(rng)) : static_cast<std::uint32_t>(rng.below(model.buffers.size()));
      return;
    default: break;
  }
  if (!tensor.quantization) tensor.quantization = std::make_unique<fb::QuantizationParametersT>();
  tensor.quantization->quantized_dimension = odd_number(rng);
  tensor.quantization->scale.resize(rng.below(4), 0.5F);
  tensor.quantization->zero_point.resize(rng.below(4), odd_number(rng));
}

/// Cycles, two that make one tensor, indices of nothing, other ops.
void change_operator(fb::ModelT& model, fb::SubGraphT& graph, Rng& rng) {
  fb::OperatorT& op = *any_of(graph.operators, rng);
  fb::OperatorT& other = *any_of(graph.operators, rng);
  switch (rng.below(7)) {
    case 0:
      if (!op.inputs.empty() && !other.outputs.empty()) any_of(op.inputs, rng) = any_of(other.outputs, rng);
      return;
    case 1:
      if (!op.outputs.empty() && !other.outputs.empty()) any_of(op.outputs, rng) = any_of(other.outputs, rng);
      return;
    case 2:
      if (!op.inputs.empty()) any_of(op.inputs, rng) = odd_number(rng);
      return;
    case 3: op.opcode_index = static_cast<std::uint32_t>(rng.below(model.operator_codes.size() + 1)); return;
    case 4:
      if (!op.inputs.empty()) op.inputs.pop_back();
      return;
    case 5: {
      fb::OperatorCodeT& code = *any_of(model.operator_codes, rng);
      code.builtin_code = static_cast<fb::BuiltinOperator>(rng.below(210));
      code.deprecated_builtin_code = 0;  // the larger of the two counts
      return;
    }
    default: std::swap(op, other); return;
  }
}

std::string with_other_structure(const std::string& valid, Rng& rng) {
  const std::unique_ptr<fb::ModelT> model(fb::UnPackModel(valid.data()));
  for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
    fb::SubGraphT& graph = *any_of(model->subgraphs, rng);
    switch (rng.below(8)) {
      case 0:
        any_of(rng.below(2) == 0 ? graph.inputs : graph.outputs, rng) = static_cast<std::int32_t>(rng.below(graph.tensors.size()));
        break;
      case 1: any_of(model->buffers, rng)->data.resize(rng.below(64)); break;
      case 2:
      case 3:
      case 4: change_tensor(*model, graph.tensors, rng); break;
      default: change_operator(*model, graph, rng); break;
    }
  }
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishModelBuffer(builder, fb::Model::Pack(builder, model.get()));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::string mutant(const std::string& valid, std::uint64_t number) {
  Rng rng(number * 2 + 1);
  return rng.below(2) == 0 ? with_other_bytes(valid, rng) : with_other_structure(valid, rng);
}

/// What is taken must go out and come back the same.
void check_mutant(const std::string& bytes) {
  const auto graph = read_tflite(bytes, "mutant");
  if (!graph) {
    EXPECT_NE(graph.error().code, ErrorCode::kInternal) << graph.error().message;
    return;
  }
  const auto written = write_tflite(*graph);
  ASSERT_TRUE(written.has_value()) << written.error().message;
  const auto again = read_tflite(*written, "again");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again, {.max_elements = 64}), to_text(*graph, {.max_elements = 64}));
}

TEST(TfliteMutations, EachIsReadOrRefusedInTimeAndMemory) {
  std::vector<std::pair<std::string, std::string>> victims{{"small net", small_net()}};
  if (const char* root = std::getenv("MORU_TEST_DATA"); root != nullptr) {
    for (const char* folder : {"models", "mlperf_tiny"}) {
      for (const auto& entry : std::filesystem::directory_iterator(Path(root) / folder)) {
        if (entry.path().extension() == ".tflite") victims.emplace_back(entry.path().filename().string(), read_file(entry.path()).value());
      }
    }
  }
  for (const auto& [name, bytes] : victims) {
    run_mutations(name, kMaxMemory, [&](std::uint64_t number) { return mutant(bytes, number); }, check_mutant);
  }
}

}  // namespace
}  // namespace moru::model
