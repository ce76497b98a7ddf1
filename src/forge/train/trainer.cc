// SPDX-License-Identifier: Apache-2.0
#include "forge/train/trainer.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace moru::forge {
namespace {

constexpr std::string_view kLibraryFile = "libmoru_trainer.so";

/// MORU_TRAINER_LIBRARY, else ../lib/ beside the program, else ../lib/moru/ (installed).
Result<Path> find_library() {
  if (const char* named = std::getenv("MORU_TRAINER_LIBRARY"); named != nullptr && *named != '\0') return Path(named);
  std::error_code error;
  const Path program = std::filesystem::read_symlink("/proc/self/exe", error);
  for (const char* folder : {"../lib", "../lib/moru"}) {
    const Path path = program.parent_path() / folder / kLibraryFile;
    if (!error && std::filesystem::exists(path, error)) return path.lexically_normal();
  }
  return fail(ErrorCode::kUnavailable,
              fmt::format("trainer: {} is not beside the program '{}', expected it in ../lib; build Moru with MORU_TRAINER=ON (apt install "
                          "libtorch-dev libopenblas0-pthread), or set MORU_TRAINER_LIBRARY",
                          kLibraryFile, program.string()));
}

/// The library, loaded once it is there; a failure is tried again at the next call (it may have been installed).
Result<const MoruTrainerTable*> trainer_library() {
  static std::mutex mutex;
  static const MoruTrainerTable* loaded = nullptr;
  const std::scoped_lock lock(mutex);
  if (loaded == nullptr) {
    MORU_ASSIGN_OR_RETURN(const Path path, find_library());
    MORU_ASSIGN_OR_RETURN(loaded, open_trainer_library(path));
  }
  return loaded;
}

using ErrorText = std::array<char, 512>;

Status check(int code, const ErrorText& text, std::string_view where) {
  if (code == 0) return {};
  return fail(ErrorCode::kInternal, fmt::format("trainer: {}: {}, expected success", where, text.data()));
}

}  // namespace

Result<const MoruTrainerTable*> open_trainer_library(const Path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return fail(ErrorCode::kUnavailable, fmt::format("trainer: {}, expected a library that loads; apt install libtorch1.13 libopenblas0-pthread", ::dlerror()));
  }
  using TableFunction = const MoruTrainerTable* (*)();
  const auto function = reinterpret_cast<TableFunction>(::dlsym(library, kMoruTrainerSymbol));
  if (function == nullptr) return fail(ErrorCode::kUnavailable, fmt::format("trainer: '{}' has no symbol {}, expected Moru's trainer", path.string(), kMoruTrainerSymbol));
  const MoruTrainerTable* table = function();
  if (table->version != kMoruTrainerVersion) {
    return fail(ErrorCode::kUnavailable, fmt::format("trainer: '{}' has interface version {}, expected {}; build both from one source", path.string(),
                                                     table->version, kMoruTrainerVersion));
  }
  return table;
}

Result<std::string> Trainer::library_version() {
  MORU_ASSIGN_OR_RETURN(const MoruTrainerTable* table, trainer_library());
  return std::string(table->library);
}

Result<Trainer> Trainer::create(const Network& network, int threads) {
  MORU_RETURN_IF_ERROR(check_network(network));
  if (threads < 1 || threads > 1024) return fail(ErrorCode::kInvalidArgument, fmt::format("trainer: found {} threads, expected 1 to 1024", threads));
  MORU_ASSIGN_OR_RETURN(const MoruTrainerTable* table, trainer_library());
  const MoruNetwork plain{.layers = network.layers.data(),
                          .layer_count = static_cast<std::int32_t>(network.layers.size()),
                          .channels = static_cast<std::int32_t>(network.channels),
                          .height = static_cast<std::int32_t>(network.height),
                          .width = static_cast<std::int32_t>(network.width)};
  ErrorText error{};
  void* handle = table->create(&plain, threads, error.data(), error.size());
  MORU_RETURN_IF_ERROR(check(handle == nullptr ? -1 : 0, error, network.name));
  return Trainer(table, handle, network);
}

Trainer::Trainer(const MoruTrainerTable* table, void* handle, const Network& network)
    : table_(table),
      handle_(handle),
      weight_count_(weight_count(network)),
      image_size_(static_cast<std::size_t>(network.channels * network.height * network.width)),
      classes_(static_cast<std::size_t>(network.classes)) {}

Trainer::Trainer(Trainer&& other) noexcept
    : table_(other.table_),
      handle_(std::exchange(other.handle_, nullptr)),
      weight_count_(other.weight_count_),
      image_size_(other.image_size_),
      classes_(other.classes_) {}

Trainer& Trainer::operator=(Trainer&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(handle_, other.handle_);
  std::swap(weight_count_, other.weight_count_);
  std::swap(image_size_, other.image_size_);
  std::swap(classes_, other.classes_);
  return *this;
}

Trainer::~Trainer() {
  if (handle_ != nullptr) table_->destroy(handle_);
}

Status Trainer::set_weights(const Weights& weights) {
  if (weights.size() != weight_count_) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("trainer: found {} weights, expected {}", weights.size(), weight_count_));
  }
  ErrorText error{};
  return check(table_->set_weights(handle_, weights.data(), static_cast<std::int64_t>(weights.size()), error.data(), error.size()), error, "set weights");
}

Result<Weights> Trainer::weights() const {
  Weights weights(weight_count_);
  ErrorText error{};
  MORU_RETURN_IF_ERROR(check(table_->get_weights(handle_, weights.data(), static_cast<std::int64_t>(weights.size()), error.data(), error.size()), error,
                             "get weights"));
  return weights;
}

Result<StepResult> Trainer::step(std::span<const float> images, std::span<const std::int64_t> labels, const StepOptions& options) {
  if (labels.empty() || images.size() != labels.size() * image_size_) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("trainer: found {} pixels and {} labels, expected {} pixels for each of 1 or more labels",
                                                         images.size(), labels.size(), image_size_));
  }
  for (const std::int64_t label : labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= classes_) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("trainer: found label {}, expected 0 to {}", label, classes_ - 1));
    }
  }
  MoruStep step{.images = images.data(),
                .labels = labels.data(),
                .batch = static_cast<std::int64_t>(labels.size()),
                .learning_rate = options.learning_rate,
                .momentum = options.momentum,
                .weight_decay = options.weight_decay,
                .label_smoothing = options.label_smoothing,
                .loss = 0.0,
                .right = 0};
  ErrorText error{};
  MORU_RETURN_IF_ERROR(check(table_->step(handle_, &step, error.data(), error.size()), error, "step"));
  return StepResult{step.loss, step.right};
}

Status Trainer::predict(std::span<const float> images, std::span<float> logits) {
  const std::size_t batch = logits.size() / classes_;
  if (batch == 0 || logits.size() != batch * classes_ || images.size() != batch * image_size_) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("trainer: found {} pixels and room for {} logits, expected {} and {} for each image", images.size(),
                                                         logits.size(), image_size_, classes_));
  }
  ErrorText error{};
  return check(table_->predict(handle_, images.data(), static_cast<std::int64_t>(batch), logits.data(), error.data(), error.size()), error, "predict");
}

}  // namespace moru::forge
