import assert from "node:assert/strict";
import { test } from "node:test";

import {
  COLOURS,
  colour,
  displayName,
  encode,
  parse,
} from "../../MyChannels/static/MyChannels/messages.js";

const frame = (message) => JSON.stringify({ message });

test("a said sentence is split into author and text", () => {
  assert.deepEqual(parse(frame("specific.a!b说: hello")), {
    kind: "said",
    name: "specific.a!b",
    text: "hello",
  });
});

test("the text keeps lines, spaces and a second 说:", () => {
  assert.equal(parse(frame("Ann说:  a\n说: b ")).text, " a\n说: b ");
});

test("an empty text is a text", () => {
  assert.deepEqual(parse(frame("Ann说: ")), { kind: "said", name: "Ann", text: "" });
});

test("a join is a join, and nobody can forge one by speaking", () => {
  assert.deepEqual(parse(frame("Server: Ann Lee加入了.")), { kind: "joined", name: "Ann Lee" });
  assert.equal(parse(frame("Ann说: Server: Bob加入了.")).kind, "said");
});

test("any other sentence is a notice, shown as it is", () => {
  assert.deepEqual(parse(frame("Dinner is ready")), { kind: "notice", text: "Dinner is ready" });
});

test("an error is an error", () => {
  assert.deepEqual(parse('{"error": "expected"}'), { kind: "error", text: "expected" });
});

test("what is no documented frame is ignored", () => {
  for (const data of ["", "{", "null", "[]", "1", "{}", '{"message": 1}', '{"type": "welcome"}']) {
    assert.equal(parse(data), null, data);
  }
});

test("a sent frame is the documented one", () => {
  assert.deepEqual(JSON.parse(encode('a "b"\n')), { message: 'a "b"\n' });
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
