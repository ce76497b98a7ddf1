// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/noun.h"
#include "core/json.h"
#include "core/text.h"
#include "model/ops/op.h"
#include "model/ops/page.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  Format format = Format::kText;
  bool markdown = false;
};

std::string_view kind_name(model::AttributeKind kind) {
  switch (kind) {
    case model::AttributeKind::kInt: return "int";
    case model::AttributeKind::kFloat: return "float";
    case model::AttributeKind::kString: return "string";
    case model::AttributeKind::kInts: return "ints";
    case model::AttributeKind::kFloats: return "floats";
    case model::AttributeKind::kStrings: return "strings";
    case model::AttributeKind::kTensor: return "tensor";
    case model::AttributeKind::kGraph: return "graph";
  }
  return "?";
}

Json ports_json(std::span<const model::PortSpec> ports) {
  Json json = Json::array();
  for (const auto& port : ports) json.push_back({{"name", port.name}, {"doc", port.doc}, {"optional", port.optional}});
  return json;
}

Json op_json(const model::OpSpec& op) {
  Json attributes = Json::array();
  for (const auto& one : op.attributes) {
    attributes.push_back({{"name", one.name}, {"kind", kind_name(one.kind)}, {"doc", one.doc}, {"required", one.required}});
  }
  Json examples = Json::array();
  for (const auto& one : op.examples) examples.push_back({{"title", one.title}, {"graph", one.graph}, {"expected", one.expected}});
  Json gaps = Json::array();
  for (const auto& one : op.gaps) gaps.push_back({{"cases", one.cases}, {"reason", one.reason}});
  return {{"name", op.name},
          {"domain", op.domain},
          {"since", op.since},
          {"doc", op.doc},
          {"inputs", ports_json(op.inputs)},
          {"variadic_inputs", op.variadic_inputs},
          {"outputs", ports_json(op.outputs)},
          {"attributes", std::move(attributes)},
          {"examples", std::move(examples)},
          {"gaps", std::move(gaps)}};
}

std::string ports_text(std::string_view title, std::span<const model::PortSpec> ports) {
  std::string text = fmt::format("\n{}\n", title);
  for (const auto& port : ports) text += fmt::format("  {:<16} {}{}\n", port.name, port.doc, port.optional ? " (may be left out)" : "");
  return text;
}

/// As the text form writes it: Conv, tflite::CONV_2D.
std::string full_name(const model::OpSpec& op) { return fmt::format("{}{}{}", op.domain, op.domain.empty() ? "" : "::", op.name); }

std::string op_text(const model::OpSpec& op) {
  std::string text = fmt::format("{}, since opset {}\n\n{}\n", full_name(op), op.since, op.doc);
  text += ports_text(op.variadic_inputs ? "Inputs (the last may repeat)" : "Inputs", op.inputs) + ports_text("Outputs", op.outputs);
  if (!op.attributes.empty()) text += "\nAttributes (after the semicolon: when left out)\n";
  for (const auto& one : op.attributes)
    text += fmt::format("  {:<18} {:<8} {}{}\n", one.name, kind_name(one.kind), one.doc, one.required ? " (required)" : "");
  if (!op.gaps.empty()) text += "\nGaps: tests of ONNX's that do not pass\n";
  for (const auto& one : op.gaps) text += fmt::format("  {}: {}\n", one.cases, one.reason);
  for (const auto& one : op.examples) text += fmt::format("\nExample: {}\n{}\n=> {}\n", one.title, one.graph, one.expected);
  return text;
}

/// The first sentence.
std::string_view summary(std::string_view doc) {
  const auto end = doc.find(". ");
  return end == std::string_view::npos ? doc : doc.substr(0, end + 1);
}

Outcome list(Format format) {
  if (format == Format::kJson) {
    Json ops = Json::array();
    for (const model::OpSpec* op : model::all_ops()) ops.push_back(op_json(*op));
    print_json(ops);
    return kDone;
  }
  for (const model::OpSpec* op : model::all_ops()) print_text(fmt::format("{:<20} {}\n", full_name(*op), summary(op->doc)));
  return kDone;
}

Outcome show(const Flags& flags) {
  if (flags.markdown) {
    print_text(model::ops_page());
    return kDone;
  }
  if (flags.name.empty()) return list(flags.format);
  const auto ops = model::all_ops();
  const auto found = std::ranges::find_if(ops, [&](const model::OpSpec* one) { return full_name(*one) == flags.name; });
  const model::OpSpec* op = found == ops.end() ? nullptr : *found;
  if (op == nullptr) {
    std::vector<std::string> known;
    for (const model::OpSpec* one : ops) known.push_back(full_name(*one));
    return fail(ErrorCode::kNotFound, fmt::format("op '{:.60}': found no such op, expected one that `moru ops` lists{}", flags.name,
                                                  did_you_mean(flags.name, known)));
  }
  if (flags.format == Format::kJson) {
    print_json(op_json(*op));
  } else {
    print_text(op_text(*op));
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("NAME", flags.name, "an op, as the list writes it; without it, all are listed");
  add_format_option(app, &flags.format);
  app.add_flag("--markdown", flags.markdown, "print docs/ops.md: all ops, their types, and what of ONNX is missing and why");
  app.footer("Examples:\n  moru ops Softmax\n  moru ops tflite::CONV_2D");
  app.callback([run] { *run = [] { return show(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_ops;
const NounSpec kNoun_ops{.name = "ops", .doc = "List the ops, or explain one with examples", .add = add};

}  // namespace moru::cli
