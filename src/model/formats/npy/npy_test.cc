// SPDX-License-Identifier: Apache-2.0
#include "model/formats/npy/npy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"

namespace moru::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A file as NumPy writes it: magic, version, length, dictionary, data.
std::string npy(std::string_view dictionary, std::string_view data, int major = 1) {
  std::string out = "\x93NUMPY";
  out += {static_cast<char>(major), '\0'};
  const std::size_t size = dictionary.size();
  for (std::size_t i = 0; i < (major == 1 ? 2U : 4U); ++i) out.push_back(static_cast<char>(size >> (8 * i) & 0xFFU));
  return out.append(dictionary).append(data);
}

void expect_error(const Result<Tensor>& result, ErrorCode code, std::string_view part) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(part));
  EXPECT_THAT(result.error().message, HasSubstr("x.npy: "));
}

Result<Tensor> read(std::string_view bytes) { return read_npy(bytes, "x.npy"); }

TEST(Npy, WritesTheBytesThatNumPyWrites) {
  const auto bytes = write_npy(Tensor::of<std::int16_t>({2, 1}, {1, -2}));
  ASSERT_TRUE(bytes.has_value());
  // numpy.save of numpy.array([[1], [-2]], numpy.int16)
  std::string expected = npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1), }" + std::string(58, ' ') + "\n",
                             std::string_view("\x01\x00\xFE\xFF", 4));
  EXPECT_EQ(*bytes, expected);
  EXPECT_EQ(bytes->size(), 128U + 4U);
}

TEST(Npy, EveryTypeAndShapeComesBack) {
  Rng rng(7);
  for (const auto dtype :
       {DType::kFloat32, DType::kFloat64, DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16, DType::kInt32, DType::kUInt32,
        DType::kInt64, DType::kUInt64, DType::kBool, DType::kFloat16, DType::kComplex64, DType::kComplex128}) {
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{5}, Dims{2, 3, 4}, Dims{1, 0, 7}}) {
      auto tensor = Tensor::create(dtype, dims);
      ASSERT_TRUE(tensor.has_value());
      for (std::byte& byte : tensor->mutable_bytes()) byte = static_cast<std::byte>(rng.below(dtype == DType::kBool ? 2 : 256));
      const auto bytes = write_npy(*tensor);
      ASSERT_TRUE(bytes.has_value()) << to_string(dtype);
      const auto again = read(*bytes);
      ASSERT_TRUE(again.has_value()) << again.error().message;
      EXPECT_TRUE(same_bits(*tensor, *again)) << to_string(dtype) << to_string(dims);
      EXPECT_EQ((bytes->size() - tensor->size_bytes()) % 64, 0U);
    }
  }
}

