// SPDX-License-Identifier: Apache-2.0
// Items per second over time: one line a node, named at its end.
import { make, makeSvg, update } from "./dom.ts";
import { rate } from "./format.ts";
import type { RatePoint } from "./live.ts";

const kWidth = 640;
const kHeight = 220;
const kLeft = 38;
const kRight = 96;
const kTop = 10;
const kBottom = 24;
const kSpanMs = 180_000;
/** Hues of the lines, in the order of the nodes; the style sheet has as many classes. */
const kHues = 6;

export function drawRates(figure: HTMLElement, points: RatePoint[], nowMs: number): void {
  const names = [...(points.at(-1)?.perNode.keys() ?? [])];
  const top = niceTop(Math.max(4, ...points.flatMap((point) => [...point.perNode.values()])));
  const x = (timeMs: number): number => kLeft + (kWidth - kLeft - kRight) * (1 - (nowMs - timeMs) / kSpanMs);
  const y = (value: number): number => kTop + (kHeight - kTop - kBottom) * (1 - value / top);

  const svg = makeSvg("svg", { viewBox: `0 0 ${kWidth} ${kHeight}`, role: "img", "aria-label": describe(points) });
  for (let i = 0; i <= 4; ++i) {
    const value = (top * i) / 4;
    svg.append(makeSvg("line", { class: "grid", x1: `${kLeft}`, x2: `${kWidth - kRight}`, y1: fixed(y(value)), y2: fixed(y(value)) }));
    svg.append(makeSvg("text", { class: "tick end", x: `${kLeft - 6}`, y: fixed(y(value) + 3.5) }, [`${value}`]));
  }
  for (const minutes of [3, 2, 1, 0]) {
    const at = x(nowMs - minutes * 60_000);
    svg.append(makeSvg("text", { class: "tick middle", x: fixed(at), y: `${kHeight - 6}` }, [minutes === 0 ? "now" : `−${minutes} min`]));
  }
  const labels: { name: string; hue: number; value: number; at: number }[] = [];
  names.forEach((name, i) => {
    const line = points.filter((point) => point.perNode.has(name)).map((point) => `${fixed(x(point.timeMs))},${fixed(y(point.perNode.get(name) ?? 0))}`);
    svg.append(makeSvg("polyline", { class: `line hue${i % kHues}`, points: line.join(" ") }));
    const value = points.at(-1)?.perNode.get(name) ?? 0;
    labels.push({ name, hue: i % kHues, value, at: y(value) });
  });
  // Labels of lines that run close together are pushed apart, then kept inside the picture.
  labels.sort((a, b) => a.at - b.at);
  const kLabelHeight = 26;
  let lowest = kTop + 6;
  for (const label of labels) {
    label.at = Math.max(label.at, lowest);
    lowest = label.at + kLabelHeight;
  }
  const over = Math.max(0, lowest - kLabelHeight - (kHeight - kBottom - 8));
  for (const label of labels) {
    const at = label.at - over;
    svg.append(makeSvg("text", { class: `name hue${label.hue}`, x: `${kWidth - kRight + 8}`, y: fixed(at) }, [shorten(label.name)]));
    svg.append(makeSvg("text", { class: "tick", x: `${kWidth - kRight + 8}`, y: fixed(at + 12) }, [`${rate(label.value)}/s`]));
  }
  update(figure, points.length > 0 ? [svg] : [make("p.empty", ["No stream runs yet."])]);
}

/** The next of 1, 2, 5, 10, 20... times four, so that the four grid lines have round numbers. */
export function niceTop(value: number): number {
  const quarter = value / 4;
  const power = 10 ** Math.floor(Math.log10(quarter));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= quarter - 1e-9) ?? 10;
  return step * power * 4;
}

function describe(points: RatePoint[]): string {
  const last = points.at(-1);
  if (last === undefined) return "Items per second: no figures yet";
  return `Items per second now: ${[...last.perNode].map(([name, value]) => `${name} ${rate(value)}`).join(", ")}`;
}

function shorten(name: string): string {
  return name.length > 13 ? `${name.slice(0, 12)}…` : name;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
