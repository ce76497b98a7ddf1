// SPDX-License-Identifier: Apache-2.0
// Rules over events: what the stage `rules` looks for, and what it knows of one key.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "edge/streams/item.h"

namespace moru::edge {

struct RuleOptions {
  /// An item of one input for which a condition is true.
  struct Event {
    std::string name;
    std::string input;
    std::string condition;
    std::vector<std::string> keep;  ///< its fields that a match shows
    bool keeps_all = true;          ///< those that are known of the input
    std::string where;
  };
  enum class Kind : std::uint8_t { kSequence, kAbsence, kCount };
  struct Rule {
    std::string name;
    Kind kind = Kind::kSequence;
    std::vector<std::size_t> events;  ///< the steps; of an absence the one that happens and the one that does not
    TimeNs within = 0;
    std::int64_t at_least = 0;  ///< of a count
    std::string where = {};     ///< its time
  };
  std::vector<std::string> key;
  std::vector<Event> events;
  std::vector<Rule> rules;
  std::int64_t max_keys = 100'000;
  std::int64_t max_items = 100'000;
  std::int64_t max_items_per_key = 1000;
  std::string where;
};

/// The options of the stage `rules`, whose documentation says what they mean. Errors name the line.
Result<RuleOptions> read_rule_options(const ConfigObject& object);

/// An item that is an event; rules share it.
struct Happening {
  Item item;
  std::uint64_t events = 0;  ///< which it is, a bit each
  bool matched = false;
  bool is(std::size_t event) const { return ((events >> event) & 1U) != 0; }
};
using HappeningRef = std::shared_ptr<Happening>;

/// What one rule knows of one key. Told what happens in the order of event time, and expire() between. Memory: as many events as have
/// happened within the rule's time, of a sequence as many as it has steps, squared.
class RuleState {
 public:
  using OnMatch = std::function<void(const std::vector<HappeningRef>& events)>;
  using LetGo = std::function<void(HappeningRef event)>;

  void happened(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go);
  /// Lets go of what no event after `time` can complete; an absence is complete by that.
  void expire(const RuleOptions::Rule& rule, TimeNs time, const OnMatch& match, const LetGo& let_go);
  /// When it must expire next; false: there is nothing to wait for.
  bool deadline(const RuleOptions::Rule& rule, TimeNs& time) const;

 private:
  void step(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go);
  void count(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go);
  void clear(const LetGo& let_go);

  /// Of a sequence: for each step but the last the events up to it whose first is the latest that there is; empty: none. The latest is
  /// all that is needed: what an older one could still become, it becomes, too.
  std::vector<std::vector<HappeningRef>> begun_;
  std::deque<HappeningRef> waiting_;  ///< of the other kinds
};

}  // namespace moru::edge
