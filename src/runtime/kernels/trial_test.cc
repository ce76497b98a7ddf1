// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/trial.h"

#include <gtest/gtest.h>

#include <csignal>

#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

TEST(Trial, EveryKernelOfThisMachineIsRight) {
  for (const Isa isa : machine_isas()) EXPECT_TRUE(is_right(*kernels_for(isa).gemm_u8)) << to_string(isa);
}

TEST(Trial, AKernelWithOneWrongLevelIsFound) {
  GemmU8Kernel wrong = *kernels_for(Isa::kScalar).gemm_u8;
  wrong.run = [](const GemmU8& call) {
    kernels_for(Isa::kScalar).gemm_u8->run(call);
    if (call.k == 300) call.c[call.m * call.n - 1] ^= 1U;
  };
  EXPECT_FALSE(is_right(wrong));
}

TEST(Trial, WhatEndsTheChildFails) {
  EXPECT_TRUE(passes_in_child([] { return true; }));
  EXPECT_FALSE(passes_in_child([] { return false; }));
  EXPECT_FALSE(passes_in_child([] { return ::raise(SIGILL) == 0; }));
  EXPECT_FALSE(passes_in_child([] { return ::raise(SIGSEGV) == 0; }));
}

}  // namespace
}  // namespace moru::kernels
