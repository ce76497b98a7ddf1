// SPDX-License-Identifier: Apache-2.0
// Functions of one float and of two, over dense rows. One body (body.h), compiled for each ISA. The output may be an input.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

/// y = f(x), with up to two numbers of the function's own.
using UnaryMap = void (*)(const float* x, float* y, std::size_t count, float p, float q);
/// y = clamp(f(a, b), low, high); an operand whose step is 0 is one number for all.
struct BinaryMapCall {
  const float* a = nullptr;
  const float* b = nullptr;
  std::size_t a_step = 1;  ///< 0 or 1
  std::size_t b_step = 1;
  float* y = nullptr;
  std::size_t count = 0;
  float low = 0;   ///< -inf for none
  float high = 0;  ///< inf for none
};
using BinaryMap = void (*)(const BinaryMapCall& call);

/// Those with an exponential in them are right to some 2e-7 of their value, or of 1 where that is more.
struct MapKernel {
  Isa isa;
  UnaryMap abs;
  UnaryMap ceil;
  UnaryMap elu;  ///< x < 0 ? p * (exp(x) - 1) : x
  UnaryMap erf;
  UnaryMap exp;
  UnaryMap floor;
  UnaryMap gelu;          ///< x * (1 + erf(x / sqrt(2))) / 2
  UnaryMap hard_sigmoid;  ///< clamp(p * x + q, 0, 1)
  UnaryMap hard_swish;    ///< x * clamp(x / 6 + 1 / 2, 0, 1)
  UnaryMap leaky_relu;    ///< x < 0 ? p * x : x
  UnaryMap neg;
  UnaryMap reciprocal;
  UnaryMap sigmoid;
  UnaryMap sign;
  UnaryMap sqrt;
  UnaryMap tanh;
  BinaryMap add;
  BinaryMap sub;
  BinaryMap mul;
  BinaryMap div;
  BinaryMap max;
  BinaryMap min;
  BinaryMap prelu;  ///< a < 0 ? a * b : a
};

std::span<const MapKernel* const> all_map();

}  // namespace moru::kernels
