// SPDX-License-Identifier: Apache-2.0
// The page of a real hub with two real nodes, opened once and never loaded again, while an operator works at the command
// line. Started by tests/e2e/hub_page_test.cc, which has the hub, the nodes and the bundles ready:
//   MORU_PROGRAM, MORU_HUB_HOME, MORU_PAGE_URL, MORU_BUNDLES (1.moru is right, 2.moru too, 3.moru is always wrong)
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { holds, launch, open } from "./browser.mjs";

const { MORU_PROGRAM, MORU_HUB_HOME, MORU_PAGE_URL, MORU_BUNDLES } = process.env;
const kRolloutMs = 40_000;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

function moru(...words) {
  return execFileSync(MORU_PROGRAM, [...words, "--home", MORU_HUB_HOME], { encoding: "utf8" });
}

function rollOut(release) {
  moru("release", "push", `${MORU_BUNDLES}/${release}.moru`);
  moru("rollout", "create", "--release", String(release), "--soak-items", "50");
}

const node = (n) => `#nodes tbody tr:nth-child(${n})`;
const newestRollout = "#rollouts > li:first-child";

/** Keeps what each table and card said at any time: a state may last for less than a look from outside takes. */
function remember(page) {
  return page.evaluate(() => {
    globalThis.sameDocument = true;
    globalThis.said = new Set();
    const note = () => document.querySelectorAll("#nodes tbody tr, #rollouts > li").forEach((part) => globalThis.said.add(part.innerText));
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

async function said(page, pattern) {
  const texts = await page.evaluate(() => [...globalThis.said]);
  assert.ok(texts.some((text) => pattern.test(text)), `the page never said ${pattern}`);
}

async function bothNodesHold(page, text) {
  for (const n of [1, 2]) await holds(page, node(n), text);
}

test("shows what hub and nodes do as they do it", async () => {
  const page = await open(browser, MORU_PAGE_URL);
  await remember(page);
  await holds(page, "#connection", "live");

  for (const n of [1, 2]) {
    await holds(page, node(n), `node-${n}`);
    await holds(page, node(n), "online");
    await holds(page, node(n), "none yet");
  }
  await page.locator("#rollouts-empty").waitFor();
  await page.locator("#alerts-empty").waitFor();

  rollOut(1);
  await holds(page, newestRollout, /Release 1[\s\S]*succeeded/, kRolloutMs);
  await bothNodesHold(page, "release 1");
  await bothNodesHold(page, "running");
  await bothNodesHold(page, "balanced");

  // Only an alert that came as an event is news; one that was fetched is not.
  await holds(page, "#alert-news", /ordered class \d, seen class \d/, kRolloutMs);
  await holds(page, "#alerts tbody tr:first-child", /node-[12]/);
  const newest = await page.locator("#alerts tbody tr:first-child").innerText();
  await page.waitForFunction((old) => document.querySelector("#alerts tbody tr").innerText !== old, newest);

  rollOut(2);
  await holds(page, newestRollout, /Release 2[\s\S]*succeeded[\s\S]*live items in shadow[\s\S]*committed[\s\S]*committed/, kRolloutMs);
  await bothNodesHold(page, "release 2");
  await said(page, /Release 2[\s\S]*shadowing/);
  for (const n of [1, 2]) await said(page, new RegExp(`node-${n}[\\s\\S]*release 1[\\s\\S]*shadowing 2`));

  rollOut(3);
  await holds(page, newestRollout, /Release 3[\s\S]*failed[\s\S]*gate: [\s\S]*live items/, kRolloutMs);
  await holds(page, `${newestRollout} tbody tr:nth-child(1)`, /node-1[\s\S]*aborted/);
  await holds(page, `${newestRollout} tbody tr:nth-child(2)`, /node-2[\s\S]*aborted/);
  await bothNodesHold(page, "release 2");

  assert.equal(await page.evaluate(() => globalThis.sameDocument), true, "the page was loaded again");
  await holds(page, "#connection", "live");
  await holds(page, "#summary", "2 / 2");
  assert.deepEqual(page.problems, []);
});
