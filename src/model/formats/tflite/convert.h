// SPDX-License-Identifier: Apache-2.0
// The pieces of a TFLite file, to and from ours. Only this folder knows the flatbuffers' types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/formats/tflite/options.h"
#include "model/graph/graph.h"

namespace moru::model::tflite {

/// The domains of builtin and custom ops, and the op that stands for a tensor that keeps its content between runs.
inline constexpr std::string_view kDomain = "tflite";
inline constexpr std::string_view kCustomDomain = "tflite.custom";
inline constexpr std::string_view kVariable = "VARIABLE";
/// The one attribute of a custom op, and what its value is: bytes.
inline constexpr std::string_view kCustomOptions = "custom_options";
/// Keys of metadata that are no entries of the file's own.
inline constexpr std::string_view kDescriptionKey = "tflite.description";
inline constexpr std::string_view kSignatureKey = "tflite.signature:";

inline constexpr std::size_t kMaxRank = 16;

/// What a file may make us hold, in proportion to its size: tables of a flatbuffer may be shared, so that a small file can
/// claim a thousand times what it has.
class Allowance {
 public:
  explicit Allowance(std::size_t file_bytes) : left_(8 * static_cast<std::uint64_t>(file_bytes) + (1U << 16U)), limit_(left_) {}
  /// kResourceExhausted when it is used up.
  Status spend(std::uint64_t bytes);

 private:
  std::uint64_t left_;
  std::uint64_t limit_;
};

/// kUnsupported for types that we do not have (RESOURCE, VARIANT, STRING).
Result<DType> dtype_from_file(fb::TensorType type);
Result<fb::TensorType> dtype_to_file(DType dtype);

/// The shape as the file states it, where -1 in shape_signature makes an extent unknown.
Result<SymbolicShape> shape_from_file(const fb::Tensor& tensor);
/// The extents that the data of a constant have.
Result<Dims> dims_from_file(const fb::Tensor& tensor);

/// Scale and zero point of integers; nothing for other types. Calibration's minimum and maximum are left behind.
Result<std::optional<Quantization>> quantization_from_file(const fb::QuantizationParameters* parameters, DType dtype,
                                                           std::span<const std::int32_t> shape);

/// The dense tensor of a sparse constant: `values` are the elements that are stored, in the order of the file. Cost: memory
/// for the dense tensor, bounded by the allowance.
Result<Tensor> densify(const fb::SparsityParameters& sparsity, DType dtype, const Dims& dims, std::span<const std::byte> values);

/// The calling convention that a signature names, as a line of metadata: "KEY" -> {"inputs": [["name", place]], ...}, where a
/// place is an index of the graph's inputs or outputs.
struct SignaturePort {
  std::string name;
  std::size_t place = 0;
};
struct Signature {
  std::string key;
  std::vector<SignaturePort> inputs;
  std::vector<SignaturePort> outputs;
};
std::pair<std::string, std::string> signature_to_metadata(const Signature& signature);
Result<Signature> signature_from_metadata(const std::pair<std::string, std::string>& entry, const Graph& graph);

/// The version of a builtin op that has the types and options of this node, by TFLite's own rules. (versions_table.cc)
std::int32_t version_of(const Graph& graph, const Node& node);

}  // namespace moru::model::tflite
