import assert from "node:assert/strict";
import { test } from "node:test";

import {
  COLOURS,
  colour,
  displayName,
  fault,
  list,
  normalised,
  readName,
  writeName,
} from "../../MyChannels/static/MyChannels/name.js";

function browser(stored) {
  const items = new Map(stored === undefined ? [] : [["name", stored]]);
  return {
    localStorage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
      removeItem: (key) => items.delete(key),
    },
  };
}

test("a name is read as the server reads it", () => {
  assert.equal(normalised("  Ａｎｎ  "), "Ann");
  assert.equal(fault(normalised("安说：")), "nameReserved");
});

test("names of many kinds are names", () => {
  for (const name of ["Ann", "安", "Ann Lee", "😀", "O'Neil <b>", "server", "é".repeat(40)])
    assert.equal(fault(name), "", name);
});

test("a name is bounded in code points", () => {
  assert.equal(fault("😀".repeat(40)), "");
  assert.equal(fault("😀".repeat(41)), "nameLong");
});

test("what does not show is no name", () => {
  for (const character of [
    "\n",
    "\0",
    "\u200b",
    "\u202e",
    "\u2028",
    "\u2066",
    "\ufeff",
    "\u034f",
    "\ud800",
  ])
    assert.equal(fault(`A${character}n`), "nameCharacters", escape(character));
});

test("nobody is called as the server's sentences begin", () => {
  for (const name of ["Server", "Server 2", "安说: 好"]) assert.equal(fault(name), "nameReserved");
});

test("what was chosen is remembered, and forgotten", () => {
  const window = browser();
  writeName(window, "Ann");
  assert.equal(readName(window), "Ann");
  writeName(window);
  assert.equal(readName(window), undefined);
});

test("foreign storage is no name", () => {
  for (const stored of ["", "Server", "a\u200bb", "x".repeat(41)])
    assert.equal(readName(browser(stored)), undefined, stored);
});

test("a browser that refuses storage is no failure", () => {
  const window = {
    get localStorage() {
      throw new Error("denied");
    },
  };
  assert.equal(readName(window), undefined);
  assert.doesNotThrow(() => writeName(window, "Ann"));
});

test("channel names of every layer are shown by their end, other names whole", () => {
  assert.equal(displayName("asgispecific.65585d304f0e4c1a"), "0e4c1a");
  assert.equal(displayName("specific.65585d304f0e!9f8e7d6c5b"), "7d6c5b");
  assert.equal(displayName("specific.inmemory!abcdefghijkl"), "ghijkl");
  assert.equal(displayName("Kitchen"), "Kitchen");
});

test("a name's colour is stable and within the palette", () => {
  for (const name of ["", "Ann", "安", "specific.a!b", "😀"]) {
    assert.equal(colour(name), colour(name));
    assert.ok(colour(name) >= 0 && colour(name) < COLOURS);
  }
});

test("several names are listed in the page's language, and none turns its neighbours around", () => {
  const plain = (text) => text.replaceAll(/[\u2068\u2069]/g, "");
  assert.equal(plain(list(["Ann", "Bob"], "", "en-GB")), "Ann and Bob");
  assert.equal(plain(list(["Ann", "Bob"], "3 more", "en-GB")), "Ann, Bob and 3 more");
  assert.equal(plain(list(["安", "波"], "另外 3 人", "zh-Hans")), "安、波和另外 3 人");
  assert.equal(list(["אבג"], "", "en"), "\u2068אבג\u2069");
});

test("names are listed where Intl cannot", () => {
  assert.equal(
    list(["Ann", "Bob"], "3 more", "no locale"),
    "\u2068Ann\u2069, \u2068Bob\u2069, 3 more",
  );
});
