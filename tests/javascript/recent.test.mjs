import assert from "node:assert/strict";
import { test } from "node:test";

import { readRooms, withRoom, writeRooms } from "../../MyChannels/static/MyChannels/recent.js";

function browser(stored) {
  const items = new Map(stored === undefined ? [] : [["recent-rooms", stored]]);
  return {
    localStorage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
    },
  };
}

test("the newest room stands first, once, and eight are kept", () => {
  assert.deepEqual(withRoom(["a", "b", "c"], "b"), ["b", "a", "c"]);
  assert.equal(withRoom([..."abcdefgh"], "z").length, 8);
});

test("what was written is read", () => {
  const window = browser();
  writeRooms(window, ["lobby", "a_b-9"]);
  assert.deepEqual(readRooms(window), ["lobby", "a_b-9"]);
});

test("foreign or broken storage is no list", () => {
  for (const stored of ["{", "null", "3", '{"a": 1}'])
    assert.deepEqual(readRooms(browser(stored)), [], stored);
  assert.deepEqual(readRooms(browser('["ok", "../admin", 7, ""]')), ["ok"]);
});

test("a browser that refuses storage is no failure", () => {
  const window = {
    get localStorage() {
      throw new Error("denied");
    },
  };
  assert.deepEqual(readRooms(window), []);
  assert.doesNotThrow(() => writeRooms(window, ["a"]));
});
