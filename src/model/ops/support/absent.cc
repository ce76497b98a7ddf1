// SPDX-License-Identifier: Apache-2.0
#include "model/ops/conformance.h"

namespace moru::model {
namespace {

constexpr std::string_view kTraining = "a step of training, which the trainer makes itself; models that are used do not have it";
constexpr std::string_view kSequence = "values are tensors here, no sequences";

constexpr std::string_view kText = "prepares text for a model, from strings; models here begin behind that";

constexpr std::string_view kAdagrad[] = {"test_adagrad*"};
constexpr std::string_view kAdam[] = {"test_adam*"};
constexpr std::string_view kMomentum[] = {"test_momentum*", "test_nesterov_momentum"};
constexpr std::string_view kGradient[] = {"test_gradient_of_*"};
constexpr std::string_view kSequenceMap[] = {"test_sequence_map_*"};

constexpr std::string_view kStringNormalizer[] = {"test_strnormalizer_*", "test_strnorm_*"};
constexpr std::string_view kTfIdfVectorizer[] = {"test_tfidfvectorizer_*"};

constexpr std::string_view kStringConcat[] = {"test_string_concat*"};
constexpr std::string_view kStringSplit[] = {"test_string_split_*"};
constexpr std::string_view kRegexFullMatch[] = {"test_regex_full_match_*"};
constexpr std::string_view kImageDecoder[] = {"test_image_decoder_decode_*"};
constexpr std::string_view kClassical[] = {"test_ai_onnx_ml_*"};

constexpr AbsentOp kOps[] = {
    {"Adagrad", "ai.onnx.preview.training", 1, kTraining, kAdagrad},
    {"Adam", "ai.onnx.preview.training", 1, kTraining, kAdam},
    {"Gradient", "ai.onnx.preview.training", 1, kTraining, kGradient},
    {"Momentum", "ai.onnx.preview.training", 1, kTraining, kMomentum},
    {"ImageDecoder", "", 20, "images are decoded by the stages of a stream, before a model sees them", kImageDecoder},
    {"MaxRoiPool", "", 1, "no model of today has it; RoiAlign does what it did"},
    {"Optional", "", 15, "values are tensors here, no optional ones"},
    {"RegexFullMatch", "", 20, kText, kRegexFullMatch},
    {"SequenceMap", "", 17, kSequence, kSequenceMap},
    {"StringConcat", "", 20, kText, kStringConcat},
    {"StringNormalizer", "", 10, kText, kStringNormalizer},
    {"StringSplit", "", 20, kText, kStringSplit},
    {"TfIdfVectorizer", "", 9, kText, kTfIdfVectorizer},
    {"*", "ai.onnx.ml", 0, "trees, label tables and other classical learning, which is no matter of tensors", kClassical},
};

}  // namespace

std::span<const AbsentOp> absent_ops() { return kOps; }

}  // namespace moru::model
