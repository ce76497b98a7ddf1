// SPDX-License-Identifier: Apache-2.0
#include "core/log.h"
#include "edge/streams/lane.h"

namespace moru::edge {

void StreamShared::note_error(std::string message) {
  const std::lock_guard lock(mutex);
  last_error = std::move(message);
}

void StreamShared::note_failure(const std::string& message) {
  {
    const std::lock_guard lock(mutex);
    last_error = message;
    if (failure.empty()) failure = message;
  }
  MORU_LOG(kError, "stream failed", "stream", name, "error", message);
}

void StreamShared::fail_stream(const std::string& message) {
  note_failure(message);
  stop.request_stop();
}

void StreamShared::prepared() {
  const std::lock_guard lock(mutex);
  --unprepared;
  changed.notify_all();
}

bool StreamShared::wait_until_prepared() {
  const std::stop_callback wake(stop.get_token(), [this] {
    const std::lock_guard lock(mutex);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return unprepared == 0 || stop.stop_requested(); });
  return !stop.stop_requested();
}

bool StreamShared::wait_until(TimeNs deadline) {
  const std::stop_callback wake(stop.get_token(), [this] {
    const std::lock_guard lock(mutex);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  while (!stop.stop_requested() && clock.steady_now() < deadline) clock.wait_until(lock, changed, deadline);
  return !stop.stop_requested();
}

}  // namespace moru::edge
