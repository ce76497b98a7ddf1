// SPDX-License-Identifier: Apache-2.0
// Whether a kernel works on this machine: for instructions that the processor, the system and what lies between them must all allow.
#pragma once

#include "runtime/kernels/gemm_u8/gemm_u8.h"

namespace moru::kernels {

/// Some products of all forms by the kernel, beside the scalar one: the same bits. Allocates; a ms at most.
bool is_right(const GemmU8Kernel& kernel);

/// Runs `trial` in a child process: true when it ends there and says so. What it does to the process, it does to the child.
bool passes_in_child(bool (*trial)());

}  // namespace moru::kernels
