// SPDX-License-Identifier: Apache-2.0
// Datasets of labelled grey images: loaded, checked, split by seed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::forge {

/// Images uint8 [N, H, W] and their labels uint8 [N]. Copies share memory.
struct ImageSet {
  model::Tensor images;
  model::Tensor labels;
  std::int64_t size() const { return labels.count(); }
  std::int64_t height() const { return images.dims()[1]; }
  std::int64_t width() const { return images.dims()[2]; }
  std::span<const std::uint8_t> pixels(std::int64_t index) const;
  std::uint8_t label(std::int64_t index) const { return labels.data<std::uint8_t>()[static_cast<std::size_t>(index)]; }
};

struct Dataset {
  std::string name;                 ///< "fashion-mnist"
  std::vector<std::string> labels;  ///< class names; their count is the number of classes
  ImageSet train;
  ImageSet validation;
  ImageSet test;
  /// Of the train part's pixels / 255: what the model's input is normalised with, (x / 255 - mean) / std.
  double mean = 0.0;
  double std = 1.0;
  std::string digest;  ///< SHA-256 over the files' shapes and elements, and the split
};

struct DatasetOptions {
  std::int64_t validation = 5000;  ///< images taken out of the training file
  std::uint64_t seed = 1;          ///< of the split
};

/// Loads a folder with the four IDX files of the MNIST family ({train,t10k}-{images-idx3,labels-idx1}-ubyte, with or
/// without .gz) and, if it is there, labels.txt (one class name a line).
/// Errors: kUnavailable when the folder is missing, with the package to install; kCorrupt for a damaged file, counts that
/// differ, or a label that has no name.
Result<Dataset> load_dataset(const Path& folder, const DatasetOptions& options = {});

/// Where Debian's dataset-fashion-mnist puts its files.
Path fashion_mnist_folder();

/// Images per class.
std::vector<std::int64_t> class_counts(const ImageSet& set, std::size_t classes);

/// The images at `indices`, in that order. Indices must be in range (checked).
Result<ImageSet> take(const ImageSet& set, std::span<const std::int64_t> indices);

/// The first `count` images (all, when there are fewer); shares no memory.
Result<ImageSet> first(const ImageSet& set, std::int64_t count);

/// What each pixel byte x becomes: (x / 255 - mean) / std.
std::array<float, 256> normalisation_table(double mean, double std);

/// Images [from, from + count) as normalised float32 [count, 1, H, W]; the range must be within the set (checked).
Result<model::Tensor> normalised_batch(const ImageSet& set, std::int64_t from, std::int64_t count, double mean, double std);

}  // namespace moru::forge
