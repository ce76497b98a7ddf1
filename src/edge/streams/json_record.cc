// SPDX-License-Identifier: Apache-2.0
// A JSON object's fields, set as the parser meets them: no tree of the text is built.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "edge/streams/record.h"

namespace moru::edge {
namespace {

constexpr int kMaxDepth = 64;  // as parse_json has it

/// What nlohmann's parser tells, token by token; false from any of them ends it.
class FieldSetter {
 public:
  FieldSetter(const RecordOptions& options, Item& item) : options_(options), item_(item) {}
  std::string_view reason(bool parsed) const {
    if (!parsed || !is_object_) return "no JSON object";
    if (wrong_type_) return "wrong type";
    return options_.time.empty() || time_ ? "" : "no time";
  }
  std::optional<TimeNs> time() const { return time_; }

  bool key(std::string& name) {
    if (depth_ != 1) return true;
    field_ = nullptr;
    for (const FieldSpec& field : options_.fields) {
      if (field.name.text() == name) field_ = &field;
    }
    is_time_ = !options_.time.empty() && options_.time == name;
    return true;
  }
  bool null() { return at_top() ? is_object_ : no_time(); }  // the field is left out
  bool boolean(bool value) {
    if (wanted()) take(field_->type == FieldType::kInt64, [&] { item_.set(field_->name, value ? 1 : 0); });
    return no_time();
  }
  bool number_integer(std::int64_t value) {
    if (wanted()) set_integer(value);
    return set_time([&] { return fmt::format_int(value).str(); });
  }
  bool number_unsigned(std::uint64_t value) {
    if (wanted() && value > INT64_MAX && field_->type == FieldType::kDouble) {
      item_.set(field_->name, static_cast<double>(value));
    } else if (wanted()) {
      take(value <= INT64_MAX, [&] { set_integer(static_cast<std::int64_t>(value)); });
    }
    return set_time([&] { return fmt::format_int(value).str(); });
  }
  bool number_float(double value, const std::string& text) {
    if (wanted()) take(field_->type == FieldType::kDouble, [&] { item_.set(field_->name, value); });
    return set_time([&] { return std::string_view(text); });
  }
  bool string(std::string& text) {
    if (wanted()) take(field_->type == FieldType::kText, [&] { item_.set(field_->name, std::string_view(text)); });
    return set_time([&] { return std::string_view(text); });
  }
  bool binary(Json::binary_t&) { return false; }  // not in JSON
  bool start_object(std::size_t) { return begin(true); }
  bool end_object() { return end(); }
  bool start_array(std::size_t) { return begin(false); }
  bool end_array() { return end(); }
  template <class Exception>
  bool parse_error(std::size_t, const std::string&, const Exception&) {
    return false;
  }

 private:
  bool at_top() const { return depth_ == 0; }
  /// A value of a field, and not one deeper inside.
  bool wanted() const { return depth_ == 1 && field_ != nullptr; }
  template <class Set>
  void take(bool fits, Set set) {
    if (fits) {
      set();
    } else {
      wrong_type_ = true;
    }
  }
  void set_integer(std::int64_t value) {
    if (field_->type == FieldType::kDouble) {
      item_.set(field_->name, static_cast<double>(value));
    } else {
      take(field_->type == FieldType::kInt64, [&] { item_.set(field_->name, value); });
    }
  }
  template <class Text>
  bool set_time(Text text) {
    if (depth_ == 1 && is_time_) time_ = parse_time(text(), options_.time_unit);
    return !at_top();
  }
  bool no_time() {
    if (depth_ == 1 && is_time_) time_.reset();
    return !at_top();
  }
  bool begin(bool object) {
    if (at_top()) is_object_ = object;
    if (wanted()) wrong_type_ = true;
    no_time();
    return is_object_ && ++depth_ <= kMaxDepth;
  }
  bool end() {
    --depth_;
    return true;
  }

  const RecordOptions& options_;
  Item& item_;
  const FieldSpec* field_ = nullptr;  // whose value comes
  bool is_time_ = false;
  bool is_object_ = false;
  bool wrong_type_ = false;
  std::optional<TimeNs> time_;
  int depth_ = 0;
};

}  // namespace

std::string_view read_json_record(const RecordOptions& options, std::string_view text, Item& item) {
  FieldSetter setter(options, item);
  const bool parsed = Json::sax_parse(text.begin(), text.end(), &setter);
  const std::string_view reason = setter.reason(parsed);
  if (reason.empty() && setter.time()) item.event_time = *setter.time();
  return reason;
}

}  // namespace moru::edge
