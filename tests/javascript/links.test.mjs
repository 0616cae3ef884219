import assert from "node:assert/strict";
import { test } from "node:test";

import { parts } from "../../MyChannels/static/MyChannels/links.js";

const links = (text) => parts(text).flatMap((part) => (part.href === undefined ? [] : [part.text]));

test("the parts together are the text", () => {
  for (const text of [
    "",
    "no link",
    "https://a.example",
    "a https://a.example/?x=1, b http://b.example. c",
    "https:// http://[ https://%%",
    "\n https://a.example\nhttps://b.example \n",
  ])
    assert.equal(
      parts(text)
        .map((part) => part.text)
        .join(""),
      text,
    );
});

test("an address is a link to what a browser makes of it", () => {
  assert.deepEqual(parts("see HTTPS://Example.com/A?b=c#d now"), [
    { text: "see " },
    { text: "HTTPS://Example.com/A?b=c#d", href: "https://example.com/A?b=c#d" },
    { text: " now" },
  ]);
});

for (const [text, link] of [
  ["Look: https://a.example/b.", "https://a.example/b"],
  ["(https://a.example/b)", "https://a.example/b"],
  ["(see https://a.example/b).", "https://a.example/b"],
  ["https://a.example/Rust_(game)", "https://a.example/Rust_(game)"],
  ["(https://a.example/Rust_(game))!?", "https://a.example/Rust_(game)"],
  ["<https://a.example/b>", "https://a.example/b"],
  ['"https://a.example/b"', "https://a.example/b"],
  ["**https://a.example/b**", "https://a.example/b"],
  ["[https://a.example/b],", "https://a.example/b"],
  ["看https://a.example/b。很好", "https://a.example/b"],
  ["（https://a.example/b）", "https://a.example/b"],
  ["「https://a.example/b」,好", "https://a.example/b"],
  ["https://a.example/b谢谢", "https://a.example/b"],
  ["https://a.example/?q=%E8%B7%AF&x=a,b;c", "https://a.example/?q=%E8%B7%AF&x=a,b;c"],
  ["http://localhost:8080/chat/a_b-c/", "http://localhost:8080/chat/a_b-c/"],
]) {
  test(`the sentence keeps what is its own: ${text}`, () => assert.deepEqual(links(text), [link]));
}

test("nothing but http and https is a link", () => {
  for (const text of [
    "javascript:alert(1)",
    "javascript://a.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "xhttps://a.example",
    "https:/a.example",
    "https://",
    "http://.",
    "www.a.example",
  ])
    assert.deepEqual(links(text), [], text);
});

test("a quotation mark or an angle bracket ends an address", () => {
  assert.deepEqual(links(`https://a.example/"onmouseover="alert(1)`), ["https://a.example/"]);
  assert.deepEqual(links("https://a.example/<img src=x onerror=alert(1)>"), ["https://a.example/"]);
});

test("two addresses that touch are not cut apart, and one after the other are two", () => {
  assert.equal(links("https://a.example https://b.example").length, 2);
});

test("a browser without URL.canParse has links all the same", () => {
  const { canParse } = URL;
  delete URL.canParse;
  try {
    assert.deepEqual(links("see https://a.example/b. and https://%%"), ["https://a.example/b"]);
  } finally {
    URL.canParse = canParse;
  }
});

test("a letter or digit before an address makes it none, anything else does not", () => {
  assert.deepEqual(links("xhttps://a.example 1http://a.example"), []);
  assert.deepEqual(links("_https://a.example 🎉https://b.example\nhttps://c.example"), [
    "https://a.example",
    "https://b.example",
    "https://c.example",
  ]);
});

test("a long text takes no long time", () => {
  const began = process.cpuUsage(); // what else this machine does takes none of it
  parts(`https://a.example/${"(".repeat(50_000)}${").".repeat(50_000)}`);
  parts("https://".repeat(20_000));
  assert.ok(process.cpuUsage(began).user < 2_000_000);
});
