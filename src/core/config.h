// SPDX-License-Identifier: Apache-2.0
// Declared things: YAML in, plain structs out, with errors that give file, line, what was found and what was expected.
//
//   Result<LineOptions> read_line(const ConfigObject& object) {
//     LineOptions options;
//     ConfigReader reader(object);
//     reader.required("name", &options.name);
//     reader.optional("rate_hz", &options.rate_hz, {.min = 0.001, .max = 1e6});
//     MORU_RETURN_IF_ERROR(reader.finish());   // first mistake; unknown field -> the nearest known one
//     return options;
//   }
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace moru {

namespace detail {
struct ConfigNode;
}

/// One YAML value with its place in the file. Cheap to copy; keeps the document alive. Threads: read-only, shared freely.
class ConfigObject {
 public:
  /// Parses untrusted text; `name` is the file's name for messages. One document; at most 1 MiB; depth at most 32.
  static Result<ConfigObject> parse(std::string_view text, std::string name);
  static Result<ConfigObject> load(const Path& path);

  bool is_map() const;
  bool is_list() const;
  bool is_scalar() const;
  /// Elements of a list; empty for anything else.
  std::vector<ConfigObject> items() const;
  /// Keys of a map in the order of the file; empty for anything else.
  std::vector<std::string> keys() const;
  /// A field of a map.
  std::optional<ConfigObject> find(std::string_view key) const;
  /// The text of a scalar.
  std::string scalar() const;
  /// "line.yaml:12"
  std::string where() const;
  /// "found a list", for messages.
  std::string found() const;

  Result<std::string> as_string() const;
  Result<std::int64_t> as_integer() const;
  Result<double> as_number() const;
  Result<bool> as_bool() const;

 private:
  explicit ConfigObject(std::shared_ptr<const detail::ConfigNode> node) : node_(std::move(node)) {}
  std::shared_ptr<const detail::ConfigNode> node_;
};

struct NumberRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// Fills a struct from a map, remembers the first mistake and which fields exist.
class ConfigReader {
 public:
  explicit ConfigReader(ConfigObject object);

  void required(std::string_view key, std::string* out);
  void required(std::string_view key, std::int64_t* out, NumberRange range = {});
  void required(std::string_view key, double* out, NumberRange range = {});
  void required(std::string_view key, bool* out);
  void required(std::string_view key, std::vector<std::string>* out);
  void required(std::string_view key, std::optional<ConfigObject>* out);

  void optional(std::string_view key, std::string* out);
  void optional(std::string_view key, std::int64_t* out, NumberRange range = {});
  void optional(std::string_view key, double* out, NumberRange range = {});
  void optional(std::string_view key, bool* out);
  void optional(std::string_view key, std::vector<std::string>* out);
  void optional(std::string_view key, std::optional<ConfigObject>* out);

  /// One of a few words.
  void choice(std::string_view key, std::string* out, std::vector<std::string> words, bool must = false);

  /// The first wrong value; else an unknown field with the nearest known one; else the first missing field.
  Status finish();

 private:
  std::optional<ConfigObject> take(std::string_view key, bool must);
  void note(Error error);
  template <class T>
  void keep(const Result<T>& value, T* out);
  template <class T>
  void number(std::string_view key, T* out, NumberRange range, bool must);

  ConfigObject object_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
  std::optional<Error> missing_;  ///< told last: a misspelt field explains it better
};

/// The common head of every declared thing: apiVersion moru.dev/v1, kind, metadata.name, spec.
struct Declared {
  std::string kind;
  std::string name;
  ConfigObject spec;
};
/// Errors name the line; `kind` is the one that was expected.
Result<Declared> read_declared(const ConfigObject& document, std::string_view kind);

}  // namespace moru
