// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/sender.h"

#include <algorithm>
#include <limits>

#include "core/log.h"

namespace moru::edge {
namespace {

/// The longest wait for records: a wake() that comes just before it is caught this much later.
constexpr TimeNs kTick = 100 * kMillisecond;
constexpr TimeNs kAfterFailure = 200 * kMillisecond;

}  // namespace

Sender::Sender(SenderOptions options, Clock& clock, std::shared_ptr<Outbox> outbox, std::string stream, Publish publish)
    : options_(options), clock_(clock), outbox_(std::move(outbox)), stream_(std::move(stream)), publish_(std::move(publish)) {
  sent_ = outbox_->acknowledged();
  answered_ = sent_;
  thread_ = std::thread([this] { run(); });
}

Sender::~Sender() { stop(); }

void Sender::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  outbox_->wake();
  if (thread_.joinable()) thread_.join();
}

void Sender::connected(bool up) {
  {
    const std::lock_guard lock(mutex_);
    connected_ = up;
    reset_ = true;
  }
  wake_.notify_all();
  outbox_->wake();
}

void Sender::acknowledged(const wire::Ack& ack) {
  if (ack.stream != stream_) return;
  {
    const std::lock_guard lock(mutex_);
    answered_ = std::max(answered_, ack.sequence);
  }
  wake_.notify_all();
  outbox_->wake();
}

bool Sender::flush(TimeNs timeout) {
  const TimeNs deadline = clock_.steady_now() + timeout;
  std::unique_lock lock(mutex_);
  while (true) {
    lock.unlock();
    const bool done = outbox_->acknowledged() == outbox_->last();
    lock.lock();
    if (done || !connected_ || stopping_ || clock_.steady_now() >= deadline) return done;
    clock_.wait_until(lock, wake_, std::min(deadline, clock_.steady_now() + kTick));
  }
}

TimeNs Sender::answer_deadline() const {
  return in_flight_.empty() ? std::numeric_limits<TimeNs>::max() : in_flight_.front().sent + options_.answer_limit;
}

void Sender::begin_again() {
  in_flight_.clear();
  sent_ = outbox_->acknowledged();
  outbox_->mark_unsent();
}

void Sender::take_answers(std::uint64_t answered) {
  if (answered <= outbox_->acknowledged()) return;
  if (const Status status = outbox_->acknowledge(answered); !status) {
    MORU_LOG(kWarn, "answer of the hub not taken", "sequence", answered, "error", status.error().message);
    const std::lock_guard lock(mutex_);
    answered_ = outbox_->acknowledged();
    return;
  }
  while (!in_flight_.empty() && in_flight_.front().last <= answered) in_flight_.pop_front();
  sent_ = std::max(sent_, answered);
  wake_.notify_all();  // flush() looks again
}

void Sender::pause(TimeNs duration) {
  std::unique_lock lock(mutex_);
  const TimeNs deadline = clock_.steady_now() + duration;
  while (!stopping_ && clock_.steady_now() < deadline) clock_.wait_until(lock, wake_, deadline);
}

/// Takes over what other threads said, and waits where nothing can be sent. False when it is over.
bool Sender::may_send() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (reset_) {
      reset_ = false;
      begin_again();
    }
    const std::uint64_t answered = answered_;
    lock.unlock();
    take_answers(answered);
    if (clock_.steady_now() >= answer_deadline()) begin_again();
    lock.lock();
    if (stopping_ || reset_ || answered_ != answered) continue;
    if (connected_ && in_flight_.size() < options_.window) return true;
    // Without a connection only an event helps; with a full window also time does.
    clock_.wait_until(lock, wake_, std::min(answer_deadline(), clock_.steady_now() + kSecond));
  }
  return false;
}

Status Sender::send_next() {
  MORU_ASSIGN_OR_RETURN(auto records, outbox_->read(sent_, options_.max_records));
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < records.size() && (count == 0 || bytes + records[count].body.size() <= options_.max_bytes))
    bytes += records[count++].body.size();
  if (count == 0) return {};
  records.resize(count);
  const wire::RecordBatch batch{.stream = stream_, .records = std::move(records)};
  MORU_RETURN_IF_ERROR(publish_(batch));
  sent_ = batch.records.back().sequence;
  outbox_->mark_sent(sent_);
  in_flight_.push_back({sent_, clock_.steady_now()});
  return {};
}

void Sender::run() {
  while (may_send()) {
    const TimeNs wait = std::min(kTick, answer_deadline() - clock_.steady_now());
    if (!outbox_->wait_for_records(sent_, std::max<TimeNs>(wait, 0))) continue;
    const Status status = send_next();
    if (status) continue;
    MORU_LOG(kDebug, "records not sent", "error", status.error().message);
    pause(kAfterFailure);
  }
}

}  // namespace moru::edge
