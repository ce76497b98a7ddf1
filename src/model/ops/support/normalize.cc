// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/normalize.h"

#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"

namespace moru::model::ops {

Moments moments_of(std::span<const double> x, double epsilon) {
  const auto count = static_cast<double>(x.size());
  double sum = 0;
  for (const double value : x) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (const double value : x) squares += (value - mean) * (value - mean);
  return {mean, 1.0 / std::sqrt(squares / count + epsilon)};
}

Status normalize_channels(EvalContext& context, const ChannelNormalization& how) {
  Tensor& out = context.outputs[0];
  if (out.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const Tensor x, to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor scale, to_float64(context.input(1)));
  MORU_ASSIGN_OR_RETURN(const Tensor bias, to_float64(context.input(2)));
  const auto size = static_cast<std::size_t>(x.count() / how.runs);
  const auto channels = static_cast<std::size_t>(how.channels);
  const std::size_t plane = static_cast<std::size_t>(x.count() / x.dims()[0]) / channels;
  return for_float_dtype(out.dtype(), [&]<class T>() -> Status {
    const auto y = out.mutable_data<T>();
    for (std::size_t begin = 0; begin < y.size(); begin += size) {
      const auto run = x.data<double>().subspan(begin, size);
      const Moments moments = moments_of(run, how.epsilon);
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t c = (begin + i) / plane % channels;
        y[begin + i] = rounded<T>((run[i] - moments.mean) * moments.inverse_deviation * scale.data<double>()[c] + bias.data<double>()[c]);
      }
    }
    return {};
  });
}

}  // namespace moru::model::ops
