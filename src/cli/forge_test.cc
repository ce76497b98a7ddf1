// SPDX-License-Identifier: Apache-2.0
// The nouns that make models: data, train, compress, release. A data set that is small enough to learn in seconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/process.h"
#include "core/random.h"
#include "forge/data/synthetic_for_test.h"

namespace moru::cli {
namespace {

using ::testing::HasSubstr;

struct ProgramRun {
  int code = -1;
  std::string output;  ///< stdout
};

std::string big_endian(std::int64_t value) {
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> shift)));
  return bytes;
}

std::string idx(const model::Tensor& tensor) {
  std::string bytes = {'\0', '\0', '\x08', static_cast<char>(tensor.rank())};
  for (const std::int64_t dim : tensor.dims()) bytes += big_endian(dim);
  return bytes.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.size_bytes());
}

class ForgeNouns : public ::testing::Test {
 protected:
  ProgramRun run_moru(const std::vector<std::string>& arguments, const std::string& redirect = "2>/dev/null") {
    ProcessOptions options;
    options.arguments = {"sh", "-c", "exec \"$0\" \"$@\" " + redirect, MORU_PROGRAM};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.environment = {{"MORU_HOME", at("home")}};
    const auto run = run_and_capture(options, 100 * kSecond);
    if (!run) {
      ADD_FAILURE() << run.error().message;
      return {};
    }
    return {run->status.code, run->output};
  }
  std::string at(const std::string& name) const { return (folder_->path() / name).string(); }

  std::string dataset() {
    const Path folder = at("squares");
    EXPECT_TRUE(make_folders(folder).has_value());
    for (const auto& [stem, set] :
         {std::pair{"train", forge::synthetic_set_for_test(500, 10, 1)}, std::pair{"t10k", forge::synthetic_set_for_test(200, 10, 2)}}) {
      EXPECT_TRUE(write_file_atomic(folder / fmt::format("{}-images-idx3-ubyte", stem), idx(set.images)).has_value());
      EXPECT_TRUE(write_file_atomic(folder / fmt::format("{}-labels-idx1-ubyte", stem), idx(set.labels)).has_value());
    }
    return folder.string();
  }

 private:
  Result<TempFolder> folder_ = TempFolder::create("moru-forge-nouns");
};

TEST_F(ForgeNouns, DataShowCountsClasses) {
  const auto run = run_moru({"data", "show", dataset(), "--validation", "100", "--format", "json"});
  ASSERT_EQ(run.code, 0);
  const auto json = parse_json(run.output, "stdout");
  ASSERT_TRUE(json.has_value()) << run.output;
  EXPECT_EQ((*json)["name"], "squares");
  EXPECT_EQ((*json)["train"]["images"], 400);
  EXPECT_EQ((*json)["labels"].size(), 10U);
  EXPECT_THAT(run_moru({"data", "show", dataset(), "--validation", "100"}).output, HasSubstr("validation"));
}

TEST_F(ForgeNouns, MissingDatasetIsExitCode4AndSaysWhatToInstall) {
  const auto run = run_moru({"data", "show", at("nothing")}, "2>&1");
  EXPECT_EQ(run.code, 4);
  EXPECT_THAT(run.output, HasSubstr("apt install dataset-fashion-mnist"));
}

TEST_F(ForgeNouns, UnknownRecipeIsExitCode2) {
  const auto run = run_moru({"train", "resnet", "--data", dataset(), "-o", at("m.onnx")}, "2>&1");
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.output, HasSubstr("expected 'cnn_small'"));
}

TEST_F(ForgeNouns, FromDataToASignedRelease) {
  const std::string recipe = at("quick.yaml");
  ASSERT_TRUE(write_file_atomic(recipe,
                                "apiVersion: moru.dev/v1\nkind: Recipe\nmetadata: {name: quick}\n"
                                "spec: {type: train, epochs: 2, batch: 10, learning_rate: 0.05, shift_px: 0, flip: false}\n")
                  .has_value());
  // 500 training images cannot give 5,000 for validation.
  const auto refused = run_moru({"train", recipe, "--data", dataset(), "-o", at("m.onnx")});
  if (refused.code == 4) GTEST_SKIP() << "this build has no trainer";
  EXPECT_EQ(refused.code, 2);
  const std::vector<std::string> train = {"train", recipe,       "--data",    dataset(), "--validation", "100",
                                          "-o",    at("m.onnx"), "--threads", "1",       "--format",     "json"};
  auto run = run_moru(train);
  ASSERT_EQ(run.code, 0);
  const auto trained = parse_json(run.output, "stdout");
  ASSERT_TRUE(trained.has_value()) << run.output;
  EXPECT_GT((*trained)["validation_top1"].get<double>(), 0.9);

  auto on = train;
  on.insert(on.end(), {"--from", at("m.onnx"), "--epochs", "1"});
  on[7] = at("m2.onnx");
  EXPECT_EQ(run_moru(on).code, 0);

  const std::vector<std::string> compress = {"compress", at("m.onnx"),      "--data", dataset(),       "--validation", "100",
                                             "-o",       at("m.int8.onnx"), "--card", at("card.json"), "--format",     "json"};
  run = run_moru(compress);
  if (run.code == 4) GTEST_SKIP() << "this machine has no ONNX Runtime";
  ASSERT_EQ(run.code, 0) << run.output;
  const auto compared = parse_json(run.output, "stdout");
  ASSERT_TRUE(compared.has_value());
  EXPECT_LT((*compared)["size_ratio"].get<double>(), 0.3);
  auto tight = compress;
  tight.insert(tight.end(), {"--max-size", "0.1"});
  run = run_moru(tight);
  EXPECT_EQ(run.code, 3) << "a budget that is not met";
  EXPECT_THAT(run.output, HasSubstr("\"budget_met\": false"));

  const std::string bundle = at("line.moru");
  ASSERT_EQ(run_moru({"release", "create", "--model", at("m.int8.onnx"), "--card", at("card.json"), "--version", "4", "-o", bundle}).code,
            0);
  EXPECT_THAT(run_moru({"release", "show", bundle}).output, HasSubstr("not checked"));
  run = run_moru({"release", "verify", bundle, "--key", bundle + ".pub.pem", "--format", "json"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.output, HasSubstr("\"version\": 4"));
  auto bytes = read_file(bundle);
  ASSERT_TRUE(bytes.has_value());
  bytes->back() = static_cast<char>(bytes->back() ^ 1);
  ASSERT_TRUE(write_file_atomic(bundle, *bytes).has_value());
  EXPECT_EQ(run_moru({"release", "verify", bundle, "--key", bundle + ".pub.pem"}).code, 2);
}

}  // namespace
}  // namespace moru::cli
