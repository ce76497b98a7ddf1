// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/inspect/summary.h"
#include "runtime/backends/model_bytes.h"

namespace moru::runtime {
namespace {

constexpr double kFloatNmse = 1e-6;
constexpr double kQuantisedNmse = 0.1;
constexpr double kAgreement = 0.99;

}  // namespace

Status add_answer(std::span<const model::Tensor> expected, std::span<const model::Tensor> found, std::vector<Parity>* parities) {
  if (expected.size() != found.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} outputs, expected {}", found.size(), expected.size()));
  }
  parities->resize(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    MORU_RETURN_IF_ERROR_IN(fmt::format("output {}", i), add_run(expected[i], found[i], &(*parities)[i]));
  }
  return {};
}

Judgement judge(std::span<const Parity> parities, bool quantised) {
  Judgement verdict{.nmse = 0.0, .ok = true, .reason = ""};
  for (const Parity& parity : parities) verdict.nmse = std::max(*verdict.nmse, parity.nmse);
  const double limit = quantised ? kQuantisedNmse : kFloatNmse;
  if (*verdict.nmse > limit) {
    verdict.ok = false;
    verdict.reason = fmt::format("wrong: found an answer of NMSE {:.2g} from the reference's, expected at most {:g}", *verdict.nmse, limit);
    return verdict;
  }
  for (const Parity& parity : parities) {
    if (!quantised || parity.samples == 0) continue;
    if (static_cast<double>(parity.near_agreements) >= kAgreement * static_cast<double>(parity.samples)) continue;
    verdict.ok = false;
    verdict.reason = fmt::format("wrong: found the reference's choice in {} of {} samples, expected it in {:g} %", parity.near_agreements,
                                 parity.samples, kAgreement * 100);
  }
  return verdict;
}

bool is_quantised(const ModelBytes& model) {
  const auto graph = graph_of(model);
  if (!graph) return false;
  const std::string kind = model::summarise(*graph).quantisation;
  return kind != "none" && kind != "float16 weights";
}

}  // namespace moru::runtime
