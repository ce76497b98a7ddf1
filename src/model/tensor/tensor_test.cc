// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <thread>

namespace moru::model {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(DType, NameAndBack) {
  for (int i = 0; i <= static_cast<int>(kLastDType); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype);
    EXPECT_GT(bits_of(dtype), 0U);
  }
  EXPECT_EQ(dtype_from_string("float"), std::nullopt);
}

TEST(DType, ElementTypesHaveTheirSize) {
  for (int i = 0; i < static_cast<int>(DType::kInt4); ++i) {
    const auto dtype = static_cast<DType>(i);
    std::size_t size = 0;
    EXPECT_TRUE(visit_element_type(dtype, [&]<class T>() { size = sizeof(T); }));
    EXPECT_EQ(element_size(dtype).value(), size) << to_string(dtype);
    EXPECT_EQ(bytes_for(dtype, 3), 3 * size);
  }
}

TEST(DType, ElementsThatShareBytesHaveNoSize) {
  for (const DType dtype : {DType::kInt4, DType::kUInt4, DType::kString}) {
    EXPECT_EQ(element_size(dtype).error().code, ErrorCode::kUnsupported);
    EXPECT_FALSE(visit_element_type(dtype, []<class T>() {}));
  }
  EXPECT_EQ(bytes_for(DType::kInt4, 0), 0U);
  EXPECT_EQ(bytes_for(DType::kInt4, 3), 2U);
  EXPECT_EQ(bytes_for(DType::kString, 2), 24U);
}

TEST(ElementCount, MultipliesExtents) {
  EXPECT_EQ(element_count(Dims{2, 3, 4}, DType::kFloat32).value(), 24);
  EXPECT_EQ(element_count(Dims{}, DType::kFloat32).value(), 1);
  EXPECT_EQ(element_count(Dims{5, 0}, DType::kFloat32).value(), 0);
}

TEST(ElementCount, RefusesNegativeExtent) {
  const auto count = element_count(Dims{2, -1}, DType::kFloat32);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(count.error().message, HasSubstr("[2, -1]"));
}

TEST(ElementCount, RefusesWhatCouldOverflow) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  for (const Dims& dims : {Dims{kMax}, Dims{kMax, kMax}, Dims{1 << 20, 1 << 20}, Dims{0, kMax}, Dims{kMax, 0}}) {
    const auto count = element_count(dims, DType::kFloat32);
    ASSERT_FALSE(count.has_value()) << to_string(dims);
    EXPECT_EQ(count.error().code, ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(element_count(Dims{1 << 20, 1 << 20}, DType::kInt8).value(), std::int64_t{1} << 40);
}

TEST(Tensor, DefaultIsEmptyFloat) {
  const Tensor tensor;
  EXPECT_EQ(tensor.dtype(), DType::kFloat32);
  EXPECT_THAT(tensor.dims(), ElementsAre(0));
  EXPECT_TRUE(tensor.data<float>().empty());
}

TEST(Tensor, CreateIsZeroedAndAligned) {
  for (const std::int64_t count : {0, 1, 7, 1000, 100'000}) {
    const auto tensor = Tensor::create(DType::kInt16, {count});
    ASSERT_TRUE(tensor.has_value());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->bytes().data()) % 64, 0U);
    EXPECT_THAT(tensor->data<std::int16_t>(), Each(0));
    EXPECT_EQ(tensor->size_bytes(), static_cast<std::size_t>(count) * 2);
  }
}

TEST(Tensor, FromBytesNeedsAsManyBytesAsTheShape) {
  const std::array<std::byte, 7> bytes{};
  const auto tensor = Tensor::from_bytes(DType::kFloat32, {2}, bytes);
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(tensor.error().message, HasSubstr("found 7 bytes, expected 8"));
}

TEST(Tensor, FromBytesDoesNotAllocateForAFalseShape) {
  const auto tensor = Tensor::from_bytes(DType::kInt8, {std::int64_t{1} << 40}, {});
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
}

