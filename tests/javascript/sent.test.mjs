import assert from "node:assert/strict";
import { test } from "node:test";

import { Sent } from "../../MyChannels/static/MyChannels/sent.js";

const joined = (name) => ({ kind: "joined", name });
const said = (name, text) => ({ kind: "said", name, text });

function opened(...names) {
  const sent = new Sent();
  sent.opened();
  for (const name of names) sent.received(joined(name));
  return sent;
}

test("ours is what the first to join says when we have just sent it", () => {
  const sent = opened("me", "other");
  sent.add("hi");
  assert.equal(sent.received(said("me", "hi")), true);
  assert.equal(sent.received(said("me", "from another place")), true);
  assert.deepEqual(sent.lost(), []);
});

test("the same words of another are not ours", () => {
  const sent = opened("me", "other");
  sent.add("hi");
  assert.equal(sent.received(said("other", "hi")), false);
});

test("nothing is ours before it is certain", () => {
  const sent = opened("me");
  assert.equal(sent.received(said("me", "hi")), false);
});

test("if another joined first, nothing is claimed", () => {
  const sent = opened("other", "me");
  sent.add("hi");
  assert.equal(sent.received(said("me", "hi")), false);
  assert.equal(sent.received(said("other", "something")), false);
  assert.deepEqual(sent.lost(), []);
});

test("once known, only our own repetition counts as arrival", () => {
  const sent = opened("me");
  sent.add("hi");
  sent.received(said("me", "hi"));
  sent.add("again");
  sent.received(said("other", "again"));
  assert.deepEqual(sent.lost(), ["again"]);
});

test("a new socket has a new name", () => {
  const sent = opened("me");
  sent.add("hi");
  sent.received(said("me", "hi"));
  sent.opened();
  assert.equal(sent.received(said("me", "hi")), false);
});

test("what had not come back is handed over once", () => {
  const sent = opened("me");
  sent.add("one");
  sent.add("two");
  assert.deepEqual(sent.lost(), ["one", "two"]);
  assert.deepEqual(sent.lost(), []);
});

test("a refusal names the text only if there is one", () => {
  const sent = opened("me");
  sent.add("one");
  assert.equal(sent.refused(), "one");
  sent.add("one");
  sent.add("two");
  assert.equal(sent.refused(), undefined);
});
