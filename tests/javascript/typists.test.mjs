import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Typists } from "../../MyChannels/static/MyChannels/typists.js";

let shown;
let typists;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  shown = [];
  typists = new Typists((names) => shown.push(names));
});

test("who types is shown, and forgotten 4 seconds after the last word of it", () => {
  typists.typing("Ann");
  mock.timers.tick(3_000);
  typists.typing("Ann");
  mock.timers.tick(3_999);
  assert.deepEqual(shown, [["Ann"]]);
  mock.timers.tick(1);
  assert.deepEqual(shown, [["Ann"], []]);
});

test("several are shown in the order in which they began", () => {
  typists.typing("Ann");
  typists.typing("Bob");
  typists.typing("Ann");
  assert.deepEqual(shown.at(-1), ["Ann", "Bob"]);
});

test("who has said it types no longer", () => {
  typists.typing("Ann");
  typists.stopped("Ann");
  typists.stopped("Bob");
  mock.timers.tick(10_000);
  assert.deepEqual(shown, [["Ann"], []]);
});
