// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { niceTop } from "../src/chart.ts";
import { ago, atLeast, count, duration, percent, points, rate } from "../src/format.ts";

test("durations take the unit that people would", () => {
  assert.equal(duration(0), "–");
  assert.equal(duration(Number.NaN), "–");
  assert.equal(duration(850), "0.8 µs");
  assert.equal(duration(84_000), "84.0 µs");
  assert.equal(duration(684_000), "684 µs");
  assert.equal(duration(1_240_000), "1.24 ms");
  assert.equal(duration(41_200_000), "41.2 ms");
  assert.equal(duration(12e9), "12.0 s");
});

test("counts, rates and shares", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(rate(199.84), "199.8");
  assert.equal(rate(12345.6), "12,346");
  assert.equal(percent(1, 3), "33.3 %");
  assert.equal(percent(0, 0), "–");
});

test("a count that reached the limit of what is held says so", () => {
  assert.equal(atLeast(199, 200), "199");
  assert.equal(atLeast(200, 200), "at least 200");
});

test("how long ago", () => {
  assert.equal(ago(1000, 1500), "now");
  assert.equal(ago(0, 42_000), "42 s ago");
  assert.equal(ago(0, 600_000), "10 min ago");
  assert.equal(ago(0, 7_200_000), "2 h ago");
  assert.equal(ago(9000, 0), "now");
});

test("percentage points carry their sign", () => {
  assert.equal(points(-0.0473), "−4.7");
  assert.equal(points(0.004), "+0.4");
  assert.equal(points(-0.0001), "0.0");
});

test("the axis ends at a round number that holds the value", () => {
  for (const value of [4, 7, 11, 199.8, 200, 201, 999, 12345]) {
    const top = niceTop(value);
    assert.ok(top >= value && top <= value * 2.6, `${value} -> ${top}`);
    assert.ok(Number.isInteger(top / 4) || top === 10, `${top / 4} is round`);
  }
  assert.equal(niceTop(200), 200);
});
