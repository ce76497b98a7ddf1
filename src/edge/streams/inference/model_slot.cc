// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/log.h"
#include "edge/streams/stages/infer.h"

namespace moru::edge {

void ModelSlot::add_reader(std::weak_ptr<ModelReader> reader) {
  const std::lock_guard lock(mutex_);
  readers_.push_back(std::move(reader));
}

/// What goes wrong now goes wrong again, and is told, at the model's first item.
void ModelSlot::get_ready(const std::shared_ptr<LoadedModel>& model) {
  std::vector<std::weak_ptr<ModelReader>> readers;
  {
    const std::lock_guard lock(mutex_);
    if (model == nullptr || model == current_ || model == shadow_) return;
    std::erase_if(readers_, [](const auto& reader) { return reader.expired(); });
    readers = readers_;
  }
  for (const auto& each : readers) {
    const auto reader = each.lock();
    if (reader == nullptr) continue;
    if (const auto status = reader->get_ready(model); !status)
      MORU_LOG(kWarn, "a model is not ready", "release", model->release, "error", status.error().message);
  }
}

std::shared_ptr<LoadedModel> ModelSlot::swap(std::shared_ptr<LoadedModel> model) {
  get_ready(model);
  {
    const std::lock_guard lock(mutex_);
    current_.swap(model);
    stats_ = {};
    current_ns_.reset();
  }
  changed_.notify_all();
  return model;
}

void ModelSlot::set_shadow(std::shared_ptr<LoadedModel> candidate) {
  get_ready(candidate);
  const std::lock_guard lock(mutex_);
  shadow_.swap(candidate);
  shadow_stats_ = {};
  shadow_current_ns_.reset();
  shadow_candidate_ns_.reset();
}

wire::ShadowStats ModelSlot::shadow_stats() const {
  const std::lock_guard lock(mutex_);
  wire::ShadowStats stats = shadow_stats_;
  stats.current_p99_ns = shadow_current_ns_.quantile(0.99);
  stats.candidate_p99_ns = shadow_candidate_ns_.quantile(0.99);
  return stats;
}

InferenceStats ModelSlot::stats() const {
  const std::lock_guard lock(mutex_);
  InferenceStats stats = stats_;
  stats.p99_ns = current_ns_.quantile(0.99);
  return stats;
}

bool ModelSlot::has_model() const {
  const std::lock_guard lock(mutex_);
  return current_ != nullptr;
}

ModelSlot::Taken ModelSlot::take() const {
  const std::lock_guard lock(mutex_);
  return {current_, shadow_};
}

ModelSlot::Taken ModelSlot::wait(const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return current_ != nullptr; });
  return {current_, shadow_};
}

void ModelSlot::count(const std::shared_ptr<LoadedModel>& model, bool ok, bool labelled, bool right, TimeNs duration) {
  const std::lock_guard lock(mutex_);
  if (model != current_) return;
  ++stats_.items;
  if (!ok) {
    ++stats_.errors;
    return;
  }
  current_ns_.record(duration);
  if (labelled) ++stats_.labelled;
  if (labelled && right) ++stats_.right;
}

void ModelSlot::count_shadow(const std::shared_ptr<LoadedModel>& candidate, const ShadowResult& result) {
  const std::lock_guard lock(mutex_);
  if (candidate != shadow_) return;
  ++shadow_stats_.items;
  shadow_current_ns_.record(result.current_ns);
  if (!result.ok) ++shadow_stats_.errors;
  if (result.ok) shadow_candidate_ns_.record(result.candidate_ns);
  if (result.ok && result.agree) ++shadow_stats_.agree;
  if (!result.labelled) return;
  // A candidate that fails an item has not named its class: the gate must see that as being wrong.
  ++shadow_stats_.labelled;
  const bool candidate_right = result.ok && result.candidate_right;
  if (result.current_right && candidate_right) ++shadow_stats_.both_right;
  if (result.current_right && !candidate_right) ++shadow_stats_.only_current;
  if (!result.current_right && candidate_right) ++shadow_stats_.only_candidate;
}

}  // namespace moru::edge
