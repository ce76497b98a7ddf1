// SPDX-License-Identifier: Apache-2.0
// The edge of the library: what comes from the caller is checked, what fails becomes a code and a message, and nothing is thrown across.
#include <moru/c.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "api/session.h"
#include "core/files.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that moru/c.h gives it
struct moru_session {
  moru::api::BoundSession bound;
};

namespace moru::api {
namespace {

static_assert(std::string_view(MORU_VERSION) == MORU_PROJECT_VERSION, "include/moru/c.h and CMakeLists.txt must agree");
static_assert(sizeof(moru_error) == 1024, "it lies in callers' memory: its size is part of the interface");

// In the order of ErrorCode, after MORU_OK.
constexpr std::array<const char*, 11> kCodeNames = {"ok",      "invalid argument",   "not found",   "unsupported",       "corrupt",
                                                    "io",      "resource exhausted", "unavailable", "deadline exceeded", "cancelled",
                                                    "internal"};
constexpr moru_code code_of(ErrorCode code) { return static_cast<moru_code>(code) + 1; }
static_assert(code_of(ErrorCode::kInvalidArgument) == MORU_INVALID_ARGUMENT && code_of(ErrorCode::kNotFound) == MORU_NOT_FOUND &&
              code_of(ErrorCode::kUnsupported) == MORU_UNSUPPORTED && code_of(ErrorCode::kCorrupt) == MORU_CORRUPT &&
              code_of(ErrorCode::kIo) == MORU_IO && code_of(ErrorCode::kResourceExhausted) == MORU_RESOURCE_EXHAUSTED &&
              code_of(ErrorCode::kUnavailable) == MORU_UNAVAILABLE && code_of(ErrorCode::kDeadlineExceeded) == MORU_DEADLINE_EXCEEDED &&
              code_of(ErrorCode::kCancelled) == MORU_CANCELLED && code_of(ErrorCode::kInternal) == MORU_INTERNAL);

/// Fills the caller's error, if there is one. Allocates nothing.
moru_code report(moru_error* error, moru_code code, std::string_view message) {
  if (error == nullptr) return code;
  std::size_t size = std::min(message.size(), sizeof(error->message) - 1);
  // Not within a character of UTF-8.
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0U) == 0x80U) --size;
  error->code = code;
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
  return code;
}

/// The result of `work` as a code. Only running out of memory throws in Moru; whatever it is, it ends here.
template <class Work>
moru_code guarded(moru_error* error, Work work) noexcept {
  try {
    const Status done = work();
    return done ? report(error, MORU_OK, "") : report(error, code_of(done.error().code), done.error().message);
  } catch (const std::bad_alloc&) {
    return report(error, MORU_RESOURCE_EXHAUSTED, "memory: found none left, expected some; free memory, or take a smaller model");
  } catch (const std::exception& caught) {
    return report(error, MORU_INTERNAL, caught.what());
  }
}

Status check_given(bool given, std::string_view function, std::string_view what) {
  if (given) return {};
  return fail(ErrorCode::kInvalidArgument, std::string(function) + ": found a null pointer, expected " + std::string(what));
}

/// The caller may have been built with an older header, whose options are shorter, or a newer one, whose additional options must be unset.
Result<moru_options> known_options(const moru_options* given) {
  moru_options known = MORU_OPTIONS;
  if (given == nullptr) return known;
  constexpr std::size_t kMost = 1024;  // more than options will ever have: memory that was never set
  const std::size_t size = given->struct_size;
  if (size < sizeof(known) || size > kMost) {
    return fail(ErrorCode::kInvalidArgument, "options: found struct_size " + std::to_string(size) + ", expected that of MORU_OPTIONS");
  }
  std::memcpy(&known, given, sizeof(known));
  for (std::size_t i = sizeof(known); i < size; ++i) {
    if (reinterpret_cast<const char*>(given)[i] != 0) {
      return fail(ErrorCode::kUnsupported,
                  "options: found some of a newer version, expected those of " MORU_VERSION "; update the library");
    }
  }
  return known;
}

Result<moru_session*> load(std::string_view model, const moru_options* given) {
  MORU_ASSIGN_OR_RETURN(const moru_options known, known_options(given));
  runtime::SessionOptions options;
  if (known.threads != 0) options.threads = known.threads;
  if (known.device != nullptr) options.device = known.device;
  if (known.setting_count > 0) MORU_RETURN_IF_ERROR(check_given(known.settings != nullptr, "options", "settings"));
  for (const moru_setting& setting : std::span(known.settings, known.setting_count)) {
    MORU_RETURN_IF_ERROR(check_given(setting.name != nullptr, "options", "a setting's name"));
    MORU_RETURN_IF_ERROR(check_given(setting.value != nullptr, "options", "a setting's value"));
    options.settings[setting.name] = setting.value;
  }
  MORU_ASSIGN_OR_RETURN(auto session, runtime::load_session(known.backend != nullptr ? known.backend : "native", model, options));
  MORU_ASSIGN_OR_RETURN(BoundSession bound, BoundSession::create(std::move(session)));
  return std::make_unique<moru_session>(std::move(bound)).release();  // the caller's from here on
}

