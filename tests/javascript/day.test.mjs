import assert from "node:assert/strict";
import { test } from "node:test";

import { dayName, sameDay } from "../../MyChannels/static/MyChannels/day.js";

const at = (...when) => new Date(...when).getTime();
const NOW = at(2026, 2, 12, 0, 30); // 12 March, half past midnight

test("days are those of the reader's clock", () => {
  assert.ok(sameDay(at(2026, 2, 12), at(2026, 2, 12, 23, 59, 59)));
  assert.ok(!sameDay(at(2026, 2, 11, 23, 59), at(2026, 2, 12)));
});

test("today and yesterday are called so, in the page's language", () => {
  assert.equal(dayName(at(2026, 2, 12), NOW, "en"), "Today");
  assert.equal(dayName(at(2026, 2, 11, 23, 59), NOW, "en"), "Yesterday");
  assert.equal(dayName(at(2026, 2, 12), NOW, "zh-Hans"), "今天");
  assert.equal(dayName(at(2026, 2, 11), NOW, "zh-Hans"), "昨天");
});

test("other days have their date, and their year if it is another", () => {
  assert.equal(dayName(at(2026, 2, 10), NOW, "en-GB"), "Tuesday 10 March");
  assert.match(dayName(at(2025, 11, 31), NOW, "en-GB"), /31 December 2025$/);
  assert.equal(dayName(at(2026, 2, 10), NOW, "zh-Hans"), "3月10日星期二");
});

test("a clock that is ahead of the reader's makes no day of tomorrow's name", () => {
  assert.equal(dayName(at(2026, 2, 13), NOW, "en-GB"), "Friday 13 March");
});

test("a day without its 24 hours is one day", () => {
  const zone = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  assert.equal(dayName(at(2026, 2, 28, 12), at(2026, 2, 29, 12), "en"), "Yesterday");
  assert.equal(dayName(at(2026, 9, 24, 12), at(2026, 9, 25, 12), "en"), "Yesterday");
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});
