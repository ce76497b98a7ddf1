// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/framer.h"

#include <algorithm>

namespace moru::edge {

std::optional<Framer::Frame> Framer::next() { return options_.delimiter.empty() ? next_of_length() : next_delimited(); }

bool Framer::reset() {
  const bool begun = head_ < buffer_.size() || too_long_;
  buffer_.clear();
  head_ = scanned_ = 0;
  cut_off_ = !options_.delimiter.empty();
  too_long_ = out_of_step_ = false;
  return begun;
}

/// Frames are handed out where they lie; what lies in front of them goes once nothing whole is left.
void Framer::forget(std::size_t bytes) {
  buffer_.erase(0, bytes);
  head_ -= std::min(head_, bytes);
  scanned_ -= std::min(scanned_, bytes);
}

std::optional<Framer::Frame> Framer::next_delimited() {
  const std::size_t size = options_.delimiter.size();
  const auto end = buffer_.find(options_.delimiter, std::max(head_, scanned_));
  if (end == std::string::npos) {
    forget(head_);
    scanned_ = buffer_.size() - std::min(buffer_.size(), size - 1);  // the delimiter may have begun
    if (scanned_ > options_.max_length + 1) {  // too long even without a '\r'
      too_long_ = true;
      forget(scanned_);
    }
    return std::nullopt;
  }
  std::string_view bytes = std::string_view(buffer_).substr(head_, end - head_);
  if (options_.lines && bytes.ends_with('\r')) bytes.remove_suffix(1);
  Frame frame{bytes, {}};
  if (too_long_ || bytes.size() > options_.max_length) frame = {{}, "frame too long"};
  if (cut_off_) frame = {{}, "cut off"};
  head_ = scanned_ = end + size;
  too_long_ = cut_off_ = false;
  return frame;
}

std::optional<Framer::Frame> Framer::next_of_length() {
  const auto begin = buffer_.find(options_.begin, head_);
  // What may be the beginning of the next frame is kept.
  const std::size_t kept = options_.begin.empty() ? 0 : options_.begin.size() - 1;
  const std::size_t at = begin != std::string::npos ? begin : std::max(head_, buffer_.size() - std::min(buffer_.size(), kept));
  const bool tell = at > head_ && !out_of_step_;
  out_of_step_ = out_of_step_ || tell;
  head_ = at;
  if (tell) return Frame{{}, "out of step"};
  if (begin == std::string::npos || buffer_.size() - head_ < options_.length) {
    forget(head_);
    return std::nullopt;
  }
  out_of_step_ = false;
  head_ += options_.length;
  return Frame{std::string_view(buffer_).substr(begin, options_.length), {}};
}

}  // namespace moru::edge
