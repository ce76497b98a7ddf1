// SPDX-License-Identifier: Apache-2.0
#include "model/targets/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace moru::model::targets {
namespace {

using Types = std::vector<DType>;

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}
bool is_level(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16 || dtype == DType::kUInt16; }
/// Indices, shapes, biases and flags: every device reads these when it compiles.
bool is_plain(DType dtype) { return dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kBool; }

bool contains(const Types& types, DType dtype) { return types.empty() || std::ranges::find(types, dtype) != types.end(); }

std::string names_of(const Types& types) {
  std::string out;
  for (std::size_t i = 0; i < types.size(); ++i)
    out += fmt::format("{}{}", i == 0 ? "" : i + 1 == types.size() ? " or " : ", ", to_string(types[i]));
  return out;
}

std::string text_of(const Attribute& attribute) {
  if (const auto* number = std::get_if<std::int64_t>(&attribute)) return fmt::format("{}", *number);
  if (const auto* real = std::get_if<float>(&attribute)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&attribute)) return *text;
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&attribute)) return fmt::format("{}", fmt::join(*numbers, ", "));
  return "another kind of value";
}

/// The checks of one node; each adds what it finds.
class Check {
 public:
  Check(const Facts& facts, const Target& target, const OpRule& rule, const Node& node)
      : facts_(facts), target_(target), rule_(rule), node_(node) {}

  std::vector<Fault> run() {
    check_shapes();
    check_types();
    check_constants();
    check_quantization();
    check_window();
    check_attributes();
    return std::move(faults_);
  }

 private:
  const ValueType& type(ValueId id) const { return facts_.graph().value(id).type; }
  void add(std::string reason, std::string change, bool is_float_fault = false) {
    const auto same = [&](const Fault& one) { return one.reason == reason; };
    if (std::ranges::none_of(faults_, same)) faults_.push_back({std::move(reason), std::move(change), is_float_fault});
  }
  bool is_setting(std::size_t input) const {
    return std::ranges::find(rule_.settings, static_cast<std::int64_t>(input)) != rule_.settings.end();
  }

  template <class F>
  void for_each_computed(F&& f) const {
    for (const ValueId id : node_.inputs) {
      if (id != kNoValue && !facts_.is_constant(id)) f(id, false);
    }
    for (const ValueId id : node_.outputs) {
      if (id != kNoValue) f(id, true);
    }
  }

  void check_shapes() {
    for_each_computed([&](ValueId id, bool output) {
      const auto& shape = type(id).shape;
      const bool open = !shape || std::ranges::any_of(*shape, [](const Dim& dim) { return !dim.known(); });
      if (open && target_.static_shapes)
        add("found a shape that only the run decides, expected known extents", how_to_fix_extents(facts_.graph()));
      if (shape) check_shape(*shape, output);
    });
    std::int64_t used = 0;
    for (const ValueId id : node_.outputs) used += id != kNoValue && facts_.is_used(id) ? 1 : 0;
    if (const auto& most = rule_.limits.max_outputs; most && used > *most)
      add(fmt::format("found {} outputs in use, expected at most {}", used, *most), "");
  }

  void check_shape(const SymbolicShape& shape, bool output) {
    const Limits& limits = rule_.limits;
    const std::int64_t rank = std::ssize(shape);
    // An open extent in front is a batch; that it is open is told by itself.
    const auto first = std::ranges::find_if(shape, [](const Dim& dim) { return dim.known() && dim.value != 1; });
    const std::int64_t inner = shape.end() - first;
    if (limits.min_rank && rank < *limits.min_rank) add(fmt::format("found rank {}, expected at least {}", rank, *limits.min_rank), "");
    if (limits.max_rank && rank > *limits.max_rank)
      add(fmt::format("found rank {}, expected at most {}", rank, *limits.max_rank), "reshape to fewer axes");
    const auto& most = output && limits.max_output_inner_rank ? limits.max_output_inner_rank : limits.max_inner_rank;
    if (most && inner > *most) {
      add(fmt::format("found {} axes behind the leading ones, expected at most {}", inner, *most),
          "reshape to fewer axes, or run one of a batch at a time");
    }
    if (limits.max_batch && rank >= 2 && shape[0].known() && shape[0].value > *limits.max_batch)
      add(fmt::format("found batch {}, expected at most {}", shape[0].value, *limits.max_batch),
          fmt::format("make the model with batch {}", *limits.max_batch));
    if (!limits.max_elements) return;
    std::int64_t elements = 1;
    for (const Dim& dim : shape) {
      if (!dim.known() || __builtin_mul_overflow(elements, dim.value, &elements)) return;
    }
    if (elements > *limits.max_elements) add(fmt::format("found {} elements, expected at most {}", elements, *limits.max_elements), "");
  }

