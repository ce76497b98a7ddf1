// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/isa.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <utility>

#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

class MoruIsa {
 public:
  explicit MoruIsa(const char* name) { setenv("MORU_ISA", name, 1); }
  ~MoruIsa() { unsetenv("MORU_ISA"); }
  MoruIsa(const MoruIsa&) = delete;
  MoruIsa& operator=(const MoruIsa&) = delete;
};

TEST(Isa, TheBestOfTheMachineUnlessTheEnvironmentSaysLess) {
  EXPECT_EQ(chosen_isa().value(), machine_isas().back());
  const MoruIsa scalar("scalar");
  EXPECT_EQ(chosen_isa().value(), Isa::kScalar);
}

TEST(Isa, AnUnknownNameIsAnErrorThatListsTheKnown) {
  const MoruIsa typo("avx3");
  const auto isa = chosen_isa();
  ASSERT_FALSE(isa.has_value());
  EXPECT_EQ(isa.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(isa.error().message, testing::StartsWith("MORU_ISA: found 'avx3', expected one of scalar"));
}

TEST(Isa, ThoseOfAnotherArchitectureAreSaidToBeOfIt) {
#ifdef __x86_64__
  const std::pair<const char*, const char*> foreign[] = {{"neon", "arm64"}, {"neon_dot", "arm64"}};
#else
  const std::pair<const char*, const char*> foreign[] = {
      {"avx2", "x86-64"}, {"avx_vnni", "x86-64"}, {"avx512", "x86-64"}, {"amx", "x86-64"}};
#endif
  for (const auto& [name, architecture] : foreign) {
    const MoruIsa held(name);
    const auto isa = chosen_isa();
    ASSERT_FALSE(isa.has_value());
    EXPECT_EQ(isa.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(isa.error().message,
                testing::StartsWith(fmt::format("MORU_ISA: found '{}', which is of {}, expected one of scalar", name, architecture)));
  }
}

TEST(Isa, ThoseThatThisMachineHasNotAreSaidToBeMissing) {
#ifdef __x86_64__
  for (const char* name : {"avx2", "avx_vnni", "avx512", "amx"}) {
    const MoruIsa held(name);
    const auto isa = chosen_isa();
    if (isa.has_value()) {
      EXPECT_THAT(machine_isas(), testing::Contains(*isa));
      EXPECT_EQ(to_string(*isa), name);
    } else {
      EXPECT_EQ(isa.error().code, ErrorCode::kUnavailable);
      EXPECT_THAT(isa.error().message, testing::StartsWith(fmt::format("MORU_ISA: found '{}', which this machine does not have", name)));
    }
  }
#endif
}

TEST(Isa, EachHasAKernelOfEachFamilyAndNoneThatIsMore) {
  for (const Isa isa : machine_isas()) {
    const Kernels kernels = kernels_for(isa);
    ASSERT_NE(kernels.gemm_u8, nullptr);
    ASSERT_NE(kernels.depthwise_u8, nullptr);
    ASSERT_NE(kernels.gemm_f32, nullptr);
    ASSERT_NE(kernels.depthwise_f32, nullptr);
    ASSERT_NE(kernels.elementwise, nullptr);
    EXPECT_TRUE(includes(isa, kernels.gemm_u8->isa));
    EXPECT_TRUE(includes(isa, kernels.elementwise->isa));
  }
}

TEST(Isa, WhatTheFirstProcessorsWithAvx512HaveNotIsNoPartOfIt) {
  EXPECT_TRUE(includes(Isa::kAvx512, Isa::kAvx2));
  EXPECT_TRUE(includes(Isa::kAvxVnni, Isa::kAvx2));
  EXPECT_TRUE(includes(Isa::kAmx, Isa::kAvx512));
  EXPECT_FALSE(includes(Isa::kAvx512, Isa::kAvxVnni));
  EXPECT_FALSE(includes(Isa::kAvx2, Isa::kAvxVnni));
  const Kernels kernels = kernels_for(Isa::kAvx512);
  for (const Isa isa : {kernels.gemm_u8->isa, kernels.depthwise_u8->isa, kernels.hybrid->isa, kernels.peak->isa, kernels.map->isa}) {
    EXPECT_NE(isa, Isa::kAvxVnni);
  }
}

}  // namespace
}  // namespace moru::kernels
