// SPDX-License-Identifier: Apache-2.0
#include "core/config.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "core/text.h"

namespace moru {

namespace detail {
/// A copy of the YAML tree: yaml-cpp's nodes change when they are read, so they cannot be shared between threads.
struct ConfigNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;
  std::string scalar;
  std::vector<std::shared_ptr<const ConfigNode>> items;
  std::vector<std::pair<std::string, std::shared_ptr<const ConfigNode>>> fields;
  std::string where;
};
}  // namespace detail

namespace {

using detail::ConfigNode;

constexpr std::size_t kMaxBytes = 1U << 20U;
constexpr int kMaxDepth = 32;
// Aliases could otherwise multiply a small file without end.
constexpr std::size_t kMaxNodes = 100'000;
constexpr std::size_t kMaxText = 8 * kMaxBytes;

/// Where the documents of a text begin. YAML::LoadAll() would tell, but never comes to an end where a document has no end (one that begins
/// with a comma), and takes memory all the while.
class Beginnings final : public YAML::EventHandler {
 public:
  std::vector<int> lines;

  void OnDocumentStart(const YAML::Mark& mark) override { lines.push_back(mark.line + 1); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// The first document alone, or what is wrong.
Result<YAML::Node> only_document(const std::string& text, const std::string& name) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Beginnings beginnings;
  if (!parser.HandleNextDocument(beginnings)) return YAML::Node();
  if (parser.HandleNextDocument(beginnings)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}: found a second document, expected one a file", name, beginnings.lines.back()));
  }
  return YAML::Load(text);
}

struct Copier {
  std::string name;
  std::size_t nodes = 0;
  std::size_t text = 0;

  Result<std::shared_ptr<const ConfigNode>> copy(const YAML::Node& from, int depth) {
    auto node = std::make_shared<ConfigNode>();
    node->where = fmt::format("{}:{}", name, from.Mark().line + 1);
    if (depth > kMaxDepth || ++nodes > kMaxNodes) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: found more than {} levels or {} values, expected fewer", node->where, kMaxDepth, kMaxNodes));
    }
    if (from.IsScalar()) {
      node->kind = ConfigNode::Kind::kScalar;
      node->scalar = from.Scalar();
      MORU_RETURN_IF_ERROR(count(node->scalar, node->where));
      node->quoted = from.Tag() == "!";
    } else if (from.IsSequence()) {
      node->kind = ConfigNode::Kind::kList;
      for (const auto& item : from) {
        MORU_ASSIGN_OR_RETURN(auto child, copy(item, depth + 1));
        node->items.push_back(std::move(child));
      }
    } else if (from.IsMap()) {
      node->kind = ConfigNode::Kind::kMap;
      MORU_RETURN_IF_ERROR(copy_fields(from, depth, *node));
    }
    return std::shared_ptr<const ConfigNode>(std::move(node));
  }

  Status count(const std::string& one, const std::string& where) {
    text += one.size();
    if (text <= kMaxText) return {};
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: found aliases that make more than {} bytes of a file, expected fewer", where, kMaxText));
  }

  Status copy_fields(const YAML::Node& from, int depth, ConfigNode& node) {
    std::set<std::string> seen;
    for (const auto& field : from) {
      const auto where = fmt::format("{}:{}", name, field.first.Mark().line + 1);
      if (!field.first.IsScalar())
        return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a field name that is no word, expected a word", where));
      const std::string& key = field.first.Scalar();
      MORU_RETURN_IF_ERROR(count(key, where));
      if (!seen.insert(key).second)
        return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}' twice, expected it once", where, key));
      MORU_ASSIGN_OR_RETURN(auto child, copy(field.second, depth + 1));
      node.fields.emplace_back(key, std::move(child));
    }
    return {};
  }
};

Error expected(const ConfigObject& object, std::string_view what) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected {}", object.where(), object.found(), what)};
}

/// The whole text as a decimal number, whatever the locale; no "inf", no "nan", no hexadecimal.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

/// "rate_hz between 0.001 and 1000", "rate_hz of at least 1".
std::string range_text(std::string_view key, NumberRange range) {
  if (!std::isfinite(range.max)) return fmt::format("{} of at least {}", key, range.min);
  if (!std::isfinite(range.min)) return fmt::format("{} of at most {}", key, range.max);
  return fmt::format("{} between {} and {}", key, range.min, range.max);
}

}  // namespace

