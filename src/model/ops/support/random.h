// SPDX-License-Identifier: Apache-2.0
// What the ops that draw random numbers share. ONNX leaves the generator open; ours repeats on every machine.
#pragma once

#include "core/random.h"
#include "model/ops/support/onnx_dtype.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {

inline constexpr std::string_view kRandomGap = "the expected numbers are of another generator, which ONNX does not prescribe";
inline constexpr AttributeSpec kSeed = {"seed", AttributeKind::kFloat, "of the random numbers; the node's place, so that runs repeat"};

/// Seeded by the attribute 'seed'; where that is left out, by the node's first output, so that nodes differ and runs repeat.
Result<Rng> make_rng(const Node& node);

/// Output 0 of the attributes' type and shape ("dtype", "shape"), which must be a float type.
Status infer_random(InferContext& context);
/// Output 0 of input 0's shape, of the attribute's type or else input 0's.
Status infer_random_like(InferContext& context);

/// Output 0 is drawn element by element: draw(Rng&) gives double.
template <class F>
Status fill_random(EvalContext& context, F draw) {
  MORU_ASSIGN_OR_RETURN(Rng rng, make_rng(context.node));
  return for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    for (T& value : context.outputs[0].mutable_data<T>()) value = narrow<T>(draw(rng));
    return {};
  });
}

/// Attributes mean and scale, or low and high.
Status fill_normal(EvalContext& context);
Status fill_uniform(EvalContext& context);

}  // namespace moru::model::ops
