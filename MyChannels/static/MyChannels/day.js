// Days and times in the reader's calendar and language. No DOM.
// Nothing here throws: a message without a valid time must still be shown.

const DAY = 86_400_000; // milliseconds

/** @param {number} at a time within the day */
function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

/**
 * The locale for formatting: the page's language in the reader's regional variant.
 * @param {readonly string[] | undefined} languages of the browser; some contain "en-US@posix", which Intl rejects
 * @param {string} lang of the page
 */
export function localeOf(languages, lang) {
  const own = languages?.find((each) => each.slice(0, 2) === lang.slice(0, 2));
  try {
    return Intl.getCanonicalLocales(own)[0] ?? lang;
  } catch {
    return lang;
  }
}

/**
 * @param {string} locale
 * @returns {(at: number) => string} the time of day; "" for an invalid time
 */
export function clock(locale) {
  let format;
  return (at) => {
    if (!isTime(at)) return "";
    try {
      format ??= new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
      return format.format(at);
    } catch {
      return new Date(at).toTimeString().slice(0, 5);
    }
  };
}

/** @param {unknown} at */
export function isTime(at) {
  return typeof at === "number" && !Number.isNaN(new Date(at).getTime());
}

/**
 * An invalid time counts as the same day.
 * @param {number} one a time
 * @param {number} other
 */
export function sameDay(one, other) {
  return !isTime(one) || !isTime(other) || midnight(one) === midnight(other);
}

/**
 * @param {number} at
 * @param {number} now
 * @param {string} locale
 * @returns {string} "Today", "Yesterday" or the date; "" for an invalid time
 */
export function dayName(at, now, locale) {
  if (!isTime(at)) return "";
  try {
    return formatted(at, now, locale);
  } catch {
    return new Date(at).toDateString();
  }
}

function formatted(at, now, locale) {
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
