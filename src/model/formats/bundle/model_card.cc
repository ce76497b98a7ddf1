// SPDX-License-Identifier: Apache-2.0
#include "model/formats/bundle/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/text.h"

namespace moru::model {
namespace {

Json port_to_json(const CardPort& port) {
  Json shape = Json::array();
  for (const Dim& dim : port.shape) {
    if (dim.known()) {
      shape.push_back(dim.value);
    } else if (dim.symbol.empty()) {
      shape.push_back(nullptr);
    } else {
      shape.push_back(dim.symbol);
    }
  }
  return {{"name", port.name}, {"dtype", port.dtype}, {"shape", shape}};
}

std::unexpected<Error> wrong(std::string_view where, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected {}", where, found, expected));
}

Status check_fields(const Json& object, std::span<const std::string> known, std::string_view where) {
  if (!object.is_object()) return wrong(where, object.type_name(), "an object");
  for (const auto& [key, value] : object.items()) {
    // A field that is not known here may change what the model needs, so it cannot be passed over.
    if (std::ranges::find(known, key) == known.end()) {
      return wrong(where, fmt::format("unknown field {}{}", in_quotes(key), did_you_mean(key, known)),
                   "only fields that this version knows");
    }
  }
  return {};
}

Result<Dim> dim_from_json(const Json& json, std::string_view where) {
  if (json.is_null()) return Dim{};
  if (json.is_string() && !json.get_ref<const std::string&>().empty()) return Dim{-1, json.get<std::string>()};
  // An extent above 2^40 cannot be held by any machine and would overflow what is computed from it.
  if (json.is_number_unsigned() && json.get<std::uint64_t>() <= (std::uint64_t{1} << 40U)) return Dim{json.get<std::int64_t>(), ""};
  return wrong(where, in_quotes(json.dump(-1, ' ', true, Json::error_handler_t::replace)), "an extent of at most 2^40, a symbol or null");
}

Result<CardPort> port_from_json(const Json& json, std::string_view where) {
  static const std::vector<std::string> fields = {"name", "dtype", "shape"};
  MORU_RETURN_IF_ERROR(check_fields(json, fields, where));
  CardPort port;
  MORU_ASSIGN_OR_RETURN(port.name, json_field<std::string>(json, "name", where));
  MORU_ASSIGN_OR_RETURN(port.dtype, json_field<std::string>(json, "dtype", where));
  if (!dtype_from_string(port.dtype)) return wrong(where, "dtype " + in_quotes(port.dtype), "one such as 'float32' or 'int8'");
  MORU_ASSIGN_OR_RETURN(const Json shape, json_field<Json>(json, "shape", where));
  if (!shape.is_array()) return wrong(fmt::format("{}.shape", where), shape.type_name(), "a list");
  for (const Json& extent : shape) {
    MORU_ASSIGN_OR_RETURN(Dim dim, dim_from_json(extent, fmt::format("{}.shape[{}]", where, port.shape.size())));
    port.shape.push_back(std::move(dim));
  }
  return port;
}

Result<std::vector<CardPort>> ports_from_json(const Json& card, std::string_view key, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(card, key, where));
  if (!list.is_array() || list.empty())
    return wrong(fmt::format("{}: {}", where, key), list.is_array() ? "an empty list" : list.type_name(), "a list of ports");
  std::vector<CardPort> ports;
  for (const Json& entry : list) {
    MORU_ASSIGN_OR_RETURN(CardPort port, port_from_json(entry, fmt::format("{}: {}[{}]", where, key, ports.size())));
    ports.push_back(std::move(port));
  }
  return ports;
}

Result<std::vector<std::string>> labels_from_json(const Json& card, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(card, "labels", where));
  if (!list.is_array()) return wrong(fmt::format("{}: labels", where), list.type_name(), "a list of strings");
  std::vector<std::string> labels;
  for (const Json& label : list) {
    if (!label.is_string()) return wrong(fmt::format("{}: labels[{}]", where, labels.size()), label.type_name(), "a string");
    labels.push_back(label.get<std::string>());
  }
  return labels;
}

