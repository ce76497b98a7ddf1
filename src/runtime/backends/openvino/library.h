// SPDX-License-Identifier: Apache-2.0
// OpenVINO's shared library and its C interface. This folder alone knows its types.
#pragma once

#include <openvino/c/openvino.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/backend.h"

namespace moru::runtime::openvino {

/// The functions used, without their ov_: nothing is linked, so each is looked up by name.
#define MORU_OPENVINO_FUNCTIONS(X)            \
  X(get_openvino_version)                     \
  X(version_free)                             \
  X(get_last_err_msg)                         \
  X(get_error_info)                           \
  X(free)                                     \
  X(core_create)                              \
  X(core_free)                                \
  X(core_get_available_devices)               \
  X(available_devices_free)                   \
  X(core_get_property)                        \
  X(core_read_model_from_memory_buffer)       \
  X(core_compile_model_props)                 \
  X(model_free)                               \
  X(compiled_model_free)                      \
  X(compiled_model_get_property)              \
  X(compiled_model_inputs_size)               \
  X(compiled_model_outputs_size)              \
  X(compiled_model_input_by_index)            \
  X(compiled_model_output_by_index)           \
  X(compiled_model_input_by_name)             \
  X(compiled_model_output_by_name)            \
  X(compiled_model_create_infer_request)      \
  X(output_const_port_free)                   \
  X(port_get_any_name)                        \
  X(port_get_element_type)                    \
  X(port_get_partial_shape)                   \
  X(partial_shape_free)                       \
  X(shape_free)                               \
  X(tensor_create_from_host_ptr)              \
  X(tensor_get_shape)                         \
  X(tensor_get_byte_size)                     \
  X(tensor_data)                              \
  X(tensor_free)                              \
  X(infer_request_set_input_tensor_by_index)  \
  X(infer_request_set_output_tensor_by_index) \
  X(infer_request_get_output_tensor_by_index) \
  X(infer_request_infer)                      \
  X(infer_request_free)

struct Api {
#define MORU_OPENVINO_MEMBER(name) decltype(&::ov_##name) name = nullptr;
  MORU_OPENVINO_FUNCTIONS(MORU_OPENVINO_MEMBER)
#undef MORU_OPENVINO_MEMBER
};

struct Library {
  Api api;
  ov_core_t* core = nullptr;
  std::string version;  ///< "2026.4.1"
};

/// Loads the library at `path`, with what lies beside it. Nothing is ever unloaded: its threads may outlive any moment we could choose.
/// Errors: kUnavailable, also for another release: its C interface renumbers element types between releases.
Result<Library> open_library(const Path& path);

/// The process's library, found by find_backend_library and loaded once; later calls give the same answer.
/// Threads: any.
const Result<Library>& library();

/// What it can compute on here: "cpu", "gpu.0", "npu". Cost: loads the plug-in of each kind.
std::vector<Device> devices(const Library& library);

/// A status of the library as ours: "<where>: OpenVINO says '<its words>'". `code` is for failures that it does not classify: nearly all.
Status check(const Api& api, ov_status_e status, std::string_view where, ErrorCode code);

/// Owns an object of the library.
template <class T>
struct Release {
  void (*function)(T*) = nullptr;
  void operator()(T* object) const { function(object); }
};
template <class T>
using Handle = std::unique_ptr<T, Release<T>>;

}  // namespace moru::runtime::openvino