TEST(Tensor, FromBytesRefusesBoolsOtherThanZeroAndOne) {
  const std::array bytes{std::byte{1}, std::byte{2}};
  const auto tensor = Tensor::from_bytes(DType::kBool, {2}, bytes);
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
}

TEST(Tensor, FourBitElementsArePackedLowFirst) {
  const Tensor values = Tensor::of<std::int8_t>({3}, {-8, 7, -1});
  const auto packed = pack_4bit(values);
  ASSERT_TRUE(packed.has_value());
  EXPECT_EQ(packed->dtype(), DType::kInt4);
  EXPECT_THAT(packed->bytes(), ElementsAre(std::byte{0x78}, std::byte{0x0F}));
  EXPECT_TRUE(same_bits(unpack_4bit(*packed), values));
  const Tensor small = Tensor::of<std::uint8_t>({2, 1}, {15, 1});
  EXPECT_TRUE(same_bits(unpack_4bit(pack_4bit(small).value()), small));
  EXPECT_THAT(pack_4bit(Tensor::of<std::int8_t>({1}, {8})).error().message, HasSubstr("element 0: found 8, expected a value of int4"));
  EXPECT_FALSE(pack_4bit(Tensor::of<std::uint8_t>({1}, {16})).has_value());
}

TEST(Tensor, SpareBitsOfTheLastByteAreCleared) {
  const std::array bytes{std::byte{0xFF}};
  EXPECT_THAT(Tensor::from_bytes(DType::kUInt4, {1}, bytes).value().bytes(), ElementsAre(std::byte{0x0F}));
}

/// Memory of which `tensor` borrows 24 bytes from the second on, where no int32 is aligned.
struct Loan {
  std::shared_ptr<std::vector<std::byte>> memory = std::make_shared<std::vector<std::byte>>(64);
  Tensor tensor;
  Loan() {
    for (std::size_t i = 0; i < memory->size(); ++i) (*memory)[i] = static_cast<std::byte>(i);
    tensor = Tensor::borrow(DType::kInt32, {2, 3}, std::span<const std::byte>(*memory).subspan(1, 24), memory).value();
  }
};

TEST(Tensor, BorrowedBytesAreTheOwners) {
  Loan loan;
  EXPECT_EQ(loan.tensor.bytes().data(), loan.memory->data() + 1);
  EXPECT_EQ(loan.memory.use_count(), 2);
  const Tensor copy = loan.tensor.reshaped({6});
  EXPECT_EQ(copy.bytes().data(), loan.tensor.bytes().data());
  loan.tensor = Tensor();
  EXPECT_EQ(loan.memory.use_count(), 2) << "the copy keeps the owner";
}

TEST(Tensor, MisalignedBorrowedElementsAreCopiedOnce) {
  const Loan loan;
  const Tensor copy = loan.tensor;
  std::vector<const std::int32_t*> seen(4);
  std::vector<std::jthread> threads;
  for (auto& pointer : seen) threads.emplace_back([&] { pointer = copy.data<std::int32_t>().data(); });
  threads.clear();
  EXPECT_THAT(seen, Each(loan.tensor.data<std::int32_t>().data()));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(seen[0]) % 64, 0U);
  EXPECT_EQ(loan.tensor.data<std::int32_t>()[0], 0x04030201);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loan.tensor.view().bytes.data()) % 4, 0U);
  const Tensor aligned = Tensor::borrow(DType::kInt8, {4}, std::span<const std::byte>(*loan.memory).first(4), loan.memory).value();
  EXPECT_EQ(static_cast<const void*>(aligned.data<std::int8_t>().data()), loan.memory->data());
}

TEST(Tensor, WritingIntoBorrowedMemoryMakesACopy) {
  Loan loan;
  const Tensor other = loan.tensor;
  loan.tensor.mutable_data<std::int32_t>()[0] = 7;
  EXPECT_EQ(loan.tensor.data<std::int32_t>()[0], 7);
  EXPECT_EQ(other.data<std::int32_t>()[0], 0x04030201);
  EXPECT_EQ((*loan.memory)[1], std::byte{1});
  EXPECT_EQ(loan.tensor.data<std::int32_t>()[1], 0x08070605);
}

