// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "edge/streams/stage.h"

namespace moru::edge {

/// A sink that stores in groups: what came while it stored the last group is the next one, so groups grow with the load and an item that
/// comes alone waits for nobody. Its StageSpec says `holds`. An item is done when store() has said so; until then the sink keeps it.
class GroupSink : public Stage {
 public:
  GroupSink() = default;
  GroupSink(const GroupSink&) = delete;
  GroupSink& operator=(const GroupSink&) = delete;
  ~GroupSink() override;
  Status process(Item&& item, Output& output) override;
  bool gathers() const override { return true; }
  Status flush(Output& output) override;
  std::uint64_t held() const override { return items_.size(); }

 protected:
  struct Stored {
    std::size_t items = 0;     ///< so many of the first are done, one at least
    std::size_t repeated = 0;  ///< of them, those that had been there: dropped("already stored")
  };
  /// Stores some of the first of `items` (never empty), each whole, or none of them.
  /// Errors: kInvalidArgument says that one of them is never going to be taken: it is found, and dropped("refused"). Any other: stale.
  virtual Result<Stored> store(std::span<const Item> items) = 0;

 private:
  std::vector<Item> items_;
  bool refusing_ = false;  ///< told already
};

}  // namespace moru::edge
