// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/spill.h"

#include <algorithm>
#include <limits>

#include "core/log.h"
#include "edge/streams/outbox_segment.h"
#include "edge/streams/stream_node.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxItemBytes = std::size_t{16} << 20U;  // a camera's image, uncompressed
constexpr TimeNs kNoTime = std::numeric_limits<TimeNs>::min();
constexpr std::size_t kHead = 16;  // i64 watermark, i64 wall time at which it was emitted

}  // namespace

Spill::Spill(std::shared_ptr<Outbox> log, Clock& clock)
    : log_(std::move(log)),
      clock_(clock),
      book_(std::make_shared<ReceiptBook>([this](std::uint64_t number, Outcome outcome) { settle(number, outcome); })),
      written_(log_->last()),
      read_(log_->acknowledged()),
      home_(read_) {}

Spill::~Spill() {
  book_->close();
  tidy();
}

Result<std::unique_ptr<Spill>> Spill::open(const SpillOptions& options, const std::string& stream, Clock& clock) {
  MORU_ASSIGN_OR_RETURN(auto log,
                        Outbox::open(options.folder, stream,
                                     {.max_bytes = options.max_bytes, .max_record_bytes = kHead + kMaxItemBytes, .urgent_share = 0.0}));
  return std::unique_ptr<Spill>(new Spill(std::move(log), clock));
}

Status Spill::append(Item& item, std::optional<TimeNs> watermark) {
  bytes_.clear();
  put_u64(bytes_, static_cast<std::uint64_t>(watermark.value_or(kNoTime)));
  put_u64(bytes_, static_cast<std::uint64_t>(clock_.wall_now() - (clock_.steady_now() - item.emitted)));
  append_item_bytes(bytes_, item);
  MORU_RETURN_IF_ERROR(log_->append("item", bytes_, item.receipt));
  item.receipt.reset();
  ++written_;
  return {};
}

bool Spill::sync() {
  const auto status = log_->sync();
  if (!status) MORU_LOG(kError, "spilled items lost", "error", status.error().message);
  return status.has_value();
}

std::uint64_t Spill::take_lost() {
  const std::uint64_t lost = written_ - log_->last();
  written_ -= lost;
  return lost;
}

Spill::Element Spill::decode(const wire::Record& record) {
  Element element;
  const std::string_view bytes = record.body;
  auto item = record.kind == "item" && bytes.size() >= kHead ? reader_.read(bytes.substr(kHead))
                                                             : Result<Item>(fail(ErrorCode::kCorrupt, "no item"));
  if (!item) {
    settle(record.sequence, Outcome::kDone);
    return element;
  }
  const auto watermark = static_cast<TimeNs>(get_u64(bytes, 0));
  if (watermark != kNoTime) element.watermark = watermark;
  // By the wall clock: the monotonic one means nothing in another run.
  const TimeNs age = clock_.wall_now() - static_cast<TimeNs>(get_u64(bytes, 8));
  item->emitted = clock_.steady_now() - std::max<TimeNs>(age, 0);
  item->receipt = book_->issue(record.sequence);
  element.item = std::move(*item);
  return element;
}

Status Spill::read_returned(std::vector<Element>& elements, std::size_t limit) {
  std::vector<std::uint64_t> numbers;
  {
    const std::lock_guard lock(mutex_);
    if (clock_.steady_now() < return_at_) return {};
    while (!returned_.empty() && numbers.size() < limit) numbers.push_back(returned_.extract(returned_.begin()).value());
  }
  for (const std::uint64_t number : numbers) {
    const auto records = log_->read(number - 1, 1);
    if (!records || records->empty()) {
      settle(number, Outcome::kAgain);
      continue;
    }
    elements.push_back(decode(records->front()));
    elements.back().again = true;
    elements.back().watermark.reset();
  }
  return {};
}

Result<std::vector<Spill::Element>> Spill::read(std::size_t limit) {
  std::vector<Element> elements;
  MORU_RETURN_IF_ERROR(read_returned(elements, limit));
  if (!elements.empty()) return elements;
  sync();
  MORU_ASSIGN_OR_RETURN(const auto records, log_->read(read_, limit));
  for (const auto& record : records) elements.push_back(decode(record));
  return elements;
}

/// From any thread: it only notes the number.
void Spill::settle(std::uint64_t number, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome == Outcome::kAgain) {
    if (returned_.empty()) return_at_ = clock_.steady_now() + restart_pause(++returns_);
    returned_.insert(number);
    return;
  }
  returns_ = 0;
  done_.insert(number);
}

void Spill::tidy() {
  std::uint64_t home = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t before = home_;
    while (!done_.empty() && *done_.begin() == home_ + 1) home_ = done_.extract(done_.begin()).value();
    if (home_ == before) return;
    home = home_;
  }
  if (const auto status = log_->acknowledge(home); !status) MORU_LOG(kWarn, "spilled items not removed", "error", status.error().message);
}

bool Spill::has_returned() const {
  const std::lock_guard lock(mutex_);
  return !returned_.empty() && clock_.steady_now() >= return_at_;
}

bool Spill::has_open() const {
  const std::lock_guard lock(mutex_);
  return home_ < read_;
}

}  // namespace moru::edge