TEST(Tensor, BorrowChecksAsFromBytesDoes) {
  const Loan loan;
  const std::span<const std::byte> bytes(*loan.memory);
  EXPECT_EQ(Tensor::borrow(DType::kInt32, {2}, bytes.first(7), loan.memory).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tensor::borrow(DType::kBool, {4}, bytes.first(4), loan.memory).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tensor::borrow(DType::kString, {1}, bytes.first(16), loan.memory).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(Tensor::borrow(DType::kInt32, {0, 5}, {}, loan.memory).has_value());
  EXPECT_EQ(Tensor::borrow(DType::kUInt4, {1}, bytes.subspan(0x21, 1), loan.memory).value().bytes()[0], std::byte{1});
}

TEST(Tensor, HoldsStrings) {
  const std::vector<std::string> words = {"one", "", std::string("a\0b", 3)};
  const auto tensor = Tensor::of_strings({3}, words);
  ASSERT_TRUE(tensor.has_value());
  EXPECT_THAT(tensor->strings(), ElementsAre("one", "", std::string_view("a\0b", 3)));
  EXPECT_TRUE(same_bits(*tensor, tensor->clone()));
  EXPECT_THAT(Tensor::create(DType::kString, {2}).value().strings(), ElementsAre("", ""));
  EXPECT_FALSE(Tensor::of_strings({2}, words).has_value());
}

TEST(Tensor, RefusesBytesThatAreNoStrings) {
  const Tensor good = Tensor::of_strings({2}, std::vector<std::string>{"ab", "c"}).value();
  const std::vector<std::byte> bytes(good.bytes().begin(), good.bytes().end());
  EXPECT_TRUE(Tensor::from_bytes(DType::kString, {2}, bytes).has_value());
  EXPECT_FALSE(Tensor::from_bytes(DType::kString, {2}, std::span(bytes).first(20)).has_value());
  EXPECT_FALSE(Tensor::from_bytes(DType::kString, {2}, std::span(bytes).first(26)).has_value());
  for (const std::size_t at : {0U, 7U, 8U, 15U, 16U, 23U}) {
    auto bad = bytes;
    bad[at] = std::byte{0x7F};
    EXPECT_FALSE(Tensor::from_bytes(DType::kString, {2}, bad).has_value()) << at;
  }
}

TEST(Tensor, CopySharesAndCloneDoesNot) {
  Tensor a = Tensor::of<float>({2}, {1.0F, 2.0F});
  const Tensor shared = a;
  const Tensor own = a.clone();
  a.mutable_data<float>()[0] = 5.0F;
  EXPECT_THAT(shared.data<float>(), ElementsAre(5.0F, 2.0F));
  EXPECT_THAT(own.data<float>(), ElementsAre(1.0F, 2.0F));
}

TEST(Tensor, ReshapedSharesData) {
  const Tensor a = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = a.reshaped({3, 2});
  EXPECT_EQ(b.bytes().data(), a.bytes().data());
  EXPECT_THAT(b.dims(), ElementsAre(3, 2));
}

TEST(TensorDeathTest, WrongElementTypeEndsTheProcess) {
  const Tensor a = Tensor::scalar<float>(1);
  EXPECT_DEATH((void)a.data<std::int32_t>(), "DTypeOf");
}

TEST(SameBits, ComparesTypeShapeAndBytes) {
  const Tensor a = Tensor::of<std::int8_t>({2}, {1, 2});
  EXPECT_TRUE(same_bits(a, a.clone()));
  EXPECT_FALSE(same_bits(a, Tensor::of<std::int8_t>({2}, {1, 3})));
  EXPECT_FALSE(same_bits(a, Tensor::of<std::uint8_t>({2}, {1, 2})));
  EXPECT_FALSE(same_bits(a, a.reshaped({1, 2})));
}

}  // namespace
}  // namespace moru::model
