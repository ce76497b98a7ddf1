// SPDX-License-Identifier: Apache-2.0
// Test cases in ONNX's layout: a folder NAME with model.onnx, and folders test_data_set_N in it with input_I.pb and output_I.pb.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model {

struct TestCase {
  std::string name;  ///< path from the folder that was searched: "node/test_abs"
  Path folder;
};

/// Every folder at or below `root` that holds a model.onnx, in name order. Links to folders are not followed. Errors: kNotFound, kIo;
/// kInvalidArgument when there is none.
Result<std::vector<TestCase>> find_test_cases(const Path& root);

struct DataSet {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;  ///< the right answer
};

/// The folders of a case's data sets, in name order. Errors: kIo; kCorrupt when there is none.
Result<std::vector<Path>> find_data_sets(const Path& folder);
/// Reads untrusted files. Errors: those of read_onnx_tensor() and read_file().
Result<DataSet> read_data_set(const Path& folder);

/// A float may be off by absolute + relative * |expected|. The defaults are those of ONNX's own runner.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

/// What data.json of the case says (its rtol and atol), else `fallback`. Errors: kCorrupt, kInvalidArgument, kIo.
Result<Tolerance> tolerance_of(const Path& folder, const Tolerance& fallback = {});

/// Empty when `found` is right, else where it is wrong and how far. Types and shapes must be the same; floats and complex numbers are
/// compared with the tolerance (bfloat16 with two of its own steps at least, as ONNX's runner does), all else must be the same.
std::string difference(const Tensor& found, const Tensor& expected, const Tolerance& tolerance = {});
/// The same of all outputs of a run.
std::string difference(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, const Tolerance& tolerance = {});

}  // namespace moru::model
