import assert from "node:assert/strict";
import { test } from "node:test";

import { fill } from "../../MyChannels/static/MyChannels/texts.js";

test("places are filled, also in another order and more than once", () => {
  assert.equal(fill("{b} {a} {b}", { a: 1, b: "x" }), "x 1 x");
});

test("a value that looks like a place is not filled again", () => {
  assert.equal(fill("{name} joined", { name: "{count}" }), "{count} joined");
});

test("a place without a value stays", () => {
  assert.equal(fill("{toString} {a}", {}), "{toString} {a}");
});
