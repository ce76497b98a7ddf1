// SPDX-License-Identifier: Apache-2.0
// Convolutions of 3 x 3 by fewer products: some tiles at a time, so that what is made of them stays in the second cache.
#include <algorithm>
#include <array>
#include <limits>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

using kernels::kWinogradPlaces;
using kernels::kWinogradTile;
using kernels::winograd_row;

/// Bytes of the matrices that are under way.
constexpr std::size_t kMatrixBytes = 262144;
constexpr int kSide = 6;

int tiles_of(int extent) { return (extent + kWinogradTile - 1) / kWinogradTile; }

int tiles_at_once(const ConvGeometry& it) {
  const auto row = static_cast<std::size_t>(winograd_row(it.channels) + winograd_row(it.outputs)) * sizeof(float);
  const auto most = static_cast<int>(kMatrixBytes / (row * kWinogradPlaces));
  return std::clamp(most, 1, tiles_of(it.out_h) * tiles_of(it.out_w));
}

/// Tiles of an image, and of one piece of the work.
int tiles_of(const ConvGeometry& it) { return tiles_of(it.out_h) * tiles_of(it.out_w); }
int pieces_of(const ConvGeometry& it) { return (tiles_of(it) + tiles_at_once(it) - 1) / tiles_at_once(it); }

class WinogradStep final : public SplitStep {
 public:
  struct Scratch {
    BufferId in = -1;   ///< [kWinogradPlaces, tiles at once, row]
    BufferId out = -1;  ///< the same of the products
  };

  WinogradStep(const ConvGeometry& geometry, const ConvBuffers& buffers, std::vector<MatrixF32> matrices, const kernels::WinogradOut& out,
               Scratch scratch, const kernels::WinogradF32Kernel& kernel)
      : SplitStep(geometry.batch * pieces_of(geometry)),
        it_(geometry),
        buffers_(buffers),
        matrices_(std::move(matrices)),
        out_(out),
        scratch_(scratch),
        kernel_(kernel) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const int of_image = pieces_of(it_);
    for (int piece = begin; piece < end; ++piece) tiles(frame, piece / of_image, piece % of_image * tiles_at_once(it_));
  }

 private:
  /// As many as fit, from the `first` of image n on.
  void tiles(const Frame& frame, int n, int first) const noexcept {
    const float* x = frame.at<const float>(buffers_.x) + std::ptrdiff_t{n} * it_.in_h * it_.in_w * it_.channels;
    auto* in = frame.at<float>(scratch_.in);
    auto* products = frame.at<float>(scratch_.out);
    const std::ptrdiff_t made = std::ptrdiff_t{n} * it_.out_h * it_.out_w * it_.outputs;
    kernels::WinogradOut out = out_;
    out.from = products;
    out.out = frame.at<float>(buffers_.y) + made;
    if (buffers_.residual >= 0) out.residual = frame.at<const float>(buffers_.residual) + made;
    out.first = first;
    out.count = std::min(tiles_at_once(it_), tiles_of(it_) - first);
    kernel_.to_tiles({it_.channels, it_.in_h, it_.in_w, it_.pad_top, it_.pad_left, x, out.tiles_across, first, out.count, in});
    const std::ptrdiff_t in_row = winograd_row(it_.channels);
    const std::ptrdiff_t out_row = winograd_row(it_.outputs);
    for (int place = 0; place < kWinogradPlaces; ++place) {
      matrices_[static_cast<std::size_t>(place)].run({.count = out.count, .a = in + place * out.count * in_row, .stride = in_row},
                                                     {.c = products + place * out.count * out_row, .stride = out_row}, kAllSlices);
    }
    kernel_.from_tiles(out);
  }

  ConvGeometry it_;
  ConvBuffers buffers_;
  std::vector<MatrixF32> matrices_;  ///< one a place
  kernels::WinogradOut out_;         ///< all but tiles, pointers to values
  Scratch scratch_;
  kernels::WinogradF32Kernel kernel_;
};

/// G w G^T of each output and channel, place by place: [kWinogradPlaces][O * C].
std::array<std::vector<float>, kWinogradPlaces> weights_of_places(std::span<const float> w) {
  constexpr double kG[kSide][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};
  constexpr std::size_t kTaps = 9;
  std::array<std::vector<float>, kWinogradPlaces> places;
  for (std::size_t place = 0; place < places.size(); ++place) {
    const auto& down = kG[place / kSide];
    const auto& across = kG[place % kSide];
    for (std::size_t at = 0; at < w.size(); at += kTaps) {
      double sum = 0;
      for (std::size_t tap = 0; tap < kTaps; ++tap) sum += down[tap / 3] * across[tap % 3] * double{w[at + tap]};
      places[place].push_back(static_cast<float>(sum));
    }
  }
  return places;
}

}  // namespace

bool suits_winograd(const ConvGeometry& it) {
  // With fewer channels the way to the matrices and back costs more than is saved; so it does where tiles are mostly empty.
  constexpr int kFewest = 16;
  constexpr int kUseful = 2;  // of a tile's places at least one in so many is an output
  if (it.kernel_h != 3 || it.kernel_w != 3 || it.stride_h != 1 || it.stride_w != 1 || it.dilation_h != 1 || it.dilation_w != 1)
    return false;
  const int places = tiles_of(it.out_h) * tiles_of(it.out_w) * kWinogradTile * kWinogradTile;
  return it.group == 1 && it.channels >= kFewest && it.outputs >= kFewest && kUseful * it.out_h * it.out_w >= places;
}

Status add_winograd(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, std::span<const float> w,
                    std::span<const float> bias, Bounds bounds) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<MatrixF32> matrices;
  for (const std::vector<float>& place : weights_of_places(w)) {
    MORU_ASSIGN_OR_RETURN(const auto matrix,
                          make_matrix(lowering, place, {.n = geometry.outputs, .k = geometry.channels}, {}, {-kInf, kInf}));
    matrices.push_back(matrix);
  }
  kernels::WinogradOut out{.channels = geometry.outputs,
                           .height = geometry.out_h,
                           .width = geometry.out_w,
                           .tiles_across = tiles_of(geometry.out_w),
                           .low = bounds.low,
                           .high = bounds.high};
  MORU_ASSIGN_OR_RETURN(out.bias, keep_channels<float>(lowering, bias, 0, geometry.outputs));
  const auto bytes = [&](int channels) {
    return static_cast<std::size_t>(kWinogradPlaces * tiles_at_once(geometry) * winograd_row(channels)) * sizeof(float);
  };
  const WinogradStep::Scratch scratch{lowering.scratch(bytes(geometry.channels)), lowering.scratch(bytes(geometry.outputs))};
  std::vector<BufferId> uses = {buffers.x, buffers.y, scratch.in, scratch.out};
  if (buffers.residual >= 0) uses.push_back(buffers.residual);
  lowering.add(std::make_unique<WinogradStep>(geometry, buffers, std::move(matrices), out, scratch, *lowering.kernels().winograd_f32),
               uses);
  if (buffers.residual != buffers.x) lowering.may_overwrite(buffers.residual, buffers.y);
  return {};
}

}  // namespace moru::runtime::engine
