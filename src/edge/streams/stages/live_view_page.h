// SPDX-License-Identifier: Apache-2.0
// The page of the stage live_view: the last items as a table, and a line for each number.
#pragma once

#include <string_view>

namespace moru::edge {

/// With the stream's name in place of each {stream}.
inline constexpr std::string_view kLivePage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{stream} - Moru</title>
<style>
  :root { color-scheme: light dark; --line: #1f6feb; --faint: #6b7280; --edge: #8884; font: 15px/1.45 system-ui, sans-serif }
  @media (prefers-color-scheme: dark) { :root { --line: #6cb0ff; --faint: #9aa4b2 } }
  body { margin: 2rem auto; max-width: 70rem; padding: 0 1.25rem }
  h1 { font-size: 1.5rem; margin: 0 }
  #state, small, th { color: var(--faint) } #state { margin: .25rem 0 1.25rem }
  section { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)) }
  figure { border: 1px solid var(--edge); border-radius: 8px; margin: 0; padding: .75rem 1rem }
  figcaption { display: flex; justify-content: space-between }
  svg { display: block; height: 5rem; margin: .4rem 0; width: 100% }
  polyline { fill: none; stroke: var(--line); stroke-width: 1.5; vector-effect: non-scaling-stroke }
  div { margin-top: 1.25rem; overflow-x: auto } table { border-collapse: collapse; min-width: 100% }
  td, th { border-bottom: 1px solid var(--edge); padding: .25rem 1rem .25rem 0; text-align: left; white-space: nowrap }
  th { font-weight: 500 } td, b + span { font-variant-numeric: tabular-nums }
</style>
<h1>{stream}</h1>
<p id="state">connecting</p>
<section id="plots"></section>
<div><table><thead></thead><tbody></tbody></table></div>
<script src="/view.js"></script>
</html>
)";

inline constexpr std::string_view kLiveScript = R"('use strict';
const kPoints = 300, kRows = 20, kNanosecondsTo1980 = 3e17;
const series = new Map(), rows = [];
let lost = 0, dirty = false;
const state = document.getElementById('state');
const cell = (tag, text) => { const made = document.createElement(tag); made.textContent = text; return made; };
const short = value => typeof value === 'number' && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : String(value ?? '');
// Event time: of a calendar, or of a clock that began with the stream.
const moment = ns => ns > kNanosecondsTo1980 ? new Date(ns / 1e6).toISOString().replace('T', ' ').replace('Z', '') : `${short(ns / 1e9)} s`;
const shown = (name, value) => name === 'time' ? moment(value) : short(value);
function take(item) {
  rows.unshift(item);
  rows.length = Math.min(rows.length, kRows);
  for (const [name, value] of Object.entries(item)) {
    if (typeof value !== 'number' || name === 'seq' || name === 'time') continue;
    if (!series.has(name)) {
      if (series.size >= 24) continue;
      const figure = document.createElement('figure');
      figure.innerHTML = '<figcaption><b></b><span></span></figcaption>' +
        '<svg viewBox="0 0 300 100" preserveAspectRatio="none"><polyline/></svg><small></small>';
      figure.querySelector('b').textContent = name;
      document.getElementById('plots').append(figure);
      series.set(name, {values: [], figure});
    }
    const values = series.get(name).values;
    values.push(value);
    if (values.length > kPoints) values.shift();
  }
  dirty = true;
}
function draw() {
  requestAnimationFrame(draw);
  if (!dirty) return;
  dirty = false;
  for (const {values, figure} of series.values()) {
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1, step = 300 / Math.max(values.length - 1, 1);
    const points = values.map((value, i) => `${(i * step).toFixed(1)},${(97 - 94 * (value - low) / span).toFixed(1)}`).join(' ');
    figure.querySelector('polyline').setAttribute('points', points);
    figure.querySelector('span').textContent = short(values.at(-1));
    figure.querySelector('small').textContent = `${short(low)} to ${short(high)}, the last ${values.length}`;
  }
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))];
  const head = document.createElement('tr');
  head.append(...names.map(name => cell('th', name)));
  document.querySelector('thead').replaceChildren(head);
  document.querySelector('tbody').replaceChildren(...rows.map(row => {
    const line = document.createElement('tr');
    line.append(...names.map(name => cell('td', name in row ? shown(name, row[name]) : '')));
    return line;
  }));
  state.textContent = lost ? `live; ${lost} items not shown: this page is too slow` : 'live';
}
const source = new EventSource('/events' + location.search);
source.addEventListener('item', event => take(JSON.parse(event.data)));
source.addEventListener('lost', event => { lost += JSON.parse(event.data).events; });
source.onerror = () => { state.textContent = 'connection lost; trying again'; };
source.onopen = () => { state.textContent = 'live'; };
draw();
)";

}  // namespace moru::edge
