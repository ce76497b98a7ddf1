// SPDX-License-Identifier: Apache-2.0
// Compression of a float model under a recipe: fold batch norms, calibrate on real data, quantise to int8.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "forge/compress/calibrate.h"
#include "forge/compress/quantize.h"
#include "forge/data/dataset.h"
#include "model/graph/graph.h"
#include "model/passes/pass.h"

namespace moru::forge {

/// What compression may cost and must bring.
struct Budget {
  double max_drop_points = 1.0;  ///< top-1 may fall by so many percentage points
  double max_size_ratio = 0.30;  ///< the compressed file's size over the float file's
};

/// How to compress: a declared thing of kind Recipe (spec.type: compress) with defaults for everything.
struct CompressRecipe {
  std::string name = "int8";
  std::int64_t calibration_images = 512;
  RangeMethod range = RangeMethod::kMse;
  double percentile = 99.99;
  std::int64_t weight_bits = 7;
  Budget budget = {};
};

/// Fields left out keep the defaults above; ranges are checked. Errors name file and line.
Result<CompressRecipe> read_compress_recipe(const ConfigObject& document);
/// The recipe's settings on one line, the same for equal recipes.
std::string describe(const CompressRecipe& recipe);

struct Compressed {
  model::Graph folded;  ///< float, batch norms folded
  model::Graph graph;   ///< int8, QDQ
  Ranges ranges;
  std::vector<model::PassReport> passes;
};

/// Calibrates with the first images of the dataset's train part. `make_runner` runs the float model for that.
/// Errors: those of the passes, calibrate() and quantize(); kInvalidArgument when the model does not take one image.
Result<Compressed> compress(const model::Graph& graph, const Dataset& dataset, const CompressRecipe& recipe,
                            const RunnerFactory& make_runner);

}  // namespace moru::forge
