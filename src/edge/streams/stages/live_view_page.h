// SPDX-License-Identifier: Apache-2.0
// The page of the stage live_view: the last items as a table, and a line for each number.
#pragma once

#include <string_view>

namespace moru::edge {

inline constexpr std::string_view kLivePage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Moru: live</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
  body { margin: 1.5rem auto; max-width: 60rem; padding: 0 1rem }
  section { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)) }
  figure { margin: 0 } figcaption { display: flex; justify-content: space-between }
  svg { width: 100%; height: 6rem; border-bottom: 1px solid #8888 }
  polyline { fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke }
  table { border-collapse: collapse; margin-top: 1rem } td, th { padding: .1rem .8rem .1rem 0; text-align: left }
</style>
<h1>Live</h1>
<p id="state">connecting</p>
<section id="plots"></section>
<table><thead></thead><tbody></tbody></table>
<script src="/view.js"></script>
</html>
)";

inline constexpr std::string_view kLiveScript = R"('use strict';
const kPoints = 300, kRows = 20;
const series = new Map(), rows = [];
let lost = 0, dirty = false;
const state = document.getElementById('state');
const cell = (tag, text) => { const made = document.createElement(tag); made.textContent = text; return made; };
function take(item) {
  rows.unshift(item);
  rows.length = Math.min(rows.length, kRows);
  for (const [name, value] of Object.entries(item)) {
    if (typeof value !== 'number' || name === 'seq' || name === 'time') continue;
    if (!series.has(name)) {
      if (series.size >= 24) continue;
      const figure = document.createElement('figure');
      figure.innerHTML = '<figcaption><b></b><span></span></figcaption><svg viewBox="0 0 300 100" preserveAspectRatio="none"><polyline/></svg>';
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
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const points = values.map((value, i) => `${i},${95 - 90 * (value - low) / span}`).join(' ');
    figure.querySelector('polyline').setAttribute('points', points);
    figure.querySelector('span').textContent = `${values.at(-1)}  (${low} to ${high})`;
  }
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))];
  const head = document.createElement('tr');
  head.append(...names.map(name => cell('th', name)));
  document.querySelector('thead').replaceChildren(head);
  document.querySelector('tbody').replaceChildren(...rows.map(row => {
    const line = document.createElement('tr');
    line.append(...names.map(name => cell('td', row[name] ?? '')));
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
