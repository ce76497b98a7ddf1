// SPDX-License-Identifier: Apache-2.0
#include "forge/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/digest.h"
#include "core/random.h"
#include "core/text.h"
#include "model/formats/idx.h"

namespace moru::forge {
namespace {

using model::DType;
using model::Tensor;

/// Datasets whose class names are known though their files do not carry them; recognised by their training labels.
struct KnownDataset {
  std::string_view name;
  std::string_view labels_sha256;
  std::array<std::string_view, 10> labels;
};
constexpr KnownDataset kFashionMnist = {
    "fashion-mnist",
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}};

std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Result<Tensor> load_part(const Path& folder, std::string_view name) {
  for (const char* suffix : {"", ".gz"}) {
    const Path path = folder / (std::string(name) + suffix);
    std::error_code error;
    if (std::filesystem::exists(path, error)) return model::load_idx(path);
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("dataset '{}': found no {} or {}.gz, expected the four IDX files of the MNIST family; apt install "
                          "dataset-fashion-mnist brings a set in {}",
                          folder.string(), name, name, fashion_mnist_folder().string()));
}

Result<ImageSet> load_set(const Path& folder, std::string_view stem) {
  MORU_ASSIGN_OR_RETURN(Tensor images, load_part(folder, fmt::format("{}-images-idx3-ubyte", stem)));
  MORU_ASSIGN_OR_RETURN(Tensor labels, load_part(folder, fmt::format("{}-labels-idx1-ubyte", stem)));
  const std::string where = fmt::format("dataset '{}': {}", folder.string(), stem);
  if (images.dtype() != DType::kUInt8 || images.rank() != 3 || images.count() == 0) {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: images are {} {}, expected uint8 [N, H, W]", where, to_string(images.dtype()),
                                                 model::to_string(images.dims())));
  }
  if (labels.dtype() != DType::kUInt8 || labels.rank() != 1) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: labels are {} {}, expected uint8 [N]", where, to_string(labels.dtype()), model::to_string(labels.dims())));
  }
  if (images.dims()[0] != labels.dims()[0]) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: found {} images and {} labels, expected as many of each", where, images.dims()[0], labels.dims()[0]));
  }
  return ImageSet{std::move(images), std::move(labels)};
}

/// Name and class names: labels.txt, else a known dataset's, else numbers up to the highest training label.
Status name_classes(const Path& folder, const ImageSet& train, Dataset* dataset) {
  dataset->name = folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
  const Path file = folder / "labels.txt";
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    MORU_ASSIGN_OR_RETURN(const std::string text, read_file(file, 1 << 16));
    for (const std::string_view line : split(text, '\n')) {
      if (!trim(line).empty()) dataset->labels.emplace_back(trim(line));
    }
    return {};
  }
  if (sha256_hex(as_text(train.labels.bytes())) == kFashionMnist.labels_sha256) {
    dataset->name = kFashionMnist.name;
    dataset->labels.assign(kFashionMnist.labels.begin(), kFashionMnist.labels.end());
    return {};
  }
  const auto labels = train.labels.data<std::uint8_t>();
  const int highest = *std::max_element(labels.begin(), labels.end());
  for (int i = 0; i <= highest; ++i) dataset->labels.push_back(std::to_string(i));
  return {};
}

Status check_labels(const ImageSet& set, std::size_t classes, std::string_view part, const Path& folder) {
  const auto labels = set.labels.data<std::uint8_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= classes) {
      return fail(ErrorCode::kCorrupt, fmt::format("dataset '{}': {}: image {} has label {}, expected 0 to {}", folder.string(), part, i,
                                                   labels[i], classes - 1));
    }
  }
  return {};
}

void add_to_digest(const Tensor& tensor, Sha256* digest) {
  digest->update(model::to_string(tensor.dims()));
  digest->update(as_text(tensor.bytes()));
}

void measure(const ImageSet& set, double* mean, double* std) {
  // Sums of bytes are exact in 64 bits for any set that fits in memory.
  std::uint64_t sum = 0;
  std::uint64_t squares = 0;
  for (const std::uint8_t pixel : set.images.data<std::uint8_t>()) {
    sum += pixel;
    squares += static_cast<std::uint64_t>(pixel) * pixel;
  }
  const auto count = static_cast<double>(set.images.count());
  const double average = static_cast<double>(sum) / count;
  const double variance = static_cast<double>(squares) / count - average * average;
  *mean = average / 255.0;
  // A constant set has no spread to divide by.
  *std = variance > 0.0 ? std::sqrt(variance) / 255.0 : 1.0;
}

}  // namespace

