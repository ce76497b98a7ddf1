// SPDX-License-Identifier: Apache-2.0
// Running models from C++23. Only a coat around moru/c.h, so that programs and library may come from different compilers; what that header
// says of errors, ownership, threads and cost holds here. Nothing throws but std::bad_alloc.
#pragma once

#include <moru/c.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace moru {
// A namespace of its own for the symbols, so that a program may hold another version, too.
inline namespace v0 {

/// The codes of moru/c.h, but MORU_OK.
enum class ErrorCode : moru_code {
  kInvalidArgument = MORU_INVALID_ARGUMENT,
  kNotFound = MORU_NOT_FOUND,
  kUnsupported = MORU_UNSUPPORTED,
  kCorrupt = MORU_CORRUPT,
  kIo = MORU_IO,
  kResourceExhausted = MORU_RESOURCE_EXHAUSTED,
  kUnavailable = MORU_UNAVAILABLE,
  kDeadlineExceeded = MORU_DEADLINE_EXCEEDED,
  kCancelled = MORU_CANCELLED,
  kInternal = MORU_INTERNAL,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

/// The element type of the C++ type of an element. Others (float16, int4) are given as bytes: Input{MORU_FLOAT16, bytes}.
template <class T>
concept Element = (std::integral<T> && sizeof(T) <= 8) || std::same_as<T, float> || std::same_as<T, double>;
template <Element T>
constexpr moru_dtype dtype_of() {
  if constexpr (std::same_as<T, float>) return MORU_FLOAT32;
  if constexpr (std::same_as<T, double>) return MORU_FLOAT64;
  if constexpr (std::same_as<T, bool>) return MORU_BOOL;
  constexpr bool kSigned = std::is_signed_v<T>;
  if constexpr (sizeof(T) == 1) return kSigned ? MORU_INT8 : MORU_UINT8;
  if constexpr (sizeof(T) == 2) return kSigned ? MORU_INT16 : MORU_UINT16;
  if constexpr (sizeof(T) == 4) return kSigned ? MORU_INT32 : MORU_UINT32;
  return kSigned ? MORU_INT64 : MORU_UINT64;
}

/// A range whose elements lie in memory one after the other: a vector, an array, a span.
template <class R>
concept Elements = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> && Element<std::ranges::range_value_t<R>>;

/// Memory that a run reads, borrowed for the call.
struct Input : moru_const_buffer {
  template <Elements R>
  Input(const R& range)  // NOLINT(google-explicit-constructor): so that run({x}, {y}) takes vectors
      : moru_const_buffer{std::ranges::data(range), std::ranges::size(range) * sizeof(std::ranges::range_value_t<R>),
                          dtype_of<std::ranges::range_value_t<R>>()} {}
  Input(moru_dtype type, std::span<const std::byte> bytes) : moru_const_buffer{bytes.data(), bytes.size(), type} {}
};

/// Memory that a run writes, borrowed for the call.
struct Output : moru_buffer {
  template <Elements R>
    requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
  Output(R&& range)  // NOLINT: as Input; an rvalue may be a span
      : moru_buffer{std::ranges::data(range), std::ranges::size(range) * sizeof(std::ranges::range_value_t<R>),
                    dtype_of<std::ranges::range_value_t<R>>()} {}
  Output(moru_dtype type, std::span<std::byte> bytes) : moru_buffer{bytes.data(), bytes.size(), type} {}
};
static_assert(sizeof(Input) == sizeof(moru_const_buffer) && sizeof(Output) == sizeof(moru_buffer));

/// See moru_port; borrowed from the session until bind() or its end.
struct Port {
  std::string_view name;
  moru_dtype dtype;
  std::span<const std::int64_t> dims;        ///< -1 for an open extent
  std::span<const char* const> dim_names;    ///< of open extents
  std::span<const std::int64_t> bound_dims;  ///< of the next run
  std::size_t size_bytes;                    ///< of the memory that the next run needs here
};

struct Options {
  std::string backend = "native";  ///< "openvino", "onnxruntime:cuda"
  std::string device = {};         ///< empty: the backend's default
  int threads = 1;
  std::vector<std::pair<std::string, std::string>> settings = {};  ///< of the backend's own
};

class Session {
 public:
  /// An ONNX or TFLite file; see moru_load_file().
  static Result<Session> load_file(const std::string& path, const Options& options = {}) {
    return load(options, [&](const moru_options* o, moru_session** s, moru_error* e) { return moru_load_file(path.c_str(), o, s, e); });
  }
  static Result<Session> load_bytes(std::span<const std::byte> bytes, const Options& options = {}) {
    return load(options, [&](const moru_options* o, moru_session** s, moru_error* e) {
      return moru_load_bytes(bytes.data(), bytes.size(), o, s, e);
    });
  }

  /// Another of the same model, for another thread, that shares the weights; see moru_clone().
  Result<Session> clone() const {
    moru_session* copy = nullptr;
    const auto made = status([&](moru_error* e) { return moru_clone(handle_.get(), &copy, e); });
    if (!made) return std::unexpected(made.error());
    return Session(copy);
  }

  std::vector<Port> inputs() const { return ports(moru_input_count(handle_.get()), moru_input); }
  std::vector<Port> outputs() const { return ports(moru_output_count(handle_.get()), moru_output); }

  /// Null where a backend cannot tell; see moru_memory_need().
  const moru_memory* memory_need() const { return moru_memory_need(handle_.get()); }

  /// Shapes of the inputs, one each, for the runs that follow; see moru_bind().
  Result<void> bind(std::span<const std::vector<std::int64_t>> inputs) {
    std::vector<moru_shape> shapes;
    for (const auto& dims : inputs) shapes.push_back({dims.data(), dims.size()});
    return status([&](moru_error* e) { return moru_bind(handle_.get(), shapes.data(), shapes.size(), e); });
  }
  Result<void> bind(std::initializer_list<std::vector<std::int64_t>> inputs) { return bind(std::span(inputs.begin(), inputs.size())); }

  /// One inference, from and into the caller's memory; see moru_run().
  Result<void> run(std::span<const Input> inputs, std::span<const Output> outputs) {
    return status([&](moru_error* e) { return moru_run(handle_.get(), inputs.data(), inputs.size(), outputs.data(), outputs.size(), e); });
  }
  Result<void> run(std::initializer_list<Input> inputs, std::initializer_list<Output> outputs) {
    return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
  }

  /// For calls of moru/c.h; the session stays the owner.
  moru_session* handle() const { return handle_.get(); }

 private:
  explicit Session(moru_session* handle) : handle_(handle) {}

  template <class Call>
  static Result<void> status(Call call) {
    moru_error error;
    if (call(&error) == MORU_OK) return {};
    return std::unexpected(Error{static_cast<ErrorCode>(error.code), error.message});
  }

  template <class Call>
  static Result<Session> load(const Options& options, Call call) {
    std::vector<moru_setting> settings;
    for (const auto& [name, value] : options.settings) settings.push_back({name.c_str(), value.c_str()});
    const moru_options given{sizeof(given),   options.backend.c_str(), options.device.c_str(),
                             options.threads, settings.data(),         settings.size()};
    moru_session* handle = nullptr;
    const auto loaded = status([&](moru_error* e) { return call(&given, &handle, e); });
    if (!loaded) return std::unexpected(loaded.error());
    return Session(handle);
  }

  std::vector<Port> ports(std::size_t count, const moru_port* (*port_at)(const moru_session*, std::size_t)) const {
    std::vector<Port> all;
    for (std::size_t i = 0; i < count; ++i) {
      const moru_port& p = *port_at(handle_.get(), i);
      all.push_back({p.name, p.dtype, {p.dims, p.rank}, {p.dim_names, p.rank}, {p.bound_dims, p.rank}, p.size_bytes});
    }
    return all;
  }

  struct Free {
    void operator()(moru_session* handle) const { moru_free(handle); }
  };
  std::unique_ptr<moru_session, Free> handle_;
};

}  // namespace v0
}  // namespace moru
