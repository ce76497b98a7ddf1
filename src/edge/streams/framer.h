// SPDX-License-Identifier: Apache-2.0
// Cuts the bytes of a line (a serial port, a pipe) into frames.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace moru::edge {

struct FrameOptions {
  std::string delimiter = "\n";  ///< what ends a frame; empty: frames have a length
  bool lines = true;             ///< a '\r' in front of the delimiter belongs to it
  std::size_t length = 0;        ///< bytes of a frame without a delimiter, with what it begins with
  std::string begin = {};        ///< such a frame begins with these bytes, so that frames are found again after a lost byte
  std::size_t max_length = 4096;
};

/// Holds at most a frame of max_length and what was pushed last. Threads: one at a time.
class Framer {
 public:
  explicit Framer(FrameOptions options) : options_(std::move(options)) { reset(); }
  struct Frame {
    std::string_view bytes;    ///< until the next call
    std::string_view dropped;  ///< why it is none: "frame too long", "cut off", "out of step" (bytes between two frames)
  };
  void push(std::string_view bytes) { buffer_.append(bytes); }
  /// The next one of what was pushed.
  std::optional<Frame> next();
  /// The line is a new one. What comes up to the first delimiter may be the rest of a frame and is "cut off". Returns whether a frame had
  /// begun.
  bool reset();

 private:
  std::optional<Frame> next_delimited();
  std::optional<Frame> next_of_length();
  void forget(std::size_t bytes);

  const FrameOptions options_;
  std::string buffer_;
  std::size_t head_ = 0;     ///< where the frame at hand begins
  std::size_t scanned_ = 0;  ///< up to here there is no delimiter
  bool cut_off_ = false;     ///< of the frame at hand the beginning was not seen
  bool too_long_ = false;    ///< of the frame at hand the beginning was thrown away
  bool out_of_step_ = false;
};

}  // namespace moru::edge
