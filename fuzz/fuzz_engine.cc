// SPDX-License-Identifier: Apache-2.0
// The native engine runs any network: bytes choose layers and extents, and every ISA of this machine makes of it what the reference makes,
// integers to the bit. With two threads, what one makes.
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include "core/check.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "runtime/engine/random_check.h"

namespace {

using namespace moru;
using namespace moru::runtime::engine;

using Maker = RandomNetwork (*)(const Choices& choices);
constexpr Maker kMakers[] = {random_levels, random_floats, random_values, random_sequences, random_hybrid};

void give_up(const RandomNetwork& network, std::string_view isa, std::string_view why) {
  std::fprintf(stderr, "%s: %s\n%s\n", std::string(isa).c_str(), std::string(why).c_str(), model::to_text(network.graph).c_str());
  MORU_CHECK(false);
}

}  // namespace

/// The first byte is the kind, the second the seed of all numbers, the others what is chosen; then the seed chooses.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 2;
  constexpr std::size_t kMost = 512;  // choices of the largest networks
  if (size < kHead || size > kMost) return 0;
  const RandomNetwork network = kMakers[data[0] % std::size(kMakers)](Choices(data[1], std::span(data, size).subspan(kHead)));
  const auto expected = model::evaluate(network.graph, network.inputs);
  MORU_CHECK(expected.has_value());
  for (const kernels::Isa isa : kernels::machine_isas()) {
    const auto found = run_network(network, isa);
    if (!found) give_up(network, kernels::to_string(isa), found.error().message);
    if (const std::string why = difference(network, *found, *expected); !why.empty()) give_up(network, kernels::to_string(isa), why);
    if (isa != kernels::machine_isas().back()) continue;
    const auto together = run_network(network, isa, {.count = 2, .least_ns = 0});
    MORU_CHECK(together.has_value());
    for (std::size_t i = 0; i < found->size(); ++i) {
      if (!same_bits(together->at(i), found->at(i))) give_up(network, kernels::to_string(isa), "two threads make something else than one");
    }
  }
  return 0;
}
