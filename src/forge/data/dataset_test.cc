// SPDX-License-Identifier: Apache-2.0
#include "forge/data/dataset.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "forge/data/synthetic_for_test.h"

namespace moru::forge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void write_bytes(const Path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
  return bytes;
}

/// IDX bytes of `count` images of 2 x 2 whose pixels are all the image's index.
std::string images(std::uint32_t count) {
  std::string bytes = std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(2) + big_endian(2);
  for (std::uint32_t i = 0; i < count; ++i) bytes.append(4, static_cast<char>(i));
  return bytes;
}

std::string labels(const std::vector<int>& values) {
  std::string bytes = std::string("\0\0\x08\x01", 4) + big_endian(static_cast<std::uint32_t>(values.size()));
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

class DatasetFolder : public testing::Test {
 protected:
  void SetUp() override {
    write_bytes(path() / "train-images-idx3-ubyte", images(6));
    write_bytes(path() / "train-labels-idx1-ubyte", labels({0, 1, 2, 0, 1, 2}));
    write_bytes(path() / "t10k-images-idx3-ubyte", images(2));
    write_bytes(path() / "t10k-labels-idx1-ubyte", labels({2, 1}));
  }
  const Path& path() const { return folder_->path(); }
  Error error_of(const DatasetOptions& options = {.validation = 2}) const {
    const auto dataset = load_dataset(path(), options);
    EXPECT_FALSE(dataset.has_value());
    return dataset ? Error{} : dataset.error();
  }

 private:
  Result<TempFolder> folder_ = TempFolder::create("moru-dataset");
};

TEST_F(DatasetFolder, LoadsAndSplitsEveryTrainingImageOnce) {
  const auto dataset = load_dataset(path(), {.validation = 2, .seed = 5});
  ASSERT_TRUE(dataset.has_value()) << dataset.error().message;
  EXPECT_EQ(dataset->train.size(), 4);
  EXPECT_EQ(dataset->validation.size(), 2);
  EXPECT_EQ(dataset->test.size(), 2);
  EXPECT_THAT(dataset->labels, ElementsAre("0", "1", "2"));
  std::vector<int> seen;
  for (const ImageSet* set : {&dataset->train, &dataset->validation}) {
    for (std::int64_t i = 0; i < set->size(); ++i) {
      const int image = set->pixels(i)[0];
      seen.push_back(image);
      EXPECT_EQ(set->label(i), image % 3) << "image and label must stay together";
    }
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(class_counts(dataset->test, 3), ElementsAre(0, 1, 1));
}

TEST_F(DatasetFolder, SplitAndDigestFollowTheSeed) {
  const auto a = load_dataset(path(), {.validation = 3, .seed = 1});
  const auto again = load_dataset(path(), {.validation = 3, .seed = 1});
  const auto other = load_dataset(path(), {.validation = 3, .seed = 2});
  ASSERT_TRUE(a && again && other);
  EXPECT_EQ(a->digest, again->digest);
  EXPECT_TRUE(model::same_bits(a->train.images, again->train.images));
  EXPECT_NE(a->digest, other->digest);
}

TEST_F(DatasetFolder, NormalisationIsThatOfTheTrainPart) {
  const auto dataset = load_dataset(path(), {.validation = 2});
  ASSERT_TRUE(dataset.has_value());
  double sum = 0;
  double squares = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const double x = dataset->train.pixels(i)[0] / 255.0;
    sum += x / 4;
    squares += x * x / 4;
  }
  EXPECT_NEAR(dataset->mean, sum, 1e-12);
  EXPECT_NEAR(dataset->std, std::sqrt(squares - sum * sum), 1e-9);
  const auto batch = normalised_batch(dataset->train, 1, 2, dataset->mean, dataset->std);
  ASSERT_TRUE(batch.has_value());
  EXPECT_THAT(batch->dims(), ElementsAre(2, 1, 2, 2));
  EXPECT_NEAR(batch->data<float>()[0], (dataset->train.pixels(1)[0] / 255.0 - dataset->mean) / dataset->std, 1e-6);
}

TEST_F(DatasetFolder, LabelsFileNamesTheClasses) {
  write_bytes(path() / "labels.txt", "cap\n box \nlid\n\n");
  const auto dataset = load_dataset(path(), {.validation = 2});
  ASSERT_TRUE(dataset.has_value());
  EXPECT_THAT(dataset->labels, ElementsAre("cap", "box", "lid"));
}

TEST_F(DatasetFolder, LabelWithoutANameIsCorrupt) {
  write_bytes(path() / "labels.txt", "cap\nbox\n");
  const Error error = error_of();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("image 2 has label 2, expected 0 to 1"));
}

TEST_F(DatasetFolder, FileCutShortIsCorrupt) {
  write_bytes(path() / "train-images-idx3-ubyte", images(6).substr(0, 30));
  EXPECT_EQ(error_of().code, ErrorCode::kCorrupt);
}

TEST_F(DatasetFolder, CountsThatDifferAreCorrupt) {
  write_bytes(path() / "train-labels-idx1-ubyte", labels({0, 1}));
  const Error error = error_of();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("found 6 images and 2 labels"));
}

TEST_F(DatasetFolder, SwappedFilesAreCorrupt) {
  write_bytes(path() / "train-images-idx3-ubyte", labels({0, 1, 2, 0, 1, 2}));
  const Error error = error_of();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("expected uint8 [N, H, W]"));
}

TEST_F(DatasetFolder, MissingFileNamesIt) {
  std::filesystem::remove(path() / "t10k-labels-idx1-ubyte");
  const Error error = error_of();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("t10k-labels-idx1-ubyte"));
}

TEST_F(DatasetFolder, ValidationPartMustFit) {
  EXPECT_EQ(error_of({.validation = 6}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of({.validation = 0}).code, ErrorCode::kInvalidArgument);
}

TEST(Dataset, MissingFolderSaysWhatToInstall) {
  const auto dataset = load_dataset("/nonexistent/dataset");
  ASSERT_FALSE(dataset.has_value());
  EXPECT_EQ(dataset.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(dataset.error().message, HasSubstr("apt install dataset-fashion-mnist"));
}

TEST(Dataset, FirstTakesAtMostWhatIsThere) {
  const ImageSet set = synthetic_set_for_test(5, 10, 1);
  const auto three = first(set, 3);
  const auto all = first(set, 9);
  ASSERT_TRUE(three && all);
  EXPECT_EQ(three->size(), 3);
  EXPECT_EQ(all->size(), 5);
  EXPECT_EQ(three->label(2), set.label(2));
}

}  // namespace
}  // namespace moru::forge
