// SPDX-License-Identifier: Apache-2.0
// Quantised ops on every backend of this machine beside our definition of them (docs/arithmetic.md): on the same inputs at most one
// step apart. Each case is a TFLite model of one op; a backend that reads ONNX gets it converted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "model/formats/tflite/tflite.h"
#include "model/ops/op.h"
#include "runtime/backends/backend.h"
#include "tests/support/tflite_cases.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;
using model::TfliteCase;

bool has_levels(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

bool is_quantised(const TfliteCase& one) {
  return std::ranges::all_of(one.graph.outputs, [&](model::ValueId id) {
    const model::ValueType& type = one.graph.value(id).type;
    return type.quantization && has_levels(*type.dtype);
  });
}

template <class T>
int steps_apart(const Tensor& a, const Tensor& b) {
  int most = 0;
  const auto x = a.data<T>();
  const auto y = b.data<T>();
  for (std::size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(static_cast<int>(x[i]) - static_cast<int>(y[i])));
  return most;
}

int steps_apart(const Tensor& a, const Tensor& b) {
  return a.dtype() == DType::kInt8 ? steps_apart<std::int8_t>(a, b) : steps_apart<std::uint8_t>(a, b);
}

std::vector<std::string> others() {
  std::vector<std::string> names;
  for (const BackendSpec* backend : all_backends()) {
    if (backend->name != "reference" && backend->info().available) names.emplace_back(backend->name);
  }
  return names;
}

/// Where a runtime is known to be further away.
struct Gap {
  std::string_view backend;
  std::string_view op;
  int steps;
  std::string_view reason;
};
constexpr Gap kGaps[] = {
    {"openvino", "RELU6:", 3, "a clip between two scales is rounded to steps of the first, coarser one"},
    {"openvino", "RELU_N1_TO_1:", 10, "a clip between two scales is rounded to steps of the first, coarser one"},
};

int most_steps(std::string_view backend, std::string_view name) {
  for (const Gap& gap : kGaps) {
    if (gap.backend == backend && name.starts_with(gap.op)) return gap.steps;
  }
  return 1;
}

class OpAgreement : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Each, OpAgreement, testing::ValuesIn(others()), [](const auto& backend) { return backend.param; });

TEST_P(OpAgreement, QuantisedOpsAreAtMostOneStepApart) {
  auto cases = model::tflite_cases(MORU_ORACLE_CASES);
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  std::erase_if(*cases, [](const TfliteCase& one) { return !is_quantised(one); });
  std::string refused;
  std::size_t compared = 0;
  int most = 0;
  for (const TfliteCase& one : *cases) {
    SCOPED_TRACE(one.name);
    const auto bytes = model::write_tflite(one.graph);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    const auto session = load_session(GetParam(), *bytes);
    const auto found = session ? (*session)->run_once(one.inputs) : Result<std::vector<Tensor>>(fail(session.error()));
    if (!found) {
      refused += one.name + ": " + found.error().message + "\n";
      continue;
    }
    const auto expected = model::evaluate(one.graph, one.inputs);
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    ASSERT_EQ(expected->size(), found->size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      ASSERT_EQ((*expected)[i].dtype(), (*found)[i].dtype());
      ASSERT_EQ((*expected)[i].dims(), (*found)[i].dims());
      const int steps = steps_apart((*expected)[i], (*found)[i]);
      EXPECT_LE(steps, most_steps(GetParam(), one.name));
      most = std::max(most, steps);
    }
    ++compared;
  }
  fmt::print("{}: {} of {} cases of quantised ops run, at most {} steps apart\n", GetParam(), compared, cases->size(), most);
  // Conversion has no counterpart for some ops of TFLite, and no runtime has all of them. Ours wants weights that are constants, which in
  // some cases are inputs.
  const std::size_t tenths = GetParam() == "native" ? 6 : 8;
  EXPECT_GE(compared * 10, cases->size() * tenths) << refused;
}

}  // namespace
}  // namespace moru::runtime
