// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, d1, ..., dr]"},
                                {"grid", "[N, o1, ..., or, r]: places in X, the last axis first, from -1 to 1"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, o1, ..., or]"}};
constexpr AttributeSpec kAttributes[] = {
    {"align_corners", AttributeKind::kInt, "1: -1 and 1 are the middles of the outer pixels; 0: their outer edges; 0"},
    {"mode", AttributeKind::kString, "linear, nearest or cubic; linear"},
    {"padding_mode", AttributeKind::kString, "outside: zeros, border (the outer pixel) or reflection; zeros"}};
constexpr OpExample kExamples[] = {{"The middle, and a corner", R"(graph "grid_sample" {
  init x = float32[1, 1, 2, 2] {1, 2, 3, 4}
  init grid = float32[1, 1, 2, 2] {0, 0, 1, -1}
  y = GridSample(x, grid) {align_corners = 1}
  output y
})",
                                    "float32[1, 1, 1, 2] {2.5, 2}"},
                                   {"The nearest in a volume; of two that are as near, the even one", R"(graph "grid_sample_volume" {
  opset 22
  init x = float32[1, 1, 1, 1, 2] {1, 2}
  init grid = float32[1, 1, 1, 1, 3] {0, 0, 0}
  y = GridSample(x, grid) {align_corners = 1, mode = "nearest"}
  output y
})",
                                    "float32[1, 1, 1, 1, 1] {1}"}};

enum class Mode : std::uint8_t { kLinear, kNearest, kCubic };
enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };

struct Settings {
  bool align_corners = false;
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
};

Result<std::size_t> word_of(const Node& node, std::string_view name, const std::array<std::string_view, 3>& words) {
  MORU_ASSIGN_OR_RETURN(const std::string word, string_attribute(node, name, std::string(words[0])));
  const auto it = std::ranges::find(words, word);
  if (it != words.end()) return static_cast<std::size_t>(it - words.begin());
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attribute '{}': found '{:.40}', expected {}, {} or {}", name, word, words[0], words[1], words[2]));
}

Result<Settings> settings_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t align_corners, int_attribute(node, "align_corners", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t mode, word_of(node, "mode", {"linear", "nearest", "cubic"}));
  MORU_ASSIGN_OR_RETURN(const std::size_t padding, word_of(node, "padding_mode", {"zeros", "border", "reflection"}));
  return Settings{align_corners != 0, static_cast<Mode>(mode), static_cast<Padding>(padding)};
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(settings_of(context.node()));
  for (const std::size_t i : {0U, 1U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kReals));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* grid = ops::shape_of(context, 1);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x != nullptr && x->size() < 3) return ops::input_error(context, 0, fmt::format("found rank {}, expected 3 or more", x->size()));
  if (x == nullptr || grid == nullptr) return {};
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, x->size(), "as X"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, (*x)[0], "as X"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, grid->size() - 1, Dim{std::ssize(*x) - 2, {}}, "a number an axis"));
  SymbolicShape y = *x;
  y[0] = *ops::merge((*x)[0], (*grid)[0]);
  for (std::size_t axis = 2; axis < y.size(); ++axis) y[axis] = (*grid)[axis - 1];
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

/// Mirrored at low and high until it lies between them.
double reflect(double at, double low, double high) {
  const double range = high - low;
  if (!(range > 0)) return low;
  const double distance = std::fmod(std::abs(at - low), 2 * range);
  return low + std::min(distance, 2 * range - distance);
}

/// Which pixel stands at `index`; -1 for a zero.
std::int64_t pixel_at(std::int64_t index, std::int64_t extent, const Settings& settings) {
  if (index >= 0 && index < extent) return index;
  if (settings.padding == Padding::kZeros) return -1;
  const double edge = settings.align_corners ? 0 : 0.5;
  const double place = settings.padding == Padding::kReflection
                           ? reflect(static_cast<double>(index), -edge, static_cast<double>(extent - 1) + edge)
                           : static_cast<double>(index);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(place), 0, extent - 1);
}

/// The pixels of one axis that a place is made of.
struct Taps {
  std::size_t count = 0;
  std::array<std::int64_t, 4> index{};
  std::array<double, 4> weight{};
};

