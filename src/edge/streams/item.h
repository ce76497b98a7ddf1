// SPDX-License-Identifier: Apache-2.0
// What flows through a stream.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "edge/streams/receipt.h"
#include "model/tensor/tensor.h"

namespace moru::edge {

/// A field's name, kept once in the process, so that two are compared by their addresses. Names come from stream files and
/// from code, never from data: the table is never emptied. Threads: all functions from any thread.
class FieldName {
 public:
  FieldName(std::string_view text);  // NOLINT(google-explicit-constructor): a text is a name; costs a look into a table
  FieldName(const char* text) : FieldName(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  FieldName(const std::string& text) : FieldName(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  const std::string& text() const { return *text_; }
  /// A name with a dot in it ("tensor.mean") is a note from one stage to another; sinks leave it out.
  bool is_note() const { return text_->find('.') != std::string::npos; }
  bool operator==(const FieldName& other) const { return text_ == other.text_; }

 private:
  friend class Fields;
  FieldName() = default;  // of a field that is not there yet
  const std::string* text_ = nullptr;
};

enum class FieldType : std::uint8_t { kInt64, kDouble, kText, kTensor };
std::string_view to_string(FieldType type);

/// One named value. Texts of up to 16 bytes lie in it; longer ones and tensors belong to the Fields that hold it.
class Field {
 public:
  FieldName name() const { return name_; }
  FieldType type() const { return type_; }
  const std::int64_t* integer() const { return type_ == FieldType::kInt64 ? &value_.integer : nullptr; }
  const double* number() const { return type_ == FieldType::kDouble ? &value_.number : nullptr; }
  const model::Tensor* tensor() const { return type_ == FieldType::kTensor ? value_.tensor : nullptr; }
  std::optional<std::string_view> text() const {
    if (type_ != FieldType::kText) return std::nullopt;
    return std::string_view(size_ <= kInlineText ? value_.near.data() : value_.far, size_);
  }

 private:
  friend class Fields;
  static constexpr std::uint32_t kInlineText = 16;
  union Value {
    std::int64_t integer;
    double number;
    model::Tensor* tensor;  // owned
    char* far;              // owned
    std::array<char, kInlineText> near;
  };
  bool owns() const { return type_ == FieldType::kTensor || (type_ == FieldType::kText && size_ > kInlineText); }

  explicit Field(FieldName name) : name_(name), value_{.integer = 0} {}
  FieldName name_;
  Value value_;
  std::uint32_t size_ = 0;  // of a text
  FieldType type_ = FieldType::kInt64;
};
static_assert(std::is_trivially_copyable_v<Field> && sizeof(Field) == 32);

/// The fields of an item in the order in which they were set; up to six without memory of their own. Numbers and short texts
/// never allocate.
class Fields {
 public:
  Fields() = default;
  Fields(const Fields& other);
  Fields(Fields&& other) noexcept;
  Fields& operator=(const Fields& other);
  Fields& operator=(Fields&& other) noexcept;
  ~Fields() { clear(); }

  const Field* begin() const { return far_ != nullptr ? far_ : near(); }
  const Field* end() const { return begin() + size_; }
  std::size_t size() const { return size_; }
  const Field& operator[](std::size_t i) const { return begin()[i]; }

  void set(FieldName name, std::int64_t value);
  void set(FieldName name, double value);
  void set(FieldName name, std::string_view value);
  void set(FieldName name, model::Tensor value);
  void set(const Field& other) { set_as(other.name(), other); }
  /// The value of a field under another name.
  void set_as(FieldName name, const Field& other);
  /// Takes all of them out.
  void clear() {
    if (owning_ || far_ != nullptr) release();
    size_ = 0;
  }
  /// Keeps those of `names`, in that order.
  void keep(std::span<const FieldName> names);

 private:
  static constexpr std::uint32_t kInline = 6;
  const Field* near() const { return reinterpret_cast<const Field*>(near_.data()); }
  Field* data() { return far_ != nullptr ? far_ : reinterpret_cast<Field*>(near_.data()); }
  Field& place(FieldName name);
  void grow();
  void release();
  void copy_from(const Fields& other);
  void steal(Fields& other);
  static void free_value(Field& field);
  static void own_value(Field& field);

  Field* far_ = nullptr;  // more than kInline of them
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = kInline;
  bool owning_ = false;  // a long text or a tensor may be among them
  alignas(Field) std::array<std::byte, kInline * sizeof(Field)> near_;
};

/// One item: a sequence number from its source, the time it happened, and named fields (few: a flat list).
struct Item {
  std::uint64_t sequence = 0;  ///< from 1, per source
  TimeNs event_time = 0;       ///< wall clock, nanoseconds
  TimeNs emitted = 0;          ///< monotonic, when it was due at the source, or else emitted; latency counts from here
  Fields fields;
  Receipt receipt = {};  ///< of an acknowledging source: let go of when the item is stored, or has met another end

  const Field* find(std::string_view name) const {
    for (const Field& field : fields) {
      if (field.name().text() == name) return &field;
    }
    return nullptr;
  }
  const Field* find(FieldName name) const {
    for (const Field& field : fields) {
      if (field.name() == name) return &field;
    }
    return nullptr;
  }
  const Field* find(const char* name) const { return find(std::string_view(name)); }
  const Field* find(const std::string& name) const { return find(std::string_view(name)); }
  /// The field as T (std::int64_t, double, model::Tensor), or null when missing or of another type.
  template <class T>
  const T* get(std::string_view name) const {
    const Field* field = find(name);
    if (field == nullptr) return nullptr;
    if constexpr (std::is_same_v<T, std::int64_t>) return field->integer();
    if constexpr (std::is_same_v<T, double>) return field->number();
    if constexpr (std::is_same_v<T, model::Tensor>) return field->tensor();
  }
  std::optional<std::string_view> text(std::string_view name) const {
    const Field* field = find(name);
    return field == nullptr ? std::nullopt : field->text();
  }
  template <std::integral T>
  void set(FieldName name, T value) {
    fields.set(name, static_cast<std::int64_t>(value));
  }
  void set(FieldName name, double value) { fields.set(name, value); }
  void set(FieldName name, std::string_view value) { fields.set(name, value); }
  void set(FieldName name, const char* value) { fields.set(name, std::string_view(value)); }
  void set(FieldName name, const std::string& value) { fields.set(name, std::string_view(value)); }
  void set(FieldName name, model::Tensor value) { fields.set(name, std::move(value)); }
};

/// Finds a field of that name fast: it looks first where it stood in the item before. Threads: one at a time.
class FieldFinder {
 public:
  explicit FieldFinder(FieldName name) : name_(name) {}
  FieldName name() const { return name_; }
  const Field* in(const Item& item) const {
    if (at_ < item.fields.size() && item.fields[at_].name() == name_) return &item.fields[at_];
    for (std::size_t i = 0; i < item.fields.size(); ++i) {
      if (item.fields[i].name() != name_) continue;
      at_ = i;
      return &item.fields[i];
    }
    return nullptr;
  }

 private:
  FieldName name_;
  mutable std::size_t at_ = 0;
};

}  // namespace moru::edge
