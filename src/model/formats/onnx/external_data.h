// SPDX-License-Identifier: Apache-2.0
// Tensors whose payload lies in a file beside the model (onnx.ai, "External Data").
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/files.h"
#include "core/result.h"

namespace moru::model::onnx {

struct ExternalPayload {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< keeps the bytes
};

/// Maps the files that a model's tensors name, each once. Only files in the model's own folder or below are opened, also
/// when links lead elsewhere.
class ExternalFiles {
 public:
  explicit ExternalFiles(Path folder) : folder_(std::move(folder)) {}

  /// `entries` are TensorProto.external_data: location, offset (0), length (up to the end). Errors: kCorrupt (a place outside the
  /// folder or the file, entries that are no numbers), kNotFound, kIo.
  Result<ExternalPayload> locate(const std::map<std::string, std::string, std::less<>>& entries);

 private:
  Result<std::shared_ptr<const MappedFile>> open(std::string_view location);

  Path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace moru::model::onnx
