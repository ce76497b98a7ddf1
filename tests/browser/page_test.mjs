// SPDX-License-Identifier: Apache-2.0
// The hub's page in a real browser, against a server that speaks the hub's JSON.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { alert, node } from "../../web/test/fixture.mjs";
import { startServer } from "../../web/test/server.mjs";
import { holds, launch, open } from "./browser.mjs";

let browser;
let server;
before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.stop();
});

async function live(page) {
  await holds(page, "#connection", "live");
  return page;
}

test("shows nodes with state, model, rate, latency and ledger", async () => {
  const page = await live(await open(browser, server.url));
  await holds(page, "#nodes tbody tr:nth-child(1)", "line-a");
  const row = await page.locator("#nodes tbody tr").first().innerText();
  for (const expected of ["online", "running", "release 2", "shadowing 4", "386 items in shadow", "9,412", "199.8", "684 µs", "1.93 ms", "balanced"]) {
    assert.ok(row.includes(expected), `found '${row}', expected '${expected}' in it`);
  }
  assert.match(await page.locator("#summary").innerText(), /2 \/ 2/);
  assert.deepEqual(page.problems, []);
});

test("shows rollouts with waves, figures, outcome and reason, newest first", async () => {
  const page = await live(await open(browser, server.url));
  await holds(page, "#rollouts > li", "Release 4");
  const cards = await page.locator("#rollouts > li").allInnerTexts();
  assert.equal(cards.length, 3);
  assert.match(cards[0], /Release 4[\s\S]*shadowing[\s\S]*wave 1: 50 %[\s\S]*−4.7 points \(−7.1 to −2.4\), allowed −1.0/);
  assert.match(cards[1], /failed[\s\S]*82.1 points fewer of 1,000 live items/);
  assert.match(cards[2], /succeeded[\s\S]*committed/);
});

test("shows an alert as it comes, without a reload, and announces it", async () => {
  const page = await live(await open(browser, server.url));
  await holds(page, "#alerts", "line-a");
  await page.evaluate(() => (globalThis.sameDocument = true));
  const coming = alert(500, Date.now());
  coming.body.order = "dress";
  coming.body.class = "ankle boot";
  server.send("alert", coming);
  await holds(page, "#alerts tbody tr:first-child", "ankle boot");
  await holds(page, "#alert-news", "ordered dress, seen ankle boot");
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
  const before = await page.locator("#alerts tbody tr").count();
  server.send("alert", coming);
  server.send("alert", alert(501, Date.now()));
  await holds(page, "#alerts tbody tr:first-child", "23,558");
  assert.equal(await page.locator("#alerts tbody tr").count(), before + 1, "an alert that came twice is shown once");
});

test("shows hostile text as text", async () => {
  const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  server.state.nodes[0].state.machine = evil;
  server.state.nodes[0].state.stream_state = evil;
  server.state.rollouts[0].reason = evil;
  server.state.rollouts[0].nodes[0].reason = evil;
  const page = await live(await open(browser, server.url));
  const coming = alert(500, Date.now());
  coming.body.class = evil;
  server.send("alert", coming);
  await holds(page, "#alerts tbody tr:first-child", evil);
  await holds(page, "#nodes", evil);
  assert.equal(await page.locator("img, body script").count(), 0);
  assert.deepEqual(page.problems, []);
});

test("survives records that make no sense", async () => {
  server.state.nodes.push(null, 7, { node: 12 }, { node: "new", online: true, state: null }, { node: "odd", state: { ledger: "none", items: "many", deployment: [] } });
  server.state.rollouts.push({ id: "odd", waves: "all", nodes: {}, gate: 3 });
  const page = await live(await open(browser, server.url));
  server.send("nodes", "nothing");
  server.send("rollout", [1]);
  server.send("alert", { node: "line-a", body: null });
  server.send("nodes", { nodes: server.state.nodes });
  await holds(page, "#nodes", "odd");
  assert.deepEqual(page.problems, []);
});