Result<ConfigObject> ConfigObject::parse(std::string_view text, std::string name) {
  if (text.size() > kMaxBytes)
    return fail(ErrorCode::kResourceExhausted, fmt::format("{}: found {} bytes, expected at most {}", name, text.size(), kMaxBytes));
  try {
    MORU_ASSIGN_OR_RETURN(const YAML::Node document, only_document(std::string(text), name));
    MORU_ASSIGN_OR_RETURN(auto node, Copier{.name = name}.copy(document, 0));
    return ConfigObject(std::move(node));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}: found {}, expected YAML", name, error.mark.line + 1, error.msg));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found text that the YAML reader refuses ({}), expected YAML", name, error.what()));
  }
}

Result<ConfigObject> ConfigObject::load(const Path& path) {
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(path, kMaxBytes + 1));
  return parse(text, path.string());
}

bool ConfigObject::is_map() const { return node_->kind == ConfigNode::Kind::kMap; }
bool ConfigObject::is_list() const { return node_->kind == ConfigNode::Kind::kList; }
bool ConfigObject::is_scalar() const { return node_->kind == ConfigNode::Kind::kScalar; }

std::vector<ConfigObject> ConfigObject::items() const {
  std::vector<ConfigObject> result;
  for (const auto& item : node_->items) result.push_back(ConfigObject(item));
  return result;
}

std::vector<std::string> ConfigObject::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, value] : node_->fields) result.push_back(key);
  return result;
}

std::optional<ConfigObject> ConfigObject::find(std::string_view key) const {
  for (const auto& [name, value] : node_->fields) {
    if (name == key) return ConfigObject(value);
  }
  return std::nullopt;
}

std::string ConfigObject::scalar() const { return node_->scalar; }
std::string ConfigObject::where() const { return node_->where; }

std::string ConfigObject::found() const {
  switch (node_->kind) {
    case ConfigNode::Kind::kNull: return "found nothing";
    case ConfigNode::Kind::kScalar: return fmt::format("found '{}'", node_->scalar);
    case ConfigNode::Kind::kList: return "found a list";
    case ConfigNode::Kind::kMap: return "found a map";
  }
  return "found something unknown";
}

Result<std::string> ConfigObject::as_string() const {
  if (!is_scalar()) return fail(expected(*this, "a text"));
  return node_->scalar;
}

Result<std::int64_t> ConfigObject::as_integer() const {
  const auto value = is_scalar() && !node_->quoted ? parse_number<std::int64_t>(node_->scalar) : std::nullopt;
  if (!value) return fail(expected(*this, "a whole number"));
  return *value;
}

Result<double> ConfigObject::as_number() const {
  const auto value = is_scalar() && !node_->quoted ? parse_number<double>(node_->scalar) : std::nullopt;
  if (!value) return fail(expected(*this, "a number"));
  return *value;
}

Result<bool> ConfigObject::as_bool() const {
  if (is_scalar() && !node_->quoted && node_->scalar == "true") return true;
  if (is_scalar() && !node_->quoted && node_->scalar == "false") return false;
  return fail(expected(*this, "true or false"));
}

ConfigReader::ConfigReader(ConfigObject object) : object_(std::move(object)) {
  if (!object_.is_map()) note(expected(object_, "a map of fields"));
}

void ConfigReader::note(Error error) {
  if (!error_) error_ = std::move(error);
}

std::optional<ConfigObject> ConfigReader::take(std::string_view key, bool must) {
  known_.emplace_back(key);
  auto found = object_.find(key);
  if (!found && must && !missing_) {
    missing_ = Error{ErrorCode::kInvalidArgument, fmt::format("{}: found no field '{}', expected it", object_.where(), key)};
  }
  return found;
}

template <class T>
void ConfigReader::keep(const Result<T>& value, T* out) {
  if (value) {
    *out = *value;
  } else {
    note(value.error());
  }
}

