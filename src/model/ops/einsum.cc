// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"inputs", "one or more of one type, an axis for each letter of their term"}};
constexpr PortSpec kOutputs[] = {{"output", "an axis for each letter behind the arrow"}};
constexpr AttributeSpec kAttributes[] = {{"equation", AttributeKind::kString, "\"ij,jk->ik\"", true}};
constexpr OpExample kExamples[] = {{"A product of matrices", R"(graph "einsum" {
  init a = float32[2, 2] {1, 2, 3, 4}
  init b = float32[2, 2] {1, 1, 0, 1}
  y = Einsum(a, b) {equation = "ij,jk->ik"}
  output y
})",
                                    "float32[2, 2] {1, 3, 3, 7}"},
                                   {"Traces of a batch", R"(graph "einsum" {
  init x = float32[2, 2, 2] {1, 2, 3, 4, 5, 6, 7, 8}
  y = Einsum(x) {equation = "...ii->..."}
  output y
})",
                                    "float32[2] {5, 13}"}};

/// Letters are 'A' to 'Z' and 'a' to 'z'; the axes of an ellipsis are numbered from its end: kEllipsis is the last one.
using Letters = std::vector<int>;
constexpr int kEllipsis = 1000;
constexpr std::size_t kMaxTerm = 64;

struct Equation {
  std::vector<Letters> terms;
  Letters output;
  Letters letters;  ///< each once: those of the output, then those that are summed over
};

std::unexpected<Error> bad_equation(std::string_view message) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'equation': {}", message));
}

/// `ellipsis` is how many axes "..." stands for.
Result<Letters> read_term(std::string_view text, std::size_t ellipsis) {
  Letters letters;
  bool seen = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (text.substr(i).starts_with("...") && !seen) {
      for (std::size_t k = ellipsis; k > 0; --k) letters.push_back(kEllipsis + static_cast<int>(k) - 1);
      seen = true;
      i += 2;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      letters.push_back(c);
    } else {
      return bad_equation(fmt::format("found {} in a term, expected letters and at most one '...'", in_quotes(text.substr(i, 1))));
    }
    if (letters.size() > kMaxTerm) return bad_equation(fmt::format("found a term of more than {} axes, expected less", kMaxTerm));
  }
  return letters;
}

std::size_t count_letters(std::string_view term) {
  return static_cast<std::size_t>(std::ranges::count_if(term, [](char c) { return c != ' ' && c != '.'; }));
}

/// The axes that each term has beyond its letters; without "..." none.
Result<std::vector<std::size_t>> ellipsis_axes(std::span<const std::string_view> terms, std::span<const std::size_t> ranks) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::size_t letters = count_letters(terms[i]);
    const bool has_ellipsis = terms[i].find("...") != std::string_view::npos;
    if (ranks[i] < letters || (!has_ellipsis && ranks[i] != letters)) {
      return bad_equation(fmt::format("found {} letters for input {} of rank {}, expected one an axis", letters, i, ranks[i]));
    }
    axes.push_back(ranks[i] - letters);
  }
  return axes;
}

/// Without an arrow: the axes of "...", then the letters that stand once, in order.
Letters implicit_output(const std::vector<Letters>& terms, std::size_t ellipsis) {
  Letters output;
  for (std::size_t k = ellipsis; k > 0; --k) output.push_back(kEllipsis + static_cast<int>(k) - 1);
  Letters all;
  for (const Letters& term : terms) all.insert(all.end(), term.begin(), term.end());
  std::ranges::sort(all);
  for (const int letter : all) {
    if (letter < kEllipsis && std::ranges::count(all, letter) == 1) output.push_back(letter);
  }
  return output;
}

Result<Equation> read_equation(const Node& node, std::span<const std::size_t> ranks) {
  const auto it = node.attributes.find("equation");
  const auto* text = it != node.attributes.end() ? std::get_if<std::string>(&it->second) : nullptr;
  if (text == nullptr) return bad_equation("found none, expected a text");
  const std::string_view whole = *text;
  const std::size_t arrow = whole.find("->");
  const auto terms = split(whole.substr(0, arrow), ',');
  if (terms.size() != ranks.size())
    return bad_equation(fmt::format("found {} terms, expected {}, one an input", terms.size(), ranks.size()));
  MORU_ASSIGN_OR_RETURN(const auto axes, ellipsis_axes(terms, ranks));
  const std::size_t widest = *std::ranges::max_element(axes);
  Equation equation;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto letters, read_term(terms[i], axes[i]));
    equation.terms.push_back(std::move(letters));
  }
  equation.output = implicit_output(equation.terms, widest);
  if (arrow != std::string_view::npos) {
    MORU_ASSIGN_OR_RETURN(equation.output, read_term(whole.substr(arrow + 2), widest));
  }
  equation.letters = equation.output;
  const auto has = [&](int letter) { return std::ranges::find(equation.letters, letter) != equation.letters.end(); };
  Letters sorted = equation.output;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return bad_equation("found a letter twice behind the arrow, expected it once");
  for (const Letters& term : equation.terms) {
    for (const int letter : term) {
      if (!has(letter)) equation.letters.push_back(letter);
    }
  }
  for (const int letter : equation.output) {
    const auto in = [&](const Letters& term) { return std::ranges::find(term, letter) != term.end(); };
    if (!std::ranges::any_of(equation.terms, in))
      return bad_equation("found a letter behind the arrow that no term has, expected one of theirs");
  }
  return equation;
}

