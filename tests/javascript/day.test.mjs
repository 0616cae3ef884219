import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { clock, dayName, localeOf, sameDay } from "../../MyChannels/static/MyChannels/day.js";

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

test("what is no time has no name, and begins no day", () => {
  for (const odd of [Number.NaN, 1e20, undefined, null, "yesterday", {}]) {
    assert.equal(dayName(odd, NOW, "en-GB"), "");
    assert.equal(clock("en-GB")(odd), "");
    assert.ok(sameDay(odd, NOW) && sameDay(NOW, odd));
  }
});

test("where Intl fails, times and days are plainer", () => {
  const noon = at(2026, 2, 10, 12, 34);
  const show = clock("en-GB");
  assert.equal(show(noon), "12:34");
  for (const name of ["DateTimeFormat", "RelativeTimeFormat"]) {
    mock.method(Intl, name, () => {
      throw new RangeError("unsupported time zone");
    });
  }
  assert.equal(clock("en-GB")(noon), "12:34");
  assert.equal(dayName(noon, NOW, "en-GB"), "Tue Mar 10 2026");
  mock.restoreAll();
  assert.equal(dayName(noon, NOW, "not a locale"), "Tue Mar 10 2026");
});

test("the locale is the page's language as the reader's country writes it", () => {
  assert.equal(localeOf(["fr-FR", "en-AU", "en-GB"], "en"), "en-AU");
  assert.equal(localeOf(["zh-HK"], "zh-Hans"), "zh-HK");
  for (const languages of [[], undefined, ["fr"], ["en-US@posix"]])
    assert.equal(localeOf(languages, "en"), "en");
});