template <class T>
void ConfigReader::number(std::string_view key, T* out, NumberRange range, bool must) {
  const auto found = take(key, must);
  if (!found) return;
  Result<T> value = [&]() -> Result<T> {
    if constexpr (std::is_same_v<T, double>) {
      return found->as_number();
    } else {
      return found->as_integer();
    }
  }();
  if (value && (static_cast<double>(*value) < range.min || static_cast<double>(*value) > range.max)) {
    value = fail(expected(*found, range_text(key, range)));
  }
  keep(value, out);
}

namespace {
Result<std::vector<std::string>> string_list(const ConfigObject& object) {
  if (!object.is_list()) return fail(expected(object, "a list of texts"));
  std::vector<std::string> values;
  for (const auto& item : object.items()) {
    MORU_ASSIGN_OR_RETURN(auto value, item.as_string());
    values.push_back(std::move(value));
  }
  return values;
}
}  // namespace

void ConfigReader::required(std::string_view key, std::string* out) {
  if (const auto found = take(key, true)) keep(found->as_string(), out);
}
void ConfigReader::required(std::string_view key, bool* out) {
  if (const auto found = take(key, true)) keep(found->as_bool(), out);
}
void ConfigReader::required(std::string_view key, std::vector<std::string>* out) {
  if (const auto found = take(key, true)) keep(string_list(*found), out);
}
void ConfigReader::required(std::string_view key, std::optional<ConfigObject>* out) {
  if (auto found = take(key, true)) *out = std::move(found);
}
void ConfigReader::required(std::string_view key, std::int64_t* out, NumberRange range) { number(key, out, range, true); }
void ConfigReader::required(std::string_view key, double* out, NumberRange range) { number(key, out, range, true); }

void ConfigReader::optional(std::string_view key, std::string* out) {
  if (const auto found = take(key, false)) keep(found->as_string(), out);
}
void ConfigReader::optional(std::string_view key, bool* out) {
  if (const auto found = take(key, false)) keep(found->as_bool(), out);
}
void ConfigReader::optional(std::string_view key, std::vector<std::string>* out) {
  if (const auto found = take(key, false)) keep(string_list(*found), out);
}
void ConfigReader::optional(std::string_view key, std::optional<ConfigObject>* out) {
  if (auto found = take(key, false)) *out = std::move(found);
}
void ConfigReader::optional(std::string_view key, std::int64_t* out, NumberRange range) { number(key, out, range, false); }
void ConfigReader::optional(std::string_view key, double* out, NumberRange range) { number(key, out, range, false); }

void ConfigReader::choice(std::string_view key, std::string* out, std::vector<std::string> words, bool must) {
  const auto found = take(key, must);
  if (!found) return;
  auto value = found->as_string();
  if (value && std::find(words.begin(), words.end(), *value) == words.end()) {
    value = fail(expected(*found, fmt::format("one of {}{}", fmt::join(words, ", "), did_you_mean(*value, words))));
  }
  keep(value, out);
}

Status ConfigReader::finish() {
  if (error_) return fail(*error_);
  for (const auto& key : object_.keys()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found unknown field '{}'{}, expected one of {}", object_.find(key)->where(),
                                                         key, did_you_mean(key, known_), fmt::join(known_, ", ")));
  }
  if (missing_) return fail(*missing_);
  return {};
}

Result<Declared> read_declared(const ConfigObject& document, std::string_view kind) {
  std::string api_version;
  std::string found_kind;
  std::optional<ConfigObject> metadata;
  std::optional<ConfigObject> spec;
  std::optional<ConfigObject> status;
  ConfigReader reader(document);
  reader.choice("apiVersion", &api_version, {"moru.dev/v1"}, true);
  reader.choice("kind", &found_kind, {std::string(kind)}, true);
  reader.required("metadata", &metadata);
  reader.required("spec", &spec);
  reader.optional("status", &status);
  MORU_RETURN_IF_ERROR(reader.finish());
  std::string name;
  std::optional<ConfigObject> labels;
  ConfigReader meta_reader(*metadata);
  meta_reader.required("name", &name);
  meta_reader.optional("labels", &labels);
  MORU_RETURN_IF_ERROR(meta_reader.finish());
  return Declared{found_kind, name, *spec};
}

}  // namespace moru
