// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "model/targets/target.h"

namespace moru::model::targets {
namespace {

/// Larger limits mean nothing, and smaller ones keep later arithmetic exact.
constexpr double kMost = 1e15;
constexpr double kMostOpset = 1000;

std::unexpected<Error> wrong(const ConfigObject& at, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected {}", at.where(), found, expected));
}

std::unexpected<Error> mismatch(const ConfigObject& at, std::string_view expected) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected {}", at.where(), at.found(), expected));
}

ConfigObject field(const ConfigObject& object, std::string_view key) { return object.find(key).value_or(object); }

Result<std::vector<DType>> read_types(const ConfigObject& at) {
  if (!at.is_list()) return mismatch(at, "a list of element types");
  std::vector<std::string> known;
  for (int i = 0; i <= static_cast<int>(kLastDType); ++i) known.emplace_back(to_string(static_cast<DType>(i)));
  std::vector<DType> types;
  for (const ConfigObject& item : at.items()) {
    MORU_ASSIGN_OR_RETURN(const std::string name, item.as_string());
    const auto type = dtype_from_string(name);
    if (!type)
      return wrong(item, fmt::format("{}{}", in_quotes(name), did_you_mean(name, known)), "an element type such as int8 or float32");
    types.push_back(*type);
  }
  return types;
}

Result<std::vector<std::int64_t>> read_places(const ConfigObject& at) {
  if (!at.is_list()) return mismatch(at, "a list of places of inputs");
  std::vector<std::int64_t> places;
  for (const ConfigObject& item : at.items()) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t place, item.as_integer());
    if (place < 0) return wrong(item, fmt::format("{}", place), "the place of an input, from 0");
    places.push_back(place);
  }
  return places;
}

void optional_number(ConfigReader& reader, std::string_view key, std::optional<std::int64_t>* out) {
  std::int64_t value = -1;
  reader.optional(key, &value, {.min = 0, .max = kMost});
  if (value >= 0) *out = value;
}

Result<Limits> read_limits(const ConfigObject& at, Limits limits) {
  ConfigReader reader(at);
  optional_number(reader, "min_rank", &limits.min_rank);
  optional_number(reader, "max_rank", &limits.max_rank);
  optional_number(reader, "max_inner_rank", &limits.max_inner_rank);
  optional_number(reader, "max_output_inner_rank", &limits.max_output_inner_rank);
  optional_number(reader, "max_batch", &limits.max_batch);
  optional_number(reader, "max_elements", &limits.max_elements);
  optional_number(reader, "max_kernel", &limits.max_kernel);
  optional_number(reader, "max_stride", &limits.max_stride);
  optional_number(reader, "max_dilation", &limits.max_dilation);
  optional_number(reader, "max_outputs", &limits.max_outputs);
  reader.optional("equal_dilations", &limits.equal_dilations);
  reader.optional("keep_batch", &limits.keep_batch);
  reader.optional("per_channel", &limits.per_channel);
  MORU_RETURN_IF_ERROR(reader.finish());
  return limits;
}

Symmetric symmetric_of(std::string_view word) {
  if (word == "all") return Symmetric::kAll;
  return word == "weights" ? Symmetric::kWeights : Symmetric::kNone;
}

std::string word_of(Symmetric symmetric) {
  if (symmetric == Symmetric::kAll) return "all";
  return symmetric == Symmetric::kWeights ? "weights" : "none";
}

Result<AttributeRule> read_attribute(const ConfigObject& at) {
  AttributeRule rule;
  ConfigReader reader(at);
  reader.required("name", &rule.name);
  reader.optional("is", &rule.is);
  optional_number(reader, "max", &rule.max);
  MORU_RETURN_IF_ERROR(reader.finish());
  if (rule.is.empty() && !rule.max) return wrong(at, "neither 'is' nor 'max'", "one of them");
  return rule;
}

Result<OpRule> read_rule(const ConfigObject& at, const Target& target) {
  OpRule rule;
  std::optional<ConfigObject> types;
  std::optional<ConfigObject> weights;
  std::optional<ConfigObject> outputs;
  std::optional<ConfigObject> constants;
  std::optional<ConfigObject> settings;
  std::optional<ConfigObject> attributes;
  std::optional<ConfigObject> limits;
  std::string symmetric = word_of(target.symmetric);
  ConfigReader reader(at);
  reader.required("ops", &rule.ops);
  reader.optional("types", &types);
  reader.optional("weights", &weights);
  reader.optional("outputs", &outputs);
  reader.optional("constants", &constants);
  reader.optional("settings", &settings);
  reader.optional("attributes", &attributes);
  reader.optional("limits", &limits);
  reader.choice("symmetric", &symmetric, {"none", "weights", "all"});
  MORU_RETURN_IF_ERROR(reader.finish());
  rule.symmetric = symmetric_of(symmetric);
  if (types) {
    MORU_ASSIGN_OR_RETURN(rule.types, read_types(*types));
  }
  if (weights) {
    MORU_ASSIGN_OR_RETURN(rule.weights, read_types(*weights));
  }
  if (outputs) {
    MORU_ASSIGN_OR_RETURN(rule.outputs, read_types(*outputs));
  }
  if (constants) {
    MORU_ASSIGN_OR_RETURN(rule.constants, read_places(*constants));
  }
  if (settings) {
    MORU_ASSIGN_OR_RETURN(rule.settings, read_places(*settings));
  }
  if (attributes && !attributes->is_list()) return mismatch(*attributes, "a list of attributes");
  for (const ConfigObject& item : attributes ? attributes->items() : std::vector<ConfigObject>()) {
    MORU_ASSIGN_OR_RETURN(AttributeRule attribute, read_attribute(item));
    rule.attributes.push_back(std::move(attribute));
  }
  rule.limits = target.limits;
  if (limits) {
    MORU_ASSIGN_OR_RETURN(rule.limits, read_limits(*limits, target.limits));
  }
  return rule;
}