  void check_type(DType found, const Types& expected, std::string_view what) {
    if (contains(expected, found)) return;
    const bool wants_levels = std::ranges::any_of(expected, is_level) && std::ranges::none_of(expected, is_float);
    const bool float_fault = is_float(found) && wants_levels;
    std::string change;
    if (float_fault) {
      change = "quantise to 8 bits: moru compress MODEL -o MODEL.int8.onnx";
    } else if (is_float(found) && std::ranges::any_of(expected, is_float)) {
      change = "cast to " + names_of(expected);
    } else if (is_level(found)) {
      change = "quantise to " + names_of(expected);
    } else if (found == DType::kInt32 && Facts::is_border(node_)) {
      change = "keep biases in floats";
    }
    const std::string prefix = float_fault ? "" : fmt::format("{}: ", what);  // a float node is one fault, not three
    add(fmt::format("{}found {}, expected {}", prefix, to_string(found), names_of(expected)), std::move(change), float_fault);
  }

  void check_types() {
    const Types& types = rule_.types ? *rule_.types : target_.types;
    const Types& weights = rule_.weights ? *rule_.weights : target_.weights ? *target_.weights : types;
    const Types& outputs = rule_.outputs ? *rule_.outputs : types;
    // The border of integers is looked at from outside, everything else from inside.
    const auto dtype = [&](ValueId id) { return Facts::is_border(node_) ? type(id).dtype : facts_.dtype(id); };
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const ValueId id = node_.inputs[i];
      if (id == kNoValue || is_setting(i) || (Facts::is_border(node_) && i > 0)) continue;
      const auto found = dtype(id);
      const bool constant = facts_.is_constant(id);
      if (!found) {
        add("input: found an unknown element type, expected a known one", "");
      } else if (!constant) {
        check_type(*found, types, "input");
      } else if (Facts::is_border(node_) || !is_plain(*found)) {
        // Where a rule does not speak of weights, a constant may take part as an activation would (y = x + 0.5).
        if (rule_.weights || !contains(types, *found)) check_type(*found, weights, "constant");
      }
    }
    for (const ValueId id : node_.outputs) {
      if (id == kNoValue) continue;
      if (const auto found = dtype(id)) check_type(*found, outputs, "output");
    }
  }

  void check_constants() {
    for (const std::int64_t place : rule_.constants) {
      const auto i = static_cast<std::size_t>(place);
      if (i >= node_.inputs.size() || node_.inputs[i] == kNoValue || facts_.is_constant(node_.inputs[i])) continue;
      add(fmt::format("input {}: found a computed value, expected a constant", place), "make it a constant");
    }
  }

  void check_quantization() {
    const auto look = [&](ValueId id, bool constant) {
      const auto dtype = facts_.dtype(id);
      const auto quantization = facts_.quantization(id);
      if (!dtype || !is_level(*dtype) || !quantization) return;
      if (quantization->scales.size() > 1 && (!constant || !rule_.limits.per_channel))
        add(fmt::format("{}: found a scale a channel, expected one", constant ? "constant" : "value"), "quantise with one scale a tensor");
      const bool zero = std::ranges::all_of(quantization->zero_points, [](std::int64_t point) { return point == 0; });
      const bool must =
          rule_.symmetric == Symmetric::kAll || (constant && rule_.symmetric == Symmetric::kWeights && *dtype == DType::kInt8);
      if (!zero && must)
        add(fmt::format("{}: found a zero point other than 0, expected 0", constant ? "constant" : "value"),
            "quantise symmetrically, to int8 with zero point 0");
    };
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      if (node_.inputs[i] != kNoValue && !is_setting(i) && !(Facts::is_border(node_) && i > 0))
        look(node_.inputs[i], facts_.is_constant(node_.inputs[i]));
    }
    for (const ValueId id : node_.outputs) {
      if (id != kNoValue) look(id, facts_.is_constant(id));
    }
  }

  void check_largest(std::string_view what, const std::vector<std::int64_t>& found, const std::optional<std::int64_t>& most) {
    if (!most || found.empty()) return;
    if (const std::int64_t largest = std::ranges::max(found); largest > *most)
      add(fmt::format("{}: found {}, expected at most {}", what, largest, *most), "");
  }

  void check_window() {
    const Limits& limits = rule_.limits;
    const Window window = facts_.window(node_);
    check_largest("kernel", window.kernel, limits.max_kernel);
    check_largest("stride", window.strides, limits.max_stride);
    check_largest("dilation", window.dilations, limits.max_dilation);
    if (limits.max_stride && std::ranges::any_of(window.strides, [](std::int64_t stride) { return stride < 0; }))
      add("stride: found a negative one, expected a positive one", "");
    const bool equal = std::ranges::all_of(window.dilations, [&](std::int64_t one) { return one == window.dilations.front(); });
    if (limits.equal_dilations && !equal) add("dilation: found different ones along the axes, expected one", "");
    if (limits.keep_batch && facts_.touches_batch(node_))
      add("found work along axis 0, expected the batch left alone", "work along the other axes only");
  }

  void check_attributes() {
    for (const AttributeRule& rule : rule_.attributes) {
      const auto it = node_.attributes.find(rule.name);
      if (it == node_.attributes.end()) continue;
      const std::string found = text_of(it->second);
      if (!rule.is.empty() && std::ranges::find(rule.is, found) == rule.is.end()) {
        add(fmt::format("{}: found {:.60}, expected {}", rule.name, found, fmt::join(rule.is, " or ")), "");
      }
      if (!rule.max) continue;
      const auto* one = std::get_if<std::int64_t>(&it->second);
      const auto* many = std::get_if<std::vector<std::int64_t>>(&it->second);
      if ((one != nullptr && *one > *rule.max) ||
          (many != nullptr && std::ranges::any_of(*many, [&](std::int64_t n) { return n > *rule.max; })))
        add(fmt::format("{}: found {:.60}, expected at most {}", rule.name, found, *rule.max), "");
    }
  }

  const Facts& facts_;
  const Target& target_;
  const OpRule& rule_;
  const Node& node_;
  std::vector<Fault> faults_;
};

}  // namespace

