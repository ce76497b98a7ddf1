// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/group_sink.h"

#include <algorithm>

#include "core/log.h"

namespace moru::edge {

/// What it still holds was never stored.
GroupSink::~GroupSink() {
  for (const Item& item : items_) item.receipt.revoke();
}

Status GroupSink::process(Item&& item, Output&) {
  items_.push_back(std::move(item));
  return {};
}

/// A group in which something is refused is halved until it is found; what goes well doubles the next.
Status GroupSink::flush(Output& output) {
  Status status;
  std::size_t done = 0;
  std::size_t size = items_.size();
  while (done < items_.size()) {
    size = std::clamp<std::size_t>(size, 1, items_.size() - done);
    const auto stored = store(std::span(items_).subspan(done, size));
    if (stored) {
      done += stored->items;
      output.used(stored->items - stored->repeated);
      for (std::size_t i = 0; i < stored->repeated; ++i) output.drop("already stored");
      size *= 2;
      refusing_ = false;
    } else if (stored.error().code != ErrorCode::kInvalidArgument) {
      status = fail(stored.error());
      break;
    } else if (size > 1) {
      size /= 2;
    } else {
      if (!refusing_) MORU_LOG(kError, "an item is refused", "error", stored.error().message);
      refusing_ = true;
      output.drop("refused");
      ++done;
    }
  }
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(done));
  return status;
}

}  // namespace moru::edge