std::span<const std::uint8_t> ImageSet::pixels(std::int64_t index) const {
  const auto size = static_cast<std::size_t>(height() * width());
  return images.data<std::uint8_t>().subspan(static_cast<std::size_t>(index) * size, size);
}

Path fashion_mnist_folder() { return "/usr/share/datasets/fashion-mnist"; }

Result<ImageSet> take(const ImageSet& set, std::span<const std::int64_t> indices) {
  const auto count = static_cast<std::int64_t>(indices.size());
  MORU_ASSIGN_OR_RETURN(Tensor images, Tensor::create(DType::kUInt8, {count, set.height(), set.width()}));
  MORU_ASSIGN_OR_RETURN(Tensor labels, Tensor::create(DType::kUInt8, {count}));
  auto out = images.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    MORU_CHECK(indices[i] >= 0 && indices[i] < set.size());
    const auto pixels = set.pixels(indices[i]);
    std::ranges::copy(pixels, out.subspan(i * pixels.size()).begin());
    labels.mutable_data<std::uint8_t>()[i] = set.label(indices[i]);
  }
  return ImageSet{std::move(images), std::move(labels)};
}

Result<ImageSet> first(const ImageSet& set, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, set.size())));
  std::iota(indices.begin(), indices.end(), 0);
  return take(set, indices);
}

Result<Dataset> load_dataset(const Path& folder, const DatasetOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("dataset: found no folder '{}', expected one with IDX files; apt install dataset-fashion-mnist, or name "
                            "a folder of your own",
                            folder.string()));
  }
  MORU_ASSIGN_OR_RETURN(const ImageSet all, load_set(folder, "train"));
  Dataset dataset;
  MORU_ASSIGN_OR_RETURN(dataset.test, load_set(folder, "t10k"));
  if (dataset.test.height() != all.height() || dataset.test.width() != all.width()) {
    return fail(ErrorCode::kCorrupt, fmt::format("dataset '{}': t10k: images are {} x {}, expected {} x {} as in train", folder.string(),
                                                 dataset.test.height(), dataset.test.width(), all.height(), all.width()));
  }
  if (options.validation < 1 || options.validation >= all.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("dataset '{}': found a validation part of {}, expected 1 to {}", folder.string(),
                                                         options.validation, all.size() - 1));
  }
  MORU_RETURN_IF_ERROR(name_classes(folder, all, &dataset));
  MORU_RETURN_IF_ERROR(check_labels(all, dataset.labels.size(), "train", folder));
  MORU_RETURN_IF_ERROR(check_labels(dataset.test, dataset.labels.size(), "t10k", folder));

  Sha256 digest;
  for (const ImageSet* set : std::initializer_list<const ImageSet*>{&all, &dataset.test}) {
    add_to_digest(set->images, &digest);
    add_to_digest(set->labels, &digest);
  }
  digest.update(fmt::format("validation {} seed {}", options.validation, options.seed));
  dataset.digest = digest.finish();

  std::vector<std::int64_t> order(static_cast<std::size_t>(all.size()));
  std::iota(order.begin(), order.end(), 0);
  Rng(options.seed).shuffle(std::span(order));
  const auto validation = std::span(order).first(static_cast<std::size_t>(options.validation));
  MORU_ASSIGN_OR_RETURN(dataset.validation, take(all, validation));
  MORU_ASSIGN_OR_RETURN(dataset.train, take(all, std::span(order).subspan(validation.size())));
  measure(dataset.train, &dataset.mean, &dataset.std);
  return dataset;
}

std::vector<std::int64_t> class_counts(const ImageSet& set, std::size_t classes) {
  std::vector<std::int64_t> counts(classes, 0);
  for (const std::uint8_t label : set.labels.data<std::uint8_t>()) {
    if (label < classes) ++counts[label];
  }
  return counts;
}

std::array<float, 256> normalisation_table(double mean, double std) {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>((static_cast<double>(i) / 255.0 - mean) / std);
  return table;
}

Result<Tensor> normalised_batch(const ImageSet& set, std::int64_t from, std::int64_t count, double mean, double std) {
  MORU_CHECK(from >= 0 && count >= 0 && from + count <= set.size());
  MORU_ASSIGN_OR_RETURN(Tensor batch, Tensor::create(DType::kFloat32, {count, 1, set.height(), set.width()}));
  const auto size = static_cast<std::size_t>(set.height() * set.width());
  const auto pixels =
      set.images.data<std::uint8_t>().subspan(static_cast<std::size_t>(from) * size, static_cast<std::size_t>(count) * size);
  const auto out = batch.mutable_data<float>();
  const auto table = normalisation_table(mean, std);
  for (std::size_t i = 0; i < pixels.size(); ++i) out[i] = table[pixels[i]];
  return batch;
}

}  // namespace moru::forge
