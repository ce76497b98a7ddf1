// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "runtime/backends/backend.h"
#include "runtime/backends/litert/library.h"

namespace moru::runtime::litert {

/// The settings that load_model() understands.
constexpr std::string_view kKernels = "kernels";
constexpr std::string_view kDelegate = "delegate";
constexpr std::string_view kDelegateOptions = "delegate_options";

/// A session for a TFLite model, read and verified by our reader, whose names and shapes its ports have.
Result<std::unique_ptr<Session>> load_model(const Api& api, std::string_view tflite, const SessionOptions& options);

}  // namespace moru::runtime::litert