template <class T>
Result<std::vector<std::pair<std::string, T>>> pairs_from_json(const Json& card, std::string_view key, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const Json object, json_field<Json>(card, key, where));
  const auto inner = fmt::format("{}: {}", where, key);
  if (!object.is_object()) return wrong(inner, object.type_name(), "an object");
  std::vector<std::pair<std::string, T>> pairs;
  for (const auto& [name, value] : object.items()) {
    MORU_ASSIGN_OR_RETURN(T read, json_field<T>(object, name, inner));
    pairs.emplace_back(name, std::move(read));
  }
  return pairs;
}

/// Processing parameters that a stream computes with: the ranges keep its results finite.
Status read_processing(const Json& json, std::string_view where, ModelCard& card) {
  MORU_ASSIGN_OR_RETURN(card.mean, json_field<double>(json, "mean", where));
  MORU_ASSIGN_OR_RETURN(card.std, json_field<double>(json, "std", where));
  MORU_ASSIGN_OR_RETURN(card.activation, json_field<std::string>(json, "activation", where));
  MORU_ASSIGN_OR_RETURN(card.alert_threshold, json_field<double>(json, "alert_threshold", where));
  constexpr double kLargest = 1e6;
  constexpr double kSmallest = 1e-6;
  if (!(std::abs(card.mean) <= kLargest))
    return wrong(fmt::format("{}: mean", where), fmt::to_string(card.mean), "a number from -1e6 to 1e6");
  if (!(card.std >= kSmallest && card.std <= kLargest)) {
    return wrong(fmt::format("{}: std", where), fmt::to_string(card.std), "a number from 1e-6 to 1e6");
  }
  if (card.activation != "softmax" && card.activation != "none") {
    return wrong(fmt::format("{}: activation", where), in_quotes(card.activation), "'softmax' or 'none'");
  }
  if (!(card.alert_threshold >= 0.0 && card.alert_threshold <= 1.0)) {
    return wrong(fmt::format("{}: alert_threshold", where), fmt::to_string(card.alert_threshold), "a probability from 0 to 1");
  }
  return {};
}

}  // namespace

std::string write_card(const ModelCard& card) {
  Json inputs = Json::array();
  for (const CardPort& port : card.inputs) inputs.push_back(port_to_json(port));
  Json outputs = Json::array();
  for (const CardPort& port : card.outputs) outputs.push_back(port_to_json(port));
  Json figures = Json::object();
  for (const auto& [name, value] : card.figures) figures[name] = value;
  Json provenance = Json::object();
  for (const auto& [name, value] : card.provenance) provenance[name] = value;
  const Json json = {{"name", card.name},       {"task", card.task},
                     {"inputs", inputs},        {"outputs", outputs},
                     {"labels", card.labels},   {"mean", card.mean},
                     {"std", card.std},         {"activation", card.activation},
                     {"figures", figures},      {"alert_threshold", card.alert_threshold},
                     {"provenance", provenance}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ModelCard> read_card(std::string_view text, std::string_view where) {
  static const std::vector<std::string> fields = {"name", "task",       "inputs",  "outputs",         "labels",    "mean",
                                                  "std",  "activation", "figures", "alert_threshold", "provenance"};
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(text, where));
  MORU_RETURN_IF_ERROR(check_fields(json, fields, where));
  ModelCard card;
  MORU_ASSIGN_OR_RETURN(card.name, json_field<std::string>(json, "name", where));
  MORU_ASSIGN_OR_RETURN(card.task, json_field<std::string>(json, "task", where));
  MORU_ASSIGN_OR_RETURN(card.inputs, ports_from_json(json, "inputs", where));
  MORU_ASSIGN_OR_RETURN(card.outputs, ports_from_json(json, "outputs", where));
  MORU_ASSIGN_OR_RETURN(card.labels, labels_from_json(json, where));
  MORU_RETURN_IF_ERROR(read_processing(json, where, card));
  MORU_ASSIGN_OR_RETURN(card.figures, pairs_from_json<double>(json, "figures", where));
  MORU_ASSIGN_OR_RETURN(card.provenance, pairs_from_json<std::string>(json, "provenance", where));
  return card;
}

}  // namespace moru::model
