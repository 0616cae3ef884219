import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { StateLine } from "../../MyChannels/static/MyChannels/state-line.js";

const TEXTS = {
  connecting: "connecting",
  connected: "connected",
  waiting: "in {seconds}",
  lost: "lost",
  unreachable: "not in {seconds}",
  notYet: "not yet",
  offline: "offline",
  closed: "closed",
};
let elements;
let line;
let now;

beforeEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  now = 0;
  mock.method(performance, "now", () => now);
  elements = { page: { dataset: {} }, line: {}, announcer: {} };
  line = new StateLine(elements, TEXTS);
});

function pass(milliseconds) {
  now += milliseconds;
  mock.timers.tick(milliseconds);
}

const waiting = (delay) => ({ kind: "waiting", delay, until: Date.now() + delay });

for (const by of [-3_600_000, 3_600_000]) {
  test(`the seconds are counted down with the clock set by ${by / 1_000} s`, () => {
    line.show({ kind: "connected" });
    line.show(waiting(8_000));
    assert.equal(elements.line.textContent, "in 8");
    const clock = Date.now;
    mock.method(Date, "now", () => clock() + by);
    pass(3_000);
    assert.equal(elements.line.textContent, "in 5");
    pass(60_000);
    assert.equal(elements.line.textContent, "in 1");
  });
}

test("a further attempt is not shown as if it were the first", () => {
  const shown = [{ kind: "connecting" }, waiting(500), { kind: "connecting" }].map((state) => {
    line.show(state);
    return elements.line.textContent;
  });
  assert.deepEqual(shown, ["connecting", "not in 1", "not yet"]);
  line.show({ kind: "connected" });
  line.show({ kind: "connecting" }); // under another name
  assert.equal(elements.line.textContent, "connecting");
  line.show({ kind: "offline" });
  line.show({ kind: "connecting" });
  assert.equal(elements.line.textContent, "lost");
});
