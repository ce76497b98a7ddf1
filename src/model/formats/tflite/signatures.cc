// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "model/formats/tflite/convert.h"

namespace moru::model::tflite {
namespace {

Json ports_to_json(const std::vector<SignaturePort>& ports) {
  Json out = Json::array();
  for (const SignaturePort& port : ports) out.push_back(Json::array({port.name, port.place}));
  return out;
}

Result<std::vector<SignaturePort>> ports_from_json(const Json& list, std::size_t limit, std::string_view where) {
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found another layout, expected pairs of a name and a place below {}", where, limit));
  };
  if (!list.is_array()) return refuse();
  std::vector<SignaturePort> out;
  for (const Json& pair : list) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number_unsigned()) return refuse();
    out.push_back({pair[0].get<std::string>(), pair[1].get<std::size_t>()});
    if (out.back().place >= limit) return refuse();
  }
  return out;
}

}  // namespace

std::pair<std::string, std::string> signature_to_metadata(const Signature& signature) {
  const Json ports = {{"inputs", ports_to_json(signature.inputs)}, {"outputs", ports_to_json(signature.outputs)}};
  // Names are bytes from a file; what is no UTF-8 in them becomes a mark.
  return {std::string(kSignatureKey) + signature.key, ports.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Result<Signature> signature_from_metadata(const std::pair<std::string, std::string>& entry, const Graph& graph) {
  const std::string where = "metadata " + in_quotes(entry.first);
  MORU_ASSIGN_OR_RETURN(const Json ports, parse_json(entry.second, where));
  MORU_ASSIGN_OR_RETURN(const Json inputs, json_field<Json>(ports, "inputs", where));
  MORU_ASSIGN_OR_RETURN(const Json outputs, json_field<Json>(ports, "outputs", where));
  Signature signature;
  signature.key = entry.first.substr(kSignatureKey.size());
  MORU_ASSIGN_OR_RETURN(signature.inputs, ports_from_json(inputs, graph.inputs.size(), where));
  MORU_ASSIGN_OR_RETURN(signature.outputs, ports_from_json(outputs, graph.outputs.size(), where));
  return signature;
}

}  // namespace moru::model::tflite
