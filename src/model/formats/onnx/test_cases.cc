// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/test_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <system_error>

#include "core/json.h"
#include "core/text.h"
#include "model/formats/onnx/onnx.h"

namespace moru::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModel = "model.onnx";
constexpr std::string_view kDataSet = "test_data_set";
constexpr std::string_view kSettings = "data.json";
/// Of a data.json, which holds a few words.
constexpr std::uint64_t kMaxSettingsBytes = 1U << 20U;
/// What a tensor's file may hold.
constexpr std::uint64_t kMaxTensorBytes = std::uint64_t{1} << 30U;

std::unexpected<Error> cannot_list(const Path& folder, const std::error_code& why) {
  const auto code = why == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo;
  return fail(code, fmt::format("list '{}': found {}, expected a folder", folder.string(), why.message()));
}

/// input_0.pb, input_1.pb, ... up to the first that is not there.
Result<std::vector<Tensor>> read_tensors(const Path& folder, std::string_view kind) {
  std::vector<Tensor> tensors;
  while (true) {
    const Path path = folder / fmt::format("{}_{}.pb", kind, tensors.size());
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return tensors;
    MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, kMaxTensorBytes));
    MORU_ASSIGN_OR_RETURN(Tensor tensor, read_onnx_tensor(bytes, path.string()));
    tensors.push_back(std::move(tensor));
  }
}

template <class T>
inline constexpr bool kIsComplex = false;
template <class T>
inline constexpr bool kIsComplex<std::complex<T>> = true;

/// A number as one of the two that distances are made of.
template <class T>
auto wide(const T& element) {
  if constexpr (kIsComplex<T>)
    return std::complex<double>(element);
  else
    return static_cast<double>(element);
}

bool both_nan(double a, double b) { return std::isnan(a) && std::isnan(b); }
bool both_nan(const std::complex<double>& a, const std::complex<double>& b) { return both_nan(std::abs(a), std::abs(b)); }
std::string number(double value) { return fmt::format("{}", value); }
std::string number(const std::complex<double>& value) { return fmt::format("{} + {}i", value.real(), value.imag()); }

template <class T>
std::string difference(std::span<const T> found, std::span<const T> expected, const Tolerance& tolerance) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto a = wide(found[i]);
    const auto b = wide(expected[i]);
    const double away = std::abs(a - b);
    const double allowed = tolerance.absolute + tolerance.relative * std::abs(b);
    // An infinity is near to nothing but itself.
    if (a == b || both_nan(a, b) || (std::isfinite(allowed) && away <= allowed)) continue;
    return fmt::format("element {}: found {}, expected {}, {:.3g} away", i, number(a), number(b), away);
  }
  return "";
}

/// Of types that have one right answer; names the first element where it has a C++ type.
std::string difference_of_bits(const Tensor& found, const Tensor& expected) {
  if (same_bits(found, expected)) return "";
  std::string text = "found other elements, expected the same bits";
  if (found.dtype() == DType::kString) {
    const auto a = found.strings();
    const auto b = expected.strings();
    const auto [at, other] = std::ranges::mismatch(a, b);
    if (at != a.end()) text = fmt::format("element {}: found {}, expected {}", at - a.begin(), in_quotes(*at), in_quotes(*other));
  } else if (bits_of(found.dtype()) == 4) {
    return difference_of_bits(unpack_4bit(found), unpack_4bit(expected));
  }
  visit_element_type(found.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      const auto [at, other] = std::ranges::mismatch(found.data<T>(), expected.data<T>());
      text = fmt::format("element {}: found {}, expected {}", at - found.data<T>().begin(), +*at, +*other);
    }
  });
  return text;
}

}  // namespace

Result<std::vector<TestCase>> find_test_cases(const Path& root) {
  std::vector<TestCase> cases;
  std::error_code error;
  const auto take = [&](const Path& folder) {
    std::error_code ignored;
    if (!fs::exists(folder / kModel, ignored)) return false;
    const Path name = folder == root ? fs::absolute(root, ignored).lexically_normal() : folder.lexically_relative(root);
    cases.push_back({folder == root ? (name.has_filename() ? name : name.parent_path()).filename().string() : name.string(), folder});
    return true;
  };
  if (!take(root)) {
    auto it = fs::recursive_directory_iterator(root, error);
    for (; !error && it != fs::end(it); it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored) && !it->is_symlink(ignored) && take(it->path())) it.disable_recursion_pending();
    }
  }
  if (error) return cannot_list(root, error);
  if (cases.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("test cases: found no folder with a {} in '{}', expected folders in the layout of ONNX's tests", kModel,
                            root.string()));
  }
  std::ranges::sort(cases, {}, &TestCase::name);
  return cases;
}

Result<std::vector<Path>> find_data_sets(const Path& folder) {
  std::vector<Path> sets;
  std::error_code error;
  auto it = fs::directory_iterator(folder, error);
  for (; !error && it != fs::end(it); it.increment(error)) {
    std::error_code ignored;
    if (it->path().filename().string().starts_with(kDataSet) && it->is_directory(ignored)) sets.push_back(it->path());
  }
  if (error) return cannot_list(folder, error);
  if (sets.empty()) {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: found no folder {}_0, expected at least one", folder.string(), kDataSet));
  }
  std::ranges::sort(sets);
  return sets;
}

Result<DataSet> read_data_set(const Path& folder) {
  DataSet set;
  MORU_ASSIGN_OR_RETURN(set.inputs, read_tensors(folder, "input"));
  MORU_ASSIGN_OR_RETURN(set.outputs, read_tensors(folder, "output"));
  return set;
}

Result<Tolerance> tolerance_of(const Path& folder, const Tolerance& fallback) {
  const Path path = folder / kSettings;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return fallback;
  MORU_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxSettingsBytes));
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(text, path.string()));
  Tolerance tolerance = fallback;
  for (const auto& [key, value] : {std::pair{"rtol", &tolerance.relative}, std::pair{"atol", &tolerance.absolute}}) {
    if (!json.is_object() || !json.contains(key)) continue;
    MORU_ASSIGN_OR_RETURN(*value, json_field<double>(json, key, path.string()));
    if (!(*value >= 0)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}: found {}, expected 0 or more", path.string(), key, *value));
    }
  }
  return tolerance;
}

std::string difference(const Tensor& found, const Tensor& expected, const Tolerance& tolerance) {
  if (found.dtype() != expected.dtype() || found.dims() != expected.dims()) {
    return fmt::format("found {} {}, expected {} {}", to_string(found.dtype()), to_string(found.dims()), to_string(expected.dtype()),
                       to_string(expected.dims()));
  }
  std::string text;
  bool inexact = false;
  visit_element_type(found.dtype(), [&]<class T>() {
    if constexpr (kIsFloat<T> || kIsComplex<T>) {
      constexpr double kTwoSteps = 0x1p-6;  // of bfloat16's 7 bits
      Tolerance ours = tolerance;
      if constexpr (std::is_same_v<T, BFloat16>) ours.relative = std::max(ours.relative, kTwoSteps);
      inexact = true;
      text = difference(found.data<T>(), expected.data<T>(), ours);
    }
  });
  return inexact ? text : difference_of_bits(found, expected);
}

std::string difference(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, const Tolerance& tolerance) {
  if (found.size() != expected.size()) return fmt::format("found {} outputs, expected {}", found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (auto text = difference(found[i], expected[i], tolerance); !text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

}  // namespace moru::model
