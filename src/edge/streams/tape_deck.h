// SPDX-License-Identifier: Apache-2.0
// A stream with a recording: `moru stream record` and `moru stream replay`.
//
// What reaches the stages from their sources is recorded at the sources' outputs, in the order in which it was taken, with the time that
// the stages then saw; and all stages run on one thread, so nothing else has a say in what comes out. A replay gives the same stages the
// same, at any speed. It may be of other stages behind the same sources: what comes out is then theirs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "edge/streams/stream.h"
#include "edge/streams/tape.h"
#include "edge/streams/tape_clock.h"

namespace moru::edge {

struct TapeDeck {
  std::shared_ptr<TapeClock> clock;    ///< null: no recording
  std::shared_ptr<TapeWriter> writer;  ///< one of the two
  std::shared_ptr<TapeReader> reader;
  double speed = 0.0;  ///< of a replay; 1: as it was; 0: as fast as the stages can
  TimeNs shift = 0;    ///< of a replay: from the recording's monotonic time to this machine's

  /// When the element is due after the beginning of a replay.
  TimeNs due(const TapeElement& element) const;

  /// Makes the file; it never grows beyond `max_bytes`: then the stream fails. Errors: those of TapeWriter::create.
  static Result<TapeDeck> to_record(const StreamSpec& spec, const Path& path, std::uint64_t max_bytes, Clock& real);
  /// Errors: those of TapeReader::open; kInvalidArgument where the recording lacks a source of the stream.
  static Result<TapeDeck> to_replay(const StreamSpec& spec, const Path& path, double speed, Clock& real);
};

/// The stream with a relay (a stage that passes all on) behind each output of a source that somebody reads, and its lanes as above.
StreamSpec on_tape(const StreamSpec& spec, const TapeDeck& tape);

/// What a recording calls an output of a source: NAME, or NAME.PORT of all but the first.
std::string tape_name(const StreamSpec::StageEntry& source, std::size_t port);

}  // namespace moru::edge