std::array<double, 4> cubic_weights(double rest) {
  constexpr double kA = -0.75;  // as in PyTorch, which ONNX follows
  const auto far = [](double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  return {far(rest + 1), near(rest), near(1 - rest), far(2 - rest)};
}

/// `normal` is from -1 to 1. The place is computed in the grid's own type, so that halves are where other runtimes see them.
template <class T>
double place_of(T normal, std::int64_t extent, bool align_corners) {
  const T length = static_cast<T>(extent);
  return static_cast<double>(align_corners ? (normal + 1) / 2 * (length - 1) : ((normal + 1) * length - 1) / 2);
}

Taps taps_at(double place, std::int64_t extent, const Settings& settings) {
  if (settings.mode == Mode::kNearest) place = std::nearbyint(place);  // halves to even, as PyTorch does
  const double edge = settings.align_corners ? 0 : 0.5;
  const double low = -edge;
  const double high = static_cast<double>(extent - 1) + edge;
  const bool is_outside = !(place >= low && place <= high);
  if (is_outside && settings.padding == Padding::kReflection) place = reflect(place, low, high);
  if (is_outside && settings.padding == Padding::kBorder) place = std::clamp(place, 0.0, static_cast<double>(extent - 1));
  // Far outside is as good as just outside, and NaN is nowhere.
  place = std::isnan(place) ? -4.0 : std::clamp(place, -4.0, static_cast<double>(extent) + 4.0);
  if (settings.mode == Mode::kNearest) return {1, {pixel_at(static_cast<std::int64_t>(place), extent, settings)}, {1}};
  const auto first = static_cast<std::int64_t>(std::floor(place));
  const double rest = place - static_cast<double>(first);
  if (settings.mode == Mode::kLinear) {
    return {2, {pixel_at(first, extent, settings), pixel_at(first + 1, extent, settings)}, {1 - rest, rest}};
  }
  Taps taps{4, {}, cubic_weights(rest)};
  for (std::size_t i = 0; i < 4; ++i) taps.index[i] = pixel_at(first - 1 + static_cast<std::int64_t>(i), extent, settings);
  return taps;
}

/// The sum over all combinations of the axes' taps.
double sum_of(const double* plane, std::span<const Taps> taps, std::span<const std::int64_t> strides) {
  if (taps.empty()) return *plane;
  double sum = 0;
  for (std::size_t i = 0; i < taps[0].count; ++i) {
    if (taps[0].index[i] < 0) continue;
    sum += taps[0].weight[i] * sum_of(plane + taps[0].index[i] * strides[0], taps.subspan(1), strides.subspan(1));
  }
  return sum;
}

template <class T>
double place_in(const Tensor& grid, std::size_t at, std::int64_t extent, bool align_corners) {
  using C = ops::Compute<T>;
  return place_of<C>(static_cast<C>(grid.data<T>()[at]), extent, align_corners);
}

template <class T>
void sample(const Tensor& x, const Tensor& grid, const Settings& settings, std::span<double> y) {
  const Dims& dims = x.dims();
  const std::size_t rank = dims.size() - 2;
  const auto spatial = std::span(dims).subspan(2);
  const auto strides = ops::strides_of(spatial);
  const std::int64_t plane = ops::product_of(spatial);
  const std::int64_t places = ops::product_of(std::span(grid.dims()).subspan(1, rank));
  std::vector<Taps> taps(rank);
  for (std::int64_t i = 0; i < dims[0] * places; ++i) {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const std::size_t at = static_cast<std::size_t>(i) * rank + rank - 1 - axis;
      taps[axis] = taps_at(place_in<T>(grid, at, spatial[axis], settings.align_corners), spatial[axis], settings);
    }
    for (std::int64_t c = 0; c < dims[1]; ++c) {
      const std::int64_t image = i / places * dims[1] + c;
      y[static_cast<std::size_t>(image * places + i % places)] = sum_of(x.data<double>().data() + image * plane, taps, strides);
    }
  }
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Settings settings, settings_of(context.node));
  if (context.outputs[0].count() == 0) return {};
  if (context.input(0).count() == 0) return fail(ErrorCode::kInvalidArgument, "input 0 (X): found no pixels, expected some");
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::kFloat64, context.outputs[0].dims()));
  MORU_RETURN_IF_ERROR(ops::for_float_dtype(context.input(1).dtype(), [&]<class T>() -> Status {
    sample<T>(x, context.input(1), settings, y.mutable_data<double>());
    return {};
  }));
  return ops::round_into(y.data<double>(), context.outputs[0]);
}

/// Opset 20 renamed the modes.
void rename_mode(Node& node, std::string_view from, std::string_view to) {
  const auto it = node.attributes.find("mode");
  const std::string* mode = it == node.attributes.end() ? nullptr : std::get_if<std::string>(&it->second);
  if (mode != nullptr && *mode == from) it->second = std::string(to);
}

Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 20) return {};
  rename_mode(rewrite.node, "bilinear", "linear");
  rename_mode(rewrite.node, "bicubic", "cubic");
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 20) return {};
  const SymbolicShape* x = ops::shape_of(rewrite, 0);
  if (x != nullptr && x->size() != 4) return ops::not_in_opset(rewrite, "GridSample of other than images");
  rename_mode(rewrite.node, "linear", "bilinear");
  rename_mode(rewrite.node, "cubic", "bicubic");
  return {};
}

}  // namespace

extern const OpSpec kOp_grid_sample;
const OpSpec kOp_grid_sample{
    .name = "GridSample",
    .domain = "",
    .since = 16,
    .doc =
        "Values of X at the places that grid names, interpolated between pixels: Y[n, c, p] = X[n, c] at grid[n, p] "
        "(Jaderberg et al., \"Spatial Transformer Networks\", 2015).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