TEST(Npy, ReadsAllVersions) {
  for (const int major : {1, 2, 3}) {
    const auto tensor = read(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", "abc", major));
    ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
    EXPECT_THAT(tensor->data<std::uint8_t>(), ElementsAre('a', 'b', 'c'));
  }
}

TEST(Npy, ReadsHeadersOfOtherWriters) {
  // Other order and quotes, no comma at the end, long integers of Python 2, a scalar.
  const auto shaped = read(npy(R"({"shape":(2L,1L),"fortran_order":False,"descr":"|i1"})", "ab"));
  ASSERT_TRUE(shaped.has_value()) << shaped.error().message;
  EXPECT_EQ(shaped->dims(), (Dims{2, 1}));
  const auto scalar = read(npy("{'descr': '=f4', 'fortran_order': False, 'shape': ()}", std::string(4, '\0')));
  ASSERT_TRUE(scalar.has_value()) << scalar.error().message;
  EXPECT_EQ(scalar->dims(), Dims{});
}

TEST(Npy, TurnsBigEndianAround) {
  const auto tensor =
      read(npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", std::string_view("\0\0\1\2\xFF\xFF\xFF\xFE", 8)));
  ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
  EXPECT_THAT(tensor->data<std::int32_t>(), ElementsAre(0x0102, -2));
}

TEST(Npy, TurnsThePartsOfBigEndianComplexNumbersAround) {
  const auto tensor = read(npy("{'descr': '>c8', 'fortran_order': False, 'shape': (), }", std::string_view("\x3F\x80\0\0\xC0\0\0\0", 8)));
  ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
  EXPECT_EQ(tensor->data<std::complex<float>>()[0], (std::complex<float>(1, -2)));
}

TEST(Npy, RefusesToWriteTypesThatNumPyDoesNotHave) {
  const auto tensor = Tensor::create(DType::kBFloat16, {2});
  ASSERT_TRUE(tensor.has_value());
  EXPECT_EQ(write_npy(*tensor).error().code, ErrorCode::kUnsupported);
}

TEST(Npy, TurnsFortranOrderAround) {
  // [[0, 1, 2], [3, 4, 5]] with columns first.
  const auto matrix = read(npy("{'descr': '<u1', 'fortran_order': True, 'shape': (2, 3), }", std::string_view("\0\3\1\4\2\5", 6)));
  ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
  EXPECT_THAT(matrix->data<std::uint8_t>(), ElementsAre(0, 1, 2, 3, 4, 5));
  const auto cube =
      read(npy("{'descr': '>u2', 'fortran_order': True, 'shape': (2, 2, 2), }", std::string_view("\0\0\0\4\0\2\0\6\0\1\0\5\0\3\0\7", 16)));
  ASSERT_TRUE(cube.has_value()) << cube.error().message;
  EXPECT_THAT(cube->data<std::uint16_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  const auto empty = read(npy("{'descr': '>u2', 'fortran_order': True, 'shape': (2, 0, 2), }", ""));
  ASSERT_TRUE(empty.has_value()) << empty.error().message;
}

TEST(Npy, RefusesAFileCutShortAnywhere) {
  const auto whole = write_npy(Tensor::of<float>({2}, {1, 2}));
  ASSERT_TRUE(whole.has_value());
  for (std::size_t size = 0; size < whole->size(); ++size) expect_error(read(whole->substr(0, size)), ErrorCode::kCorrupt, "expected");
  expect_error(read(whole->substr(0, 130)), ErrorCode::kCorrupt,
               "found 2 bytes of data, expected 8 for float32 [2]; the file is cut short");
  expect_error(read(*whole + "x"), ErrorCode::kCorrupt, "found 9 bytes of data, expected 8");
}

TEST(Npy, RefusesWhatIsNoTensor) {
  const auto typed = [](std::string_view descr) {
    return read(npy(fmt::format("{{'descr': {}, 'fortran_order': False, 'shape': (1,), }}", descr), "12345678"));
  };
  expect_error(typed("'|O'"), ErrorCode::kUnsupported, "found elements of type '|O'");
  expect_error(typed("'<U2'"), ErrorCode::kUnsupported, "found elements of type '<U2'");
  expect_error(typed("'<M8[ns]'"), ErrorCode::kUnsupported, "found elements of type");
  expect_error(typed("''"), ErrorCode::kUnsupported, "found elements of type ''");
  expect_error(typed("[('x', '<f4'), ('y', '<f4')]"), ErrorCode::kUnsupported, "found records of several fields");
}

TEST(Npy, RefusesBadHeaders) {
  for (const std::string_view dictionary :
       {"", "{", "{}", "{'descr'", "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1}", "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'other': '<f4', 'fortran_order': False, 'shape': (1,)}"}) {
    expect_error(read(npy(dictionary, "1234")), ErrorCode::kCorrupt, "header: found");
  }
  std::string deep = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 65; ++i) deep += "1,";
  expect_error(read(npy(deep + ")}", "1234")), ErrorCode::kCorrupt, "more than 64 extents");
  expect_error(read(npy("{}", "", 4)), ErrorCode::kUnsupported, "found format version 4.0");
  expect_error(read("PK and more of it"), ErrorCode::kCorrupt, "NUMPY");
  expect_error(read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", "\2")), ErrorCode::kCorrupt, "expected 0 or 1");
}

TEST(Npy, HugeShapesCostNothing) {
  const auto shaped = [](std::string_view shape) {
    return read(npy(fmt::format("{{'descr': '<f8', 'fortran_order': True, 'shape': {}}}", shape), "12345678"));
  };
  expect_error(shaped("(1000000000,)"), ErrorCode::kCorrupt, "found 8 bytes of data, expected 8000000000");
  expect_error(shaped("(9223372036854775807, 9223372036854775807)"), ErrorCode::kResourceExhausted, "expected");
}

TEST(Npz, NamesAndTensorsComeBack) {
  const auto folder = TempFolder::create("npz-test");
  ASSERT_TRUE(folder.has_value());
  const std::vector<NamedTensor> tensors = {
      {"image", Tensor::of<float>({1, 2}, {0.5F, -1})}, {"label/0", Tensor::scalar<std::int64_t>(7)}, {"\xED\x95\x9C", Tensor()}};
  for (const bool compress : {false, true}) {
    const Path path = folder->path() / "x.npz";
    ASSERT_TRUE(save_npz(tensors, path, compress).has_value());
    const auto again = load_npz(path);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    ASSERT_EQ(again->size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ((*again)[i].name, tensors[i].name);
      EXPECT_TRUE(same_bits((*again)[i].tensor, tensors[i].tensor));
    }
    EXPECT_EQ(load_npz(path, {.max_bytes = 100}).error().code, ErrorCode::kResourceExhausted);
  }
}

TEST(Npz, RefusesNamesThatAreNone) {
  EXPECT_EQ(write_npz(std::vector<NamedTensor>{{"", Tensor()}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(write_npz(std::vector<NamedTensor>{{"x", Tensor()}, {"x", Tensor()}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(write_npz(std::vector<NamedTensor>{{"../x", Tensor()}}).error().code, ErrorCode::kInvalidArgument);
}

TEST(Npz, MutationsGiveAnErrorOrTheWhole) {
  const std::vector<NamedTensor> tensors = {{"x", Tensor::of<float>({3}, {1, 2, 3})}, {"y", Tensor::of<std::int8_t>({2, 2}, {1, 2, 3, 4})}};
  Rng rng(11);
  for (const bool compress : {false, true}) {
    const auto whole = write_npz(tensors, compress);
    ASSERT_TRUE(whole.has_value());
    for (int i = 0; i < 5000; ++i) {
      std::string bytes = *whole;
      for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
      if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size()));
      const auto result = read_npz(bytes, "x.npz", {.max_bytes = (1U << 20U)});
      if (!result) {
        EXPECT_NE(result.error().code, ErrorCode::kInternal) << result.error().message;
      }
    }
  }
}

}  // namespace
}  // namespace moru::model
