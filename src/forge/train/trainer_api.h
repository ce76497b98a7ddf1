// SPDX-License-Identifier: Apache-2.0
// What the trainer's shared library (libmoru_trainer.so) says to the rest: plain types only, so that the library may
// be C++17 while its callers are C++23, and so that nobody else sees libtorch. Found by dlsym(kMoruTrainerSymbol).
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// Grows when anything below changes.
constexpr std::uint32_t kMoruTrainerVersion = 1;

enum MoruLayerKind : std::int32_t {
  kMoruConv = 0,       ///< [N, C, H, W] -> [N, O, H', W'], no bias. Weights: [O, C/groups, k, k].
  kMoruBatchNorm = 1,  ///< Per channel, epsilon 1e-5. Weights: scale [C], shift [C], running mean [C], running variance [C].
  kMoruRelu = 2,
  kMoruAdd = 3,            ///< input + second, of one shape.
  kMoruMaxPool = 4,        ///< kernel x kernel, of the given stride, no padding.
  kMoruGlobalAverage = 5,  ///< [N, C, H, W] -> [N, C].
  kMoruLinear = 6,         ///< [N, C] -> [N, O]. Weights: [O, C], then bias [O].
};

struct MoruLayer {
  std::int32_t kind = 0;
  std::int32_t input = 0;   ///< index of the layer whose output it takes; -1: the network's input
  std::int32_t second = 0;  ///< of kMoruAdd
  std::int32_t in_channels = 0;
  std::int32_t out_channels = 0;
  std::int32_t kernel = 0;
  std::int32_t stride = 1;
  std::int32_t padding = 0;
  std::int32_t groups = 1;
};

/// Borrowed for the call. The last layer gives the logits [N, classes].
struct MoruNetwork {
  const MoruLayer* layers;
  std::int32_t layer_count;
  std::int32_t channels;  ///< of the input
  std::int32_t height;
  std::int32_t width;
};

/// One step of stochastic gradient descent with Nesterov momentum on a cross-entropy loss. Weight decay acts on conv and
/// linear weights only.
struct MoruStep {
  const float* images;         ///< [batch, channels, height, width], normalised
  const std::int64_t* labels;  ///< [batch]
  std::int64_t batch;
  double learning_rate;
  double momentum;
  double weight_decay;
  double label_smoothing;
  double loss;         ///< out: mean over the batch
  std::int64_t right;  ///< out: arg max equals the label
};

/// Functions return 0, or -1 with a sentence in `error` (at most `error_size` bytes, ended by 0). A handle has one
/// owner. Weights are one flat array: layer by layer, in the order given with each kind.
struct MoruTrainerTable {
  std::uint32_t version;
  const char* library;                                                                                     ///< "libtorch 1.13.0"
  void* (*create)(const MoruNetwork* network, std::int32_t threads, char* error, std::size_t error_size);  ///< null on error
  int (*set_weights)(void* handle, const float* weights, std::int64_t count, char* error, std::size_t error_size);
  int (*get_weights)(void* handle, float* weights, std::int64_t count, char* error, std::size_t error_size);
  int (*step)(void* handle, MoruStep* step, char* error, std::size_t error_size);
  /// Logits of `batch` images with the running statistics; classes is the last layer's out_channels.
  int (*predict)(void* handle, const float* images, std::int64_t batch, float* logits, char* error, std::size_t error_size);
  void (*destroy)(void* handle);
};

}  // extern "C"

/// Name of the library's only symbol: `extern "C" const MoruTrainerTable* moru_trainer_table()`.
constexpr const char* kMoruTrainerSymbol = "moru_trainer_table";