test("a node that goes away is shown as offline", async () => {
  const page = await live(await open(browser, server.url));
  await holds(page, "#nodes", "line-b");
  server.state.nodes[1].online = false;
  server.send("nodes", { nodes: server.state.nodes });
  await holds(page, "#nodes tbody tr:nth-child(2)", "offline");
  await holds(page, "#summary", "1 / 2");
});

test("a ledger that does not add up is pointed out", async () => {
  server.state.nodes[0].state.ledger[0].out -= 1;
  const page = await live(await open(browser, server.url));
  await holds(page, "#nodes tbody tr:nth-child(1)", "open");
  await holds(page, "#ledger tbody tr:nth-child(1)", "open");
});

test("polls when the event stream ends", async () => {
  const page = await live(await open(browser, server.url));
  server.cutEvents();
  await holds(page, "#connection", "polling");
  server.state.nodes = [node("line-c", 12, 3.5, Date.now())];
  await holds(page, "#nodes", "line-c");
});

test("says how to sign in when the hub refuses", async () => {
  server.state.refuse = true;
  const page = await open(browser, server.url);
  await holds(page, "#connection", "not signed in");
});

test("takes the secret out of the address", async () => {
  const page = await live(await open(browser, `${server.url}?token=secret`));
  assert.equal(page.url(), server.url);
});

for (const colorScheme of ["light", "dark"]) {
  test(`text is readable in ${colorScheme} mode`, async () => {
    const page = await live(await open(browser, server.url, { colorScheme }));
    await holds(page, "#nodes", "line-a");
    const poor = await page.evaluate(() => {
      const luminance = (color) => {
        const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (let at = element; at !== null; at = at.parentElement) {
          const color = getComputedStyle(at).backgroundColor;
          if (color !== "rgba(0, 0, 0, 0)") return color;
        }
        return "rgb(255, 255, 255)";
      };
      // WCAG 2.1, 1.4.3: a ratio of at least 4.5.
      return [...document.querySelectorAll("h1, h2, p, dt, dd, th, td, small, .badge, .muted")]
        .filter((element) => element.textContent !== "")
        .map((element) => {
          const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x);
          return { text: element.textContent.slice(0, 30), ratio: (a + 0.05) / (b + 0.05) };
        })
        .filter(({ ratio }) => ratio < 4.5);
    });
    assert.deepEqual(poor, []);
  });
}

test("fits a narrow screen, also with a digest in a reason", async () => {
  server.state.rollouts[1].reason = `node 'line-a' refused the release: found SHA-256 ${"0123456789abcdef".repeat(4)}`;
  const page = await live(await open(browser, server.url, { viewport: { width: 360, height: 740 } }));
  await holds(page, "#rollouts", "Release 4");
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `found a page ${width} px wide, expected at most 360`);
});

test("a long name of a machine or reason is cut off, and whole in its tip", async () => {
  const machine = "Genuine Processor of a Very Long Name (R) Platinum 8480+ @ 2.00GHz, 64 cores, avx2 fma avx512f avx512vnni amx-int8";
  for (const node of server.state.nodes) {
    node.state.machine = machine;
    node.state.deployment = { id: "r-3", release: 3, phase: "refused", reason: `verifying: ${"a long reason ".repeat(12)}`, shadow: {} };
  }
  const page = await live(await open(browser, server.url, { viewport: { width: 1280, height: 800 } }));
  await holds(page, "#nodes", "Genuine");
  assert.equal(await page.locator("#nodes tbody tr:first-child th small").getAttribute("title"), machine);
  const [inner, outer] = await page.locator("#nodes").evaluate((table) => [table.scrollWidth, table.parentElement.clientWidth]);
  assert.ok(inner <= outer, `found a table ${inner} px wide, expected at most ${outer}`);
});

test("every table has column heads and every row a name", async () => {
  const page = await live(await open(browser, server.url));
  await holds(page, "#rollouts", "Release 4");
  const heads = await page.evaluate(() => [...document.querySelectorAll("table")].map((table) => table.querySelectorAll("thead th[scope=col]").length));
  assert.ok(heads.length >= 4 && heads.every((n) => n >= 6), `found ${heads}`);
});
