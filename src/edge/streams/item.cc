// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_set>

namespace moru::edge {

FieldName::FieldName(std::string_view text) {
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard asks for it by this name
    std::size_t operator()(std::string_view value) const { return std::hash<std::string_view>{}(value); }
  };
  struct Table {
    std::mutex mutex;
    std::unordered_set<std::string, Hash, std::equal_to<>> names;  // its elements never move
  };
  static Table* const table = new Table;  // never destroyed: threads may outlive main's statics
  const std::lock_guard lock(table->mutex);
  auto found = table->names.find(text);
  if (found == table->names.end()) found = table->names.emplace(text).first;
  text_ = &*found;
}

std::string_view to_string(FieldType type) {
  switch (type) {
    case FieldType::kInt64: return "int64";
    case FieldType::kDouble: return "double";
    case FieldType::kText: return "text";
    case FieldType::kTensor: return "tensor";
  }
  return "unknown";
}

Fields::Fields(const Fields& other) { copy_from(other); }
Fields::Fields(Fields&& other) noexcept { steal(other); }
Fields& Fields::operator=(const Fields& other) {
  if (this == &other) return *this;
  clear();
  copy_from(other);
  return *this;
}
Fields& Fields::operator=(Fields&& other) noexcept {
  if (this == &other) return *this;
  clear();
  steal(other);
  return *this;
}

void Fields::copy_from(const Fields& other) {
  while (capacity_ < other.size_) grow();
  std::memcpy(static_cast<void*>(data()), other.begin(), other.size_ * sizeof(Field));
  size_ = other.size_;
  owning_ = other.owning_;
  if (!owning_) return;
  for (std::uint32_t i = 0; i < size_; ++i) own_value(data()[i]);
}

void Fields::steal(Fields& other) {
  far_ = std::exchange(other.far_, nullptr);
  capacity_ = std::exchange(other.capacity_, kInline);
  size_ = std::exchange(other.size_, 0U);
  owning_ = std::exchange(other.owning_, false);
  if (far_ == nullptr) std::memcpy(near_.data(), other.near_.data(), size_ * sizeof(Field));
}

void Fields::own_value(Field& field) {
  if (field.type_ == FieldType::kTensor) {
    field.value_.tensor = std::make_unique<model::Tensor>(*field.value_.tensor).release();  // shares the data
  } else if (field.owns()) {
    auto copy = std::make_unique_for_overwrite<char[]>(field.size_);  // NOLINT(modernize-avoid-c-arrays)
    std::memcpy(copy.get(), field.value_.far, field.size_);
    field.value_.far = copy.release();
  }
}

void Fields::free_value(Field& field) {
  if (!field.owns()) return;
  if (field.type_ == FieldType::kTensor) {
    const std::unique_ptr<model::Tensor> freed(field.value_.tensor);
  } else {
    const std::unique_ptr<char[]> freed(field.value_.far);  // NOLINT(modernize-avoid-c-arrays)
  }
}

void Fields::release() {
  for (std::uint32_t i = 0; owning_ && i < size_; ++i) free_value(data()[i]);
  owning_ = false;
  std::allocator<Field>().deallocate(far_, far_ == nullptr ? 0 : capacity_);
  far_ = nullptr;
  capacity_ = kInline;
}

void Fields::grow() {
  Field* const more = std::allocator<Field>().allocate(std::size_t{capacity_} * 2);
  std::memcpy(static_cast<void*>(more), begin(), size_ * sizeof(Field));
  if (far_ != nullptr) std::allocator<Field>().deallocate(far_, capacity_);
  far_ = more;
  capacity_ *= 2;
}

/// The field of that name without its old value, or a new one at the end.
Field& Fields::place(FieldName name) {
  for (Field* field = data(); field != data() + size_; ++field) {
    if (field->name_ != name) continue;
    free_value(*field);
    field->size_ = 0;
    field->type_ = FieldType::kInt64;
    return *field;
  }
  if (size_ == capacity_) grow();
  return *std::construct_at(data() + size_++, Field(name));
}

void Fields::set(FieldName name, std::int64_t value) {
  Field& field = place(name);
  field.type_ = FieldType::kInt64;
  field.value_.integer = value;
}

void Fields::set(FieldName name, double value) {
  Field& field = place(name);
  field.type_ = FieldType::kDouble;
  field.value_.number = value;
}

void Fields::set(FieldName name, std::string_view value) {
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(value.size(), UINT32_MAX));
  // Copied before the old value goes: it may be a part of it.
  Field::Value copy{.near = {}};
  if (size <= Field::kInlineText) {
    if (size > 0) std::memcpy(copy.near.data(), value.data(), size);  // there may be no text at all
  } else {
    auto far = std::make_unique_for_overwrite<char[]>(size);  // NOLINT(modernize-avoid-c-arrays)
    std::memcpy(far.get(), value.data(), size);
    copy.far = far.release();
    owning_ = true;
  }
  Field& field = place(name);
  field.type_ = FieldType::kText;
  field.size_ = size;
  field.value_ = copy;
}

void Fields::set(FieldName name, model::Tensor value) {
  auto tensor = std::make_unique<model::Tensor>(std::move(value));
  Field& field = place(name);
  field.type_ = FieldType::kTensor;
  field.value_.tensor = tensor.release();
  owning_ = true;
}

void Fields::set_as(FieldName name, const Field& other) {
  Field copy = other;
  own_value(copy);
  copy.name_ = name;
  owning_ = owning_ || copy.owns();
  place(name) = copy;
}

void Fields::keep(std::span<const FieldName> names) {
  Fields kept;
  for (const FieldName name : names) {
    for (Field* field = data(); field != data() + size_; ++field) {
      if (field->name_ != name) continue;
      while (kept.size_ == kept.capacity_) kept.grow();
      std::memcpy(static_cast<void*>(kept.data() + kept.size_++), field, sizeof(Field));
      kept.owning_ = owning_;
      field->type_ = FieldType::kInt64;  // what it owned has moved
    }
  }
  *this = std::move(kept);
}

}  // namespace moru::edge
