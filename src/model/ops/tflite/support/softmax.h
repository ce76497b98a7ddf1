// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

/// exp(beta * x) over its sum along the last axis. To the bit as TFLite for integers: 8-bit inputs by a table of float
/// exponentials summed in float, 16-bit ones by tables of 513 entries.
Status run_softmax(EvalContext& context, float beta);

/// A function of 16-bit integers by 513 values at equal distances, between which is interpolated. Both ranges are mapped to all
/// of the integers.
class Table16 {
 public:
  Table16(double (*f)(double), double input_low, double input_high, double output_low, double output_high);
  std::int16_t operator()(std::int16_t value) const;

 private:
  std::vector<std::int16_t> entries_;
};

}  // namespace moru::model::tflite_ops
