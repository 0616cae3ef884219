// Days, as the reader's own calendar and language have them. No DOM.

const DAY = 86_400_000; // milliseconds

/** @param {number} at a time within the day */
function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

/**
 * @param {number} one a time
 * @param {number} other
 */
export function sameDay(one, other) {
  return midnight(one) === midnight(other);
}

/**
 * @param {number} at
 * @param {number} now
 * @param {string} locale
 * @returns {string} "Today", "Yesterday" or the date
 */
export function dayName(at, now, locale) {
  const ago = Math.round((midnight(now) - midnight(at)) / DAY); // days are not always 24 hours
  if (ago === 0 || ago === 1) {
    const name = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-ago, "day");
    return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
  }
  const thisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: thisYear ? undefined : "numeric",
  }).format(at);
}
