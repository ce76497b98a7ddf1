// SPDX-License-Identifier: Apache-2.0
// ONNX's tests of single nodes on our own engine. They give weights, axes and shapes as inputs, where models have constants: here all
// inputs but the first are constants, so that what the engine has is tried as models have it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/test_cases.h"
#include "model/ops/op.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using model::Tensor;

const Path kFolder = "/usr/share/libonnx-testdata/data/node";
/// As many as there are today: more is better.
constexpr int kRight = 482;

/// Empty: right. An error of kUnsupported: not for this engine.
Result<std::string> check_case(const Path& folder) {
  MORU_ASSIGN_OR_RETURN(const model::Tolerance tolerance, model::tolerance_of(folder));
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::load_onnx(folder / "model.onnx"));
  MORU_ASSIGN_OR_RETURN(const auto paths, model::find_data_sets(folder));
  MORU_ASSIGN_OR_RETURN(const model::DataSet set, model::read_data_set(paths.front()));
  std::vector<Tensor> inputs;
  std::vector<model::ValueId> left;
  for (std::size_t i = 0; i < graph.inputs.size() && i < set.inputs.size(); ++i) {
    if (i == 0) {
      left.push_back(graph.inputs[i]);
      inputs.push_back(set.inputs[i]);
    } else {
      graph.set_initializer(graph.inputs[i], set.inputs[i]);
    }
  }
  graph.inputs = left;
  // Types that are no tensors are for others.
  const auto bytes = model::write_onnx(graph);
  if (!bytes) return fail(ErrorCode::kUnsupported, bytes.error().message);
  MORU_ASSIGN_OR_RETURN(const auto session, load_session("native", *bytes));
  MORU_ASSIGN_OR_RETURN(const auto found, session->run_once(inputs));
  return model::difference(found, set.outputs, tolerance);
}

TEST(NativeNodes, AreRightWithConstantParameters) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package libonnx-testdata is not installed";
  int right = 0;
  int unsupported = 0;
  const auto cases = model::find_test_cases(kFolder).value();
  for (const auto& one : cases) {
    const auto wrong = check_case(one.folder);
    if (!wrong) {
      ++unsupported;
      EXPECT_TRUE(wrong.error().code == ErrorCode::kUnsupported || wrong.error().code == ErrorCode::kInvalidArgument)
          << one.name << ": " << wrong.error().message;
    } else {
      EXPECT_EQ(*wrong, "") << one.name;
      right += wrong->empty() ? 1 : 0;
    }
  }
  fmt::print("{} of {} right, {} not for this engine\n", right, cases.size(), unsupported);
  EXPECT_GE(right, kRight);
}

}  // namespace
}  // namespace moru::runtime
