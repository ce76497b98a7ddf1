// SPDX-License-Identifier: Apache-2.0
// What is used of the C interface of LiteRT 2.1.4, declared here: its headers come with no package of this system, and we need few of
// them. Names, sizes and numbers are those of that release and of no other (library.cc refuses every other): its interface changes
// between patch releases. README.md says how it was compared with the original headers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moru::runtime::litert {

// Objects of the library, only ever held by pointers.
struct Accelerator;
struct CompiledModel;
struct DelegateWrapper;
struct Environment;
struct LoadedModel;
struct OpaqueOptions;
struct Options;
struct RuntimeContext;
struct TensorBuffer;

/// LiteRtStatus. Numbers that are not named here come too.
enum class Code : std::int32_t {
  kOk = 0,
  kInvalidArgument = 1,
  kMemoryAllocationFailure = 2,
  kRuntimeFailure = 3,
  kMissingInputTensor = 4,
  kUnsupported = 5,
  kNotFound = 6,
  kUnknown = 9,
  kFileIO = 500,
  kInvalidFlatbuffer = 501,
  kCompilation = 504,
  kIndexOOB = 1000,
  kInvalidIrType = 1001,
  kInvalidGraphInvariant = 1002,
};

/// LiteRtHwAccelerators, a set of bits.
using Hardware = std::int32_t;
constexpr Hardware kNoHardware = 0;
constexpr Hardware kCpu = 1;

/// LiteRtElementType; the numbers are those of classic TFLite.
enum class ElementType : std::int32_t {
  kFloat32 = 1,
  kInt32 = 2,
  kUInt8 = 3,
  kInt64 = 4,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUInt64 = 13,
  kUInt32 = 16,
  kUInt16 = 17,
};

constexpr std::size_t kMaxRank = 8;

/// LiteRtLayout. Two bit fields share the first byte.
struct Layout {
  std::uint32_t rank : 7;
  bool has_strides : 1;
  std::int32_t dimensions[kMaxRank];
  std::uint32_t strides[kMaxRank];
};
static_assert(sizeof(Layout) == 68 && offsetof(Layout, dimensions) == 4 && offsetof(Layout, strides) == 36);

/// LiteRtRankedTensorType.
struct TensorType {
  ElementType element_type;
  Layout layout;
};
static_assert(sizeof(TensorType) == 72 && offsetof(TensorType, layout) == 4);

/// LiteRtAny, of which only the case of an integer is used.
struct IntValue {
  std::int32_t type = 2;
  std::int64_t value = 0;
};
static_assert(sizeof(IntValue) == 16 && offsetof(IntValue, value) == 8);

/// LiteRtEnvOption.
enum class EnvironmentTag : std::int32_t { kAutoRegisterAccelerators = 24 };
struct EnvironmentOption {
  EnvironmentTag tag;
  IntValue value;
};
static_assert(sizeof(EnvironmentOption) == 24 && offsetof(EnvironmentOption, value) == 8);

/// LiteRtApiVersion.
struct Version {
  int major;
  int minor;
  int patch;
};

/// What the host memory of a tensor must be aligned to.
constexpr std::size_t kAlignment = 64;

/// A delegate of classic TFLite (TfLiteDelegate or TfLiteOpaqueDelegate, which are the same object).
struct Delegate;

using GetName = Code (*)(Accelerator*, const char** name);
using GetVersion = Code (*)(Accelerator*, Version*);
using GetHardware = Code (*)(Accelerator*, Hardware*);
using GetJit = Code (*)(Accelerator*, bool* compiles_itself);
using CreateDelegate = Code (*)(RuntimeContext*, Environment*, Accelerator*, Options*, DelegateWrapper**);
using DestroyDelegate = void (*)(RuntimeContext*, DelegateWrapper*);

/// LiteRtAcceleratorDef, as far as it is used.
struct AcceleratorDef {
  int version;
  GetName name;
  GetVersion accelerator_version;
  GetHardware hardware;
  GetJit jit;
  CreateDelegate create_delegate;
  DestroyDelegate destroy_delegate;
};
constexpr int kAcceleratorDefVersion = 1;
static_assert(offsetof(AcceleratorDef, destroy_delegate) == 48);

}  // namespace moru::runtime::litert

