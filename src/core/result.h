// SPDX-License-Identifier: Apache-2.0
// Errors are values. Every function that can fail for a reason outside the program returns Result<T>;
// nothing in Moru throws. Message grammar: "<where>: <what was found>, <what was expected>[; <what to do>]".
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace moru {

/// Why something failed. The comment says whose fault it is and whether a retry can help.
enum class ErrorCode {
  kInvalidArgument,    ///< The caller or the user gave something wrong. A retry does not help.
  kNotFound,           ///< A file, node or name that was asked for does not exist.
  kUnsupported,        ///< Correct input that this build cannot handle.
  kCorrupt,            ///< Data from outside is damaged or was tampered with.
  kIo,                 ///< The operating system refused a read or write (disk full, permission).
  kResourceExhausted,  ///< A stated limit (memory, queue, size) was reached.
  kUnavailable,        ///< Something needed is missing or does not answer. A retry may help.
  kDeadlineExceeded,   ///< It took longer than allowed. A retry may help.
  kCancelled,          ///< Somebody asked to stop.
  kInternal,           ///< A bug in Moru; fuzzers treat it as a crash.
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  /// The same error with "where: " put in front of its message.
  [[nodiscard]] Error in(std::string_view where) const;
};

/// std::expected that may not be dropped.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

using Status = Result<void>;

/// Makes the failure that a function returns: `return fail(ErrorCode::kCorrupt, "...");`
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace moru

#define MORU_CONCAT_INNER(a, b) a##b
#define MORU_CONCAT(a, b) MORU_CONCAT_INNER(a, b)

/// Returns the error of `expr` (a Status or Result) to the caller, if it has one.
#define MORU_RETURN_IF_ERROR(expr)                         \
  do {                                                     \
    if (auto moru_status = (expr); !moru_status) {         \
      return ::moru::fail(std::move(moru_status).error()); \
    }                                                      \
  } while (false)

/// The same, with "where: " in front of the message.
#define MORU_RETURN_IF_ERROR_IN(where, expr)              \
  do {                                                    \
    if (auto moru_status = (expr); !moru_status) {        \
      return ::moru::fail(moru_status.error().in(where)); \
    }                                                     \
  } while (false)

#define MORU_ASSIGN_OR_RETURN_IMPL(result, decl, expr)         \
  auto result = (expr);                                        \
  if (!result) return ::moru::fail(std::move(result).error()); \
  decl = std::move(*result)

/// `MORU_ASSIGN_OR_RETURN(auto bytes, read_file(path));`
#define MORU_ASSIGN_OR_RETURN(decl, expr) MORU_ASSIGN_OR_RETURN_IMPL(MORU_CONCAT(moru_result_, __LINE__), decl, expr)

#define MORU_ASSIGN_OR_RETURN_IN_IMPL(result, where, decl, expr) \
  auto result = (expr);                                          \
  if (!result) return ::moru::fail(result.error().in(where));    \
  decl = std::move(*result)

/// The same, with "where: " in front of the message.
#define MORU_ASSIGN_OR_RETURN_IN(where, decl, expr) MORU_ASSIGN_OR_RETURN_IN_IMPL(MORU_CONCAT(moru_result_, __LINE__), where, decl, expr)