std::size_t place_of(const Equation& equation, int letter) {
  return static_cast<std::size_t>(std::ranges::find(equation.letters, letter) - equation.letters.begin());
}

/// The extent of each letter. An axis of "..." may stretch from 1; so may a letter, as in NumPy.
Result<SymbolicShape> extents(const InferContext& context, const Equation& equation) {
  SymbolicShape dims(equation.letters.size(), Dim{1, {}});
  for (std::size_t i = 0; i < equation.terms.size(); ++i) {
    const SymbolicShape& shape = *ops::shape_of(context, i);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      Dim& dim = dims[place_of(equation, equation.terms[i][axis])];
      const auto both = ops::broadcast({dim}, {shape[axis]});
      if (!both)
        return ops::input_error(context, i,
                                fmt::format("found extent {} in axis {}, expected {} or 1", shape[axis].value, axis, dim.value));
      dim = both->front();
    }
  }
  return dims;
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumbers));
  context.set_output(0, {dtype, std::nullopt});
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    const SymbolicShape* shape = ops::shape_of(context, i);
    if (shape == nullptr) return {};
    ranks.push_back(shape->size());
  }
  MORU_ASSIGN_OR_RETURN(const Equation equation, read_equation(context.node(), ranks));
  MORU_ASSIGN_OR_RETURN(SymbolicShape dims, extents(context, equation));
  dims.resize(equation.output.size());
  context.set_output(0, {dtype, std::move(dims)});
  return {};
}

/// How far input `i` moves for a step of each letter.
std::vector<std::int64_t> letter_strides(const Equation& equation, const Tensor& input, const Letters& term) {
  std::vector<std::int64_t> strides(equation.letters.size(), 0);
  const auto own = ops::strides_of(input.dims());
  for (std::size_t axis = 0; axis < term.size(); ++axis) {
    if (input.dims()[axis] != 1) strides[place_of(equation, term[axis])] += own[axis];
  }
  return strides;
}

template <class T>
void sum_products(EvalContext& context, const Equation& equation) {
  Dims dims(equation.letters.size(), 1);
  std::vector<std::vector<std::int64_t>> strides;
  for (std::size_t i = 0; i < equation.terms.size(); ++i) {
    const Dims& own = context.input(i).dims();
    for (std::size_t axis = 0; axis < own.size(); ++axis) {
      std::int64_t& dim = dims[place_of(equation, equation.terms[i][axis])];
      if (own[axis] != 1) dim = own[axis];
    }
    strides.push_back(letter_strides(equation, context.input(i), equation.terms[i]));
  }
  const std::span<const std::int64_t> summed = std::span(dims).subspan(equation.output.size());
  std::vector<std::int64_t> index(dims.size(), 0);
  const auto inner = std::span(index).subspan(equation.output.size());
  const bool is_empty = ops::product_of(summed) == 0;
  for (T& y : context.outputs[0].mutable_data<T>()) {
    ops::Wide<T> sum{0};
    do {
      if (is_empty) break;
      ops::Wide<T> product{1};
      for (std::size_t i = 0; i < strides.size(); ++i) {
        std::int64_t at = 0;
        for (std::size_t k = 0; k < index.size(); ++k) at += index[k] * strides[i][k];
        product = ops::wrap_multiply(product, ops::widen(context.input(i).data<T>()[static_cast<std::size_t>(at)]));
      }
      sum = ops::wrap_add(sum, product);
    } while (ops::next_index(inner, summed));
    y = ops::narrow<T>(sum);
    ops::next_index(std::span(index).first(equation.output.size()), std::span<const std::int64_t>(dims).first(equation.output.size()));
  }
}

Status reference(EvalContext& context) {
  std::vector<std::size_t> ranks;
  for (const Tensor* input : context.inputs) ranks.push_back(input->rank());
  MORU_ASSIGN_OR_RETURN(const Equation equation, read_equation(context.node, ranks));
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    sum_products<T>(context, equation);
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_einsum;
constinit const OpSpec kOp_einsum{
    .name = "Einsum",
    .domain = "",
    .since = 12,
    .doc =
        "Sums of products by Einstein's convention: a letter names an axis of the inputs, those that do not "
        "stand behind the arrow are summed over, and \"...\" stands for axes that stretch. Made in double and "
        "rounded once; integers wrap around.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .variadic_inputs = true,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