/// Every function that is used: our name, the library's, result, parameters.
// clang-format off: it takes the pointers for products.
#define MORU_LITERT_FUNCTIONS(X)                                                                                                           \
  X(create_environment, "LiteRtCreateEnvironment", Code, (int count, const EnvironmentOption* options, Environment** made))                \
  X(destroy_environment, "LiteRtDestroyEnvironment", void, (Environment*))                                                                 \
  X(create_model, "LiteRtCreateModelFromBuffer", Code, (const void* bytes, std::size_t size, LoadedModel** made))                          \
  X(destroy_model, "LiteRtDestroyModel", void, (LoadedModel*))                                                                             \
  X(create_options, "LiteRtCreateOptions", Code, (Options ** made))                                                                        \
  X(destroy_options, "LiteRtDestroyOptions", void, (Options*))                                                                             \
  X(set_hardware, "LiteRtSetOptionsHardwareAccelerators", Code, (Options*, Hardware set))                                                  \
  X(create_opaque_options, "LiteRtCreateOpaqueOptions", Code,                                                                              \
    (const char* identifier, void* payload, void (*destroy_payload)(void*), OpaqueOptions** made))                                         \
  X(add_opaque_options, "LiteRtAddOpaqueOptions", Code, (Options*, OpaqueOptions* taken))                                                  \
  X(create_compiled_model, "LiteRtCreateCompiledModel", Code, (Environment*, LoadedModel*, Options*, CompiledModel ** made))               \
  X(destroy_compiled_model, "LiteRtDestroyCompiledModel", void, (CompiledModel*))                                                          \
  X(run, "LiteRtRunCompiledModel", Code,                                                                                                   \
    (CompiledModel*, std::size_t signature, std::size_t input_count, TensorBuffer** inputs, std::size_t output_count,                      \
     TensorBuffer** outputs))                                                                                                              \
  X(output_layouts, "LiteRtGetCompiledModelOutputTensorLayouts", Code,                                                                     \
    (CompiledModel*, std::size_t signature, std::size_t count, Layout* layouts, bool allocate))                                            \
  X(resize_input, "LiteRtCompiledModelResizeInputTensor", Code,                                                                            \
    (CompiledModel*, std::size_t signature, std::size_t input, const int* extents, std::size_t rank))                                      \
  X(create_buffer, "LiteRtCreateTensorBufferFromHostMemory", Code,                                                                         \
    (const TensorType*, void* memory, std::size_t size, void (*deallocate)(void*), TensorBuffer** made))                                   \
  X(destroy_buffer, "LiteRtDestroyTensorBuffer", void, (TensorBuffer*))                                                                    \
  X(create_accelerator, "LiteRtCreateAccelerator", Code, (Accelerator ** made))                                                            \
  X(destroy_accelerator, "LiteRtDestroyAccelerator", Code, (Accelerator*))                                                                 \
  X(set_accelerator_name, "LiteRtSetAcceleratorGetName", Code, (Accelerator*, GetName))                                                    \
  X(set_accelerator_version, "LiteRtSetAcceleratorGetVersion", Code, (Accelerator*, GetVersion))                                           \
  X(set_accelerator_hardware, "LiteRtSetAcceleratorGetHardwareSupport", Code, (Accelerator*, GetHardware))                                 \
  X(set_accelerator_jit, "LiteRtSetIsAcceleratorDelegateResponsibleForJitCompilation", Code, (Accelerator*, GetJit))                       \
  X(set_delegate_functions, "LiteRtSetDelegateFunction", Code, (Accelerator*, CreateDelegate, DestroyDelegate))                            \
  X(register_accelerator, "LiteRtRegisterAccelerator", Code, (Environment*, Accelerator* taken, void* data, void (*release)(void*)))       \
  X(wrap_delegate, "LiteRtWrapDelegate", Code, (Delegate*, DelegateWrapper ** made))
// clang-format on

namespace moru::runtime::litert {

/// The library's functions.
struct Api {
#define MORU_LITERT_POINTER(name, symbol, result, parameters) result(*name) parameters = nullptr;
  MORU_LITERT_FUNCTIONS(MORU_LITERT_POINTER)
#undef MORU_LITERT_POINTER
  const AcceleratorDef* cpu = nullptr;  ///< XNNPACK, or the kernels that the options name
};

}  // namespace moru::runtime::litert
