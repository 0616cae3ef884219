import assert from "node:assert/strict";
import { test } from "node:test";

import { readTab, writeTab } from "../../MyChannels/static/MyChannels/tab.js";

function browser(stored) {
  const items = new Map(stored === undefined ? [] : [["tab", stored]]);
  return {
    sessionStorage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
    },
  };
}

const ID = "0123456789abcdef";

test("a new tab is nobody", () => {
  assert.deepEqual({ ...readTab(browser()) }, { id: undefined, guest: undefined });
});

test("what was written is read", () => {
  const window = browser();
  writeTab(window, { id: ID, guest: "guest-ab12" });
  assert.deepEqual(readTab(window), { id: ID, guest: "guest-ab12" });
});

test("foreign or broken storage is nobody, and closes no door", () => {
  for (const stored of [
    "{",
    "null",
    "3",
    '{"id": "short", "guest": "Server"}',
    '{"id": 7, "guest": 7}',
  ])
    assert.deepEqual(Object.values(readTab(browser(stored))).filter(Boolean), [], stored);
});

test("a browser that refuses storage is no failure", () => {
  const window = {
    get sessionStorage() {
      throw new Error("denied");
    },
  };
  assert.deepEqual(readTab(window), {});
  assert.doesNotThrow(() => writeTab(window, { id: ID }));
});