const OpRule* find_rule(const Target& target, const Node& node) {
  auto it = target.rule_of.find(op_name(node));
  const bool of_the_format = node.domain.empty() || node.domain == "tflite";
  if (it == target.rule_of.end() && of_the_format) it = target.rule_of.find("any");
  return it == target.rule_of.end() ? nullptr : &target.ops[it->second];
}

std::string how_to_fix_extents(const Graph& graph) {
  std::set<std::string> named;
  bool unnamed = false;
  for (const ValueId id : graph.inputs) {
    const auto& shape = graph.value(id).type.shape;
    for (const Dim& dim : shape ? *shape : SymbolicShape()) {
      if (dim.known()) continue;
      if (dim.symbol.empty()) unnamed = true;
      if (!dim.symbol.empty()) named.insert(dim.symbol);
    }
  }
  std::string out;
  for (const std::string& name : named) out += fmt::format(" --dim {:.60}=1", name);
  if (unnamed) out += " --batch 1";
  return out.empty() ? out : "fix the open extents of the inputs:" + out;
}

std::vector<Fault> find_faults(const Facts& facts, const Target& target, const Node& node) {
  const OpRule* rule = find_rule(target, node);
  if (rule != nullptr) return Check(facts, target, *rule, node).run();
  const auto it = target.instead.find(op_name(node));
  return {{"found an op that is not among those of the target", it == target.instead.end() ? std::string() : it->second}};
}

}  // namespace moru::model::targets
