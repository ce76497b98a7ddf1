// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.

const kDigits = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 10,234 */
export function count(value: number): string {
  return kDigits.format(value);
}

/** A count of things of which only the newest `held` are kept: 42, or "at least 200". */
export function atLeast(value: number, held: number): string {
  return value < held ? count(value) : `at least ${count(held)}`;
}

/** 199.8 or 1,204: one digit after the point below a thousand. */
export function rate(value: number): string {
  return Math.abs(value) < 1000 ? value.toFixed(1) : count(value);
}

/** 1.24 ms, from nanoseconds. Nothing was measured yet: a dash. */
export function duration(ns: number): string {
  if (!(ns > 0)) return "–";
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e5 ? 1 : 0)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e7 ? 2 : 1)} ms`;
  return `${(ns / 1e9).toFixed(1)} s`;
}

/** 93.4 %, from a share in [0, 1]; a dash when there is nothing to divide by. */
export function percent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–";
}

/** "4 s ago", from two times in milliseconds. */
export function ago(thenMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - thenMs) / 1000));
  if (seconds < 2) return "now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

/** 17:35:00 in the viewer's time zone. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** −4.7 or +0.4 percentage points, from a share. */
export function points(share: number): string {
  const text = (Math.abs(share) * 100).toFixed(1);
  return text === "0.0" ? text : `${share < 0 ? "−" : "+"}${text}`;
}
