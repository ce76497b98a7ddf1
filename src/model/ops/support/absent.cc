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

constexpr AbsentOp kOps[] = {
    {"Adagrad", "ai.onnx.preview.training", kTraining, kAdagrad},
    {"Adam", "ai.onnx.preview.training", kTraining, kAdam},
    {"Gradient", "ai.onnx.preview.training", kTraining, kGradient},
    {"Momentum", "ai.onnx.preview.training", kTraining, kMomentum},
    {"SequenceMap", "", kSequence, kSequenceMap},
    {"StringNormalizer", "", kText, kStringNormalizer},
    {"TfIdfVectorizer", "", kText, kTfIdfVectorizer},
};

}  // namespace

std::span<const AbsentOp> absent_ops() { return kOps; }

}  // namespace moru::model
