// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/page.h"

#include <fmt/format.h>

#include <array>

#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr std::string_view kHead = R"(# Sources, stages and sinks

What a stream file (`kind: Stream`) is made of. Written by `moru stages --markdown`; `moru stages NAME` prints one of them, and
`moru stream check FILE` finds every mistake in a file before anything runs: in fields, types, units, shapes, and rates (a window
that is shorter than its items are apart). Every example here is run by the tests; where one needs a server or a device, the test of
its stage is that.

    apiVersion: moru.dev/v1
    kind: Stream
    metadata: {name: NAME}
    spec:
      dead_letters: FILE            rejected items, one JSON object a line; or {path: FILE, max_bytes: N, reasons: [...]}
      stages:
        - name: NAME                unique in the stream
          stage: STAGE              one of those below
          inputs: [NAME, ...]       what it reads from; NAME.PORT for another port than the first; none at a source
          options: {...}
          queue: ITEMS              a queue of that size, and a thread, in front of it
          overflow: block           or drop_oldest, sample, spill (on disk): what a full queue does
          spill: {folder: PATH, limit_mb: 256}   without a folder in the stream's own; at the limit the writer waits
          deadline_ms: 0            longest time for an item; a call that takes longer is counted and told. 0: none
          dead_letters: FILE        of this stage alone
          lateness_ms: 0            at a source: how much older than the latest an item may come
          max_ahead_ms: 0           at a source: an item whose time is further ahead of the clock is dropped("time ahead"). 0: any
          idle_ms: 0                at a source: when nothing came for so long, no stage waits for its time. 0: it waits

An input may have a queue of its own: `{from: NAME, queue: 8, overflow: sample}`, with `spill` as above. Without a queue a *light* stage runs on the thread of
its input. A value `${name}` in the file is given on the command line (`--set name=value`).

## Expressions

    or  and  not  == != < <= > >=  + -  * / %  unary -  ( )      weakest first; && || ! are the same words
    12  1.5e3  'text'  true  false                               a quote in a text is doubled; true is 1, false is 0
    NAME  `odd name`                                             a field; `time` (ns since 1970) and `seq` are the item's own
    abs min max sqrt pow exp log floor ceil round int double if(c, a, b) has(NAME) length contains starts_with ends_with

int64 op int64 is int64, but / always gives a double; with a double on one side the other becomes one. What is compared, added or
subtracted must have the same unit, where both are known. An item that lacks a field, divides an int64 by zero or leaves the range of
int64 is dropped with that reason.
)";

struct Group {
  StageKind kind;
  std::string_view title;
};
constexpr std::array<Group, 3> kGroups = {{{StageKind::kSource, "Sources"}, {StageKind::kStage, "Stages"}, {StageKind::kSink, "Sinks"}}};

std::string indented(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    result += line.empty() ? "\n" : fmt::format("    {}\n", line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

std::string traits_of(const StageSpec& spec) {
  std::string text;
  if (spec.light) text += "Light. ";
  if (spec.outputs.size() > 1) {
    text += "Output ports:";
    for (const auto port : spec.outputs) text += fmt::format(" `{}`", port);
    text += ". ";
  }
  if (!spec.needs.empty()) text += fmt::format("The example needs {}. ", spec.needs);
  if (spec.max_inputs == 1 && spec.kind != StageKind::kSource) text += "One input. ";
  if (!text.empty()) text.back() = '\n';
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string stages_page() {
  std::string page(kHead);
  for (const auto& [kind, title] : kGroups) {
    page += fmt::format("\n## {}\n", title);
    for (const StageSpec* spec : all_stages()) {
      if (spec->kind != kind) continue;
      page += fmt::format("\n### {}\n\n{}{}\n```yaml\n{}```\n", spec->name, traits_of(*spec), indented(spec->doc), spec->example);
    }
  }
  return page;
}

}  // namespace moru::edge
