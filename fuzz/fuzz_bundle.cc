// SPDX-License-Identifier: Apache-2.0
// A bundle whose signature holds (here: always) may still lie in its header, its sizes and its model card.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"

namespace {

using namespace moru;

Status accept(std::string_view /*message*/, std::string_view /*signature*/) { return {}; }
Result<std::string> sign(std::string_view /*message*/) { return std::string(64, 's'); }

void check_rewritten(const model::Bundle& bundle) {
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < bundle.header().files.size(); ++i) contents.emplace_back(bundle.contents(i));
  const auto bytes = model::write_bundle(bundle.header(), contents, sign);
  MORU_CHECK(bytes.has_value());
  const auto again = model::Bundle::open(*bytes, accept, "fuzz");
  MORU_CHECK(again.has_value());
  MORU_CHECK(again->header().name == bundle.header().name && again->header().version == bundle.header().version);
  MORU_CHECK(again->header().card == bundle.header().card);
  for (std::size_t i = 0; i < contents.size(); ++i) MORU_CHECK(again->contents(i) == contents[i]);
}

void check_card(const model::Bundle& bundle) {
  const auto card = model::read_card(bundle.header().card, "fuzz");
  if (!card) return;
  const auto again = model::read_card(model::write_card(*card), "fuzz");
  MORU_CHECK(again.has_value());
  MORU_CHECK(model::write_card(*again) == model::write_card(*card));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bundle = model::Bundle::open({reinterpret_cast<const char*>(data), size}, accept, "fuzz");
  if (!bundle) {
    MORU_CHECK(bundle.error().code != ErrorCode::kInternal);
    return 0;
  }
  check_rewritten(*bundle);
  check_card(*bundle);
  return 0;
}