const moru_port* port_at(std::span<const BoundPort> ports, std::size_t index) {
  return index < ports.size() ? &ports[index].port : nullptr;
}

}  // namespace
}  // namespace moru::api

using moru::Status;
namespace api = moru::api;

const char* moru_version(void) { return MORU_VERSION; }

const char* moru_code_name(moru_code code) {
  return code >= 0 && static_cast<std::size_t>(code) < api::kCodeNames.size() ? api::kCodeNames[static_cast<std::size_t>(code)] : "unknown";
}

const char* moru_dtype_name(moru_dtype dtype) {
  const char* const name = api::name_of(dtype);
  return name == nullptr ? "unknown" : name;
}

moru_code moru_load_file(const char* path, const moru_options* options, moru_session** session, moru_error* error) {
  return api::guarded(error, [&]() -> Status {
    MORU_RETURN_IF_ERROR(api::check_given(session != nullptr, "moru_load_file", "a place for the session"));
    *session = nullptr;
    MORU_RETURN_IF_ERROR(api::check_given(path != nullptr, "moru_load_file", "a path"));
    MORU_ASSIGN_OR_RETURN(const std::string model, moru::read_file(path));
    MORU_ASSIGN_OR_RETURN(*session, api::load(model, options));
    return {};
  });
}

moru_code moru_load_bytes(const void* bytes, size_t size_bytes, const moru_options* options, moru_session** session, moru_error* error) {
  return api::guarded(error, [&]() -> Status {
    MORU_RETURN_IF_ERROR(api::check_given(session != nullptr, "moru_load_bytes", "a place for the session"));
    *session = nullptr;
    MORU_RETURN_IF_ERROR(api::check_given(bytes != nullptr, "moru_load_bytes", "a model"));
    MORU_ASSIGN_OR_RETURN(*session, api::load({static_cast<const char*>(bytes), size_bytes}, options));
    return {};
  });
}

moru_code moru_clone(const moru_session* session, moru_session** copy, moru_error* error) {
  return api::guarded(error, [&]() -> Status {
    MORU_RETURN_IF_ERROR(api::check_given(copy != nullptr, "moru_clone", "a place for the session"));
    *copy = nullptr;
    MORU_RETURN_IF_ERROR(api::check_given(session != nullptr, "moru_clone", "a session"));
    MORU_ASSIGN_OR_RETURN(api::BoundSession bound, session->bound.clone());
    *copy = std::make_unique<moru_session>(std::move(bound)).release();
    return {};
  });
}

void moru_free(moru_session* session) { const std::unique_ptr<moru_session> owned(session); }

size_t moru_input_count(const moru_session* session) { return session == nullptr ? 0 : session->bound.inputs().size(); }
size_t moru_output_count(const moru_session* session) { return session == nullptr ? 0 : session->bound.outputs().size(); }

const moru_port* moru_input(const moru_session* session, size_t index) {
  return session == nullptr ? nullptr : api::port_at(session->bound.inputs(), index);
}

const moru_port* moru_output(const moru_session* session, size_t index) {
  return session == nullptr ? nullptr : api::port_at(session->bound.outputs(), index);
}

moru_code moru_bind(moru_session* session, const moru_shape* inputs, size_t input_count, moru_error* error) {
  return api::guarded(error, [&]() -> Status {
    MORU_RETURN_IF_ERROR(api::check_given(session != nullptr, "moru_bind", "a session"));
    if (input_count > 0) MORU_RETURN_IF_ERROR(api::check_given(inputs != nullptr, "moru_bind", "shapes"));
    MORU_RETURN_IF_ERROR_IN("bind", session->bound.bind(std::span(inputs, input_count)));
    return {};
  });
}

const moru_memory* moru_memory_need(const moru_session* session) { return session == nullptr ? nullptr : session->bound.memory(); }

moru_code moru_run(moru_session* session, const moru_const_buffer* inputs, size_t input_count, const moru_buffer* outputs,
                   size_t output_count, moru_error* error) {
  return api::guarded(error, [&]() -> Status {
    MORU_RETURN_IF_ERROR(api::check_given(session != nullptr, "moru_run", "a session"));
    if (input_count > 0) MORU_RETURN_IF_ERROR(api::check_given(inputs != nullptr, "moru_run", "inputs"));
    if (output_count > 0) MORU_RETURN_IF_ERROR(api::check_given(outputs != nullptr, "moru_run", "outputs"));
    return session->bound.run({inputs, input_count}, {outputs, output_count});
  });
}
