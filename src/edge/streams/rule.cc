// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/rule.h"

#include <algorithm>
#include <utility>

namespace moru::edge {

using Kind = RuleOptions::Kind;

void RuleState::happened(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go) {
  switch (rule.kind) {
    case Kind::kSequence: step(rule, event, match, let_go); break;
    case Kind::kCount: count(rule, event, match, let_go); break;
    case Kind::kAbsence:
      // First the one that must come: of a heartbeat, which is both, each beat answers the one before it.
      if (event->is(rule.events[1])) clear(let_go);
      if (event->is(rule.events[0])) waiting_.push_back(event);
      break;
  }
}

/// From the last step to the first, so that one event does not take two steps of the same sequence.
void RuleState::step(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go) {
  begun_.resize(rule.events.size() - 1);
  for (std::size_t i = rule.events.size(); i-- > 0;) {
    if (!event->is(rule.events[i]) || (i > 0 && begun_[i - 1].empty())) continue;
    auto events = i > 0 ? begun_[i - 1] : std::vector<HappeningRef>{};
    events.push_back(event);
    if (i + 1 == rule.events.size()) {
      match(events);
      events.clear();
      clear(let_go);
      return;  // what ends a match begins no other
    }
    std::swap(begun_[i], events);
    for (auto& old : events) let_go(std::move(old));
  }
}

void RuleState::count(const RuleOptions::Rule& rule, const HappeningRef& event, const OnMatch& match, const LetGo& let_go) {
  if (!event->is(rule.events[0])) return;
  waiting_.push_back(event);
  if (static_cast<std::int64_t>(waiting_.size()) < rule.at_least) return;
  match({waiting_.begin(), waiting_.end()});
  clear(let_go);
}

void RuleState::clear(const LetGo& let_go) {
  for (auto& events : begun_) {
    for (auto& event : std::exchange(events, {})) let_go(std::move(event));
  }
  for (auto& event : std::exchange(waiting_, {})) let_go(std::move(event));
}

void RuleState::expire(const RuleOptions::Rule& rule, TimeNs time, const OnMatch& match, const LetGo& let_go) {
  const auto over = [&](const HappeningRef& first) { return first->item.event_time + rule.within <= time; };
  for (auto& events : begun_) {
    if (events.empty() || !over(events.front())) continue;
    for (auto& event : std::exchange(events, {})) let_go(std::move(event));
  }
  while (!waiting_.empty() && over(waiting_.front())) {
    HappeningRef event = std::move(waiting_.front());
    waiting_.pop_front();
    if (rule.kind == Kind::kAbsence) match({event});
    let_go(std::move(event));
  }
}

bool RuleState::deadline(const RuleOptions::Rule& rule, TimeNs& time) const {
  const Happening* first = waiting_.empty() ? nullptr : waiting_.front().get();
  for (const auto& events : begun_) {
    if (!events.empty() && (first == nullptr || events.front()->item.event_time < first->item.event_time)) first = events.front().get();
  }
  if (first == nullptr) return false;
  time = first->item.event_time + rule.within;
  return true;
}

}  // namespace moru::edge