Status read_rules(const ConfigObject& at, Target* target) {
  if (!at.is_list() || at.items().empty()) return wrong(at, "no list of rules", "one rule or more");
  for (const ConfigObject& item : at.items()) {
    MORU_ASSIGN_OR_RETURN(OpRule rule, read_rule(item, *target));
    for (const std::string& op : rule.ops) {
      if (!target->rule_of.emplace(op, target->ops.size()).second)
        return wrong(field(item, "ops"), in_quotes(op) + " twice", "one rule an op");
    }
    target->ops.push_back(std::move(rule));
  }
  return {};
}

Result<MemoryRule> read_memory(const ConfigObject& at) {
  MemoryRule rule;
  std::string beyond = "refuse";
  ConfigReader reader(at);
  reader.required("name", &rule.name);
  reader.required("bytes", &rule.bytes, {.min = 1, .max = kMost});
  reader.choice("holds", &rule.holds, {"parameters", "activations", "all"}, true);
  reader.choice("beyond", &beyond, {"refuse", "spill"});
  MORU_RETURN_IF_ERROR(reader.finish());
  rule.spills = beyond == "spill";
  return rule;
}

Status read_formats(const ConfigObject& spec, Target* target) {
  if (target->formats.empty()) return wrong(field(spec, "formats"), "no format", "onnx, tflite or both");
  std::set<std::string> seen;
  for (const std::string& format : target->formats) {
    const std::vector<std::string> known = {"onnx", "tflite"};
    if (std::ranges::find(known, format) == known.end() || !seen.insert(format).second)
      return wrong(field(spec, "formats"), in_quotes(format) + did_you_mean(format, known), "onnx and tflite, each at most once");
  }
  return {};
}

Status read_opsets(const ConfigObject& at, Target* target) {
  ConfigReader reader(at);
  reader.required("min", &target->min_opset, {.min = 1, .max = kMostOpset});
  reader.required("max", &target->max_opset, {.min = 1, .max = kMostOpset});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (target->min_opset > target->max_opset)
    return wrong(at, fmt::format("{} to {}", target->min_opset, target->max_opset), "min up to max");
  return {};
}

Status read_instead(const ConfigObject& at, Target* target) {
  if (!at.is_map()) return mismatch(at, "a map from an op to what to do instead");
  for (const std::string& op : at.keys()) {
    MORU_ASSIGN_OR_RETURN(std::string text, at.find(op)->as_string());
    target->instead.emplace(op, std::move(text));
  }
  return {};
}

}  // namespace

Result<Target> read_target(const ConfigObject& document) {
  MORU_ASSIGN_OR_RETURN(const Declared declared, read_declared(document, "Target"));
  Target target{};
  target.name = declared.name;
  std::optional<ConfigObject> opsets;
  std::optional<ConfigObject> types;
  std::optional<ConfigObject> weights;
  std::optional<ConfigObject> limits;
  std::optional<ConfigObject> ops;
  std::optional<ConfigObject> fallback_types;
  std::optional<ConfigObject> instead;
  std::optional<ConfigObject> memory;
  std::string symmetric = "none";
  ConfigReader reader(declared.spec);
  reader.required("doc", &target.doc);
  reader.optional("isa", &target.isa);
  reader.optional("accelerator", &target.accelerator);
  reader.required("runtime", &target.runtime);
  reader.required("formats", &target.formats);
  reader.optional("opsets", &opsets);
  reader.optional("static_shapes", &target.static_shapes);
  reader.optional("full_int8", &target.full_int8);
  reader.optional("one_piece", &target.one_piece);
  reader.optional("types", &types);
  reader.optional("weights", &weights);
  reader.choice("symmetric", &symmetric, {"none", "weights", "all"});
  reader.optional("limits", &limits);
  reader.required("ops", &ops);
  reader.optional("fallback", &target.fallback);
  reader.optional("fallback_types", &fallback_types);
  reader.optional("instead", &instead);
  reader.optional("memory", &memory);
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(read_formats(declared.spec, &target));
  target.symmetric = symmetric_of(symmetric);
  if (opsets) MORU_RETURN_IF_ERROR(read_opsets(*opsets, &target));
  if (types) {
    MORU_ASSIGN_OR_RETURN(target.types, read_types(*types));
  }
  if (weights) {
    MORU_ASSIGN_OR_RETURN(target.weights, read_types(*weights));
  }
  if (limits) {
    MORU_ASSIGN_OR_RETURN(target.limits, read_limits(*limits, {}));
  }
  MORU_RETURN_IF_ERROR(read_rules(*ops, &target));
  if (fallback_types) {
    MORU_ASSIGN_OR_RETURN(target.fallback_types, read_types(*fallback_types));
  }
  if (instead) MORU_RETURN_IF_ERROR(read_instead(*instead, &target));
  if (memory && !memory->is_list()) return mismatch(*memory, "a list of memories");
  for (const ConfigObject& item : memory ? memory->items() : std::vector<ConfigObject>()) {
    MORU_ASSIGN_OR_RETURN(MemoryRule rule, read_memory(item));
    target.memory.push_back(std::move(rule));
  }
  return target;
}

}  // namespace moru::model::targets
