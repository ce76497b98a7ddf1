// SPDX-License-Identifier: Apache-2.0
// What a library of ONNX Runtime can compute on: its "execution providers", which are fixed when it is built.
#pragma once

#include <string_view>
#include <vector>

#include "runtime/backends/backend.h"
#include "runtime/backends/onnxruntime/library.h"

namespace moru::runtime::ort {

/// "cpu" first, then the others by ONNX Runtime's own preference: "CUDAExecutionProvider" is "cuda". That a provider is there does not
/// mean that its device is: add_provider() finds that out.
std::vector<Device> devices_of(const Library& library);

/// Makes sessions of these options run `onnx` on a device; what it cannot run stays on the CPU, or with TensorRT on CUDA where that is
/// there. Engines of TensorRT, which take minutes to make, are kept in $MORU_HOME/cache/onnxruntime-tensorrt/MODEL-VERSION, under names in
/// which ONNX Runtime has the GPU. Errors: kUnavailable for a device that this library has not, or whose driver or hardware is missing, in
/// its own words; those of making the folder.
Status add_provider(const Library& library, std::string_view device, std::string_view onnx, OrtSessionOptions* options);

}  // namespace moru::runtime::ort
