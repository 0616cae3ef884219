// Names: the one chosen in this browser, and how to display any name.

const KEY = "name";
const LONGEST = 40; // code points
// As in messages.py: control characters, direction marks and zero-width, separators, surrogates, invisible ones.
const UNSHOWABLE = /\u034f|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u115f\u1160]|\u17b4|\u17b5/u;
// In the documented sentences, "Server: …" marks the server's, and 说: follows a name.
const RESERVED = /^Server|说:/;

const CHANNEL_NAME = /^(?:asgi)?specific\.(?:.*!)?(?<id>[^!]+)$/;
const SHOWN_LENGTH = 6; // characters of a channel name
export const COLOURS = 8;

/**
 * The name as the server will normalise it.
 * @param {string} typed
 */
export function normalised(typed) {
  return typed.normalize("NFKC").trim();
}

/**
 * @param {string} name normalised
 * @returns {"" | "nameLong" | "nameCharacters" | "nameReserved"} the fault, or ""
 */
export function fault(name) {
  if ([...name].length > LONGEST) return "nameLong";
  if (UNSHOWABLE.test(name)) return "nameCharacters";
  return RESERVED.test(name) ? "nameReserved" : "";
}

/**
 * Returns undefined if the browser denies access to its storage or the stored value is invalid.
 * @param {{ localStorage: Storage }} window
 * @returns {string | undefined}
 */
export function readName(window) {
  try {
    const name = window.localStorage.getItem(KEY);
    return name && !fault(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {{ localStorage: Storage }} window
 * @param {string} [name] undefined removes it
 */
export function writeName(window, name) {
  try {
    if (name) window.localStorage.setItem(KEY, name);
    else window.localStorage.removeItem(KEY);
  } catch {
    // Storing it is a convenience; the page works without.
  }
}

/**
 * Shortens channel names, which are long and differ at the end. Returns other names unchanged.
 * @param {string} name
 */
export function displayName(name) {
  const id = CHANNEL_NAME.exec(name)?.groups.id;
  return id ? id.slice(-SHOWN_LENGTH) : name;
}

/**
 * A number from 0 to COLOURS - 1, the same for a name on every page.
 * @param {string} name
 */
export function colour(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  return hash % COLOURS;
}

/**
 * "Ann, Bob and 3 more". Isolates each name, so that its text direction does not affect the others.
 * @param {string[]} names
 * @param {string} more the text for the remaining names
 * @param {string} locale
 */
export function list(names, more, locale) {
  const shown = names.map((name) => `\u2068${displayName(name)}\u2069`);
  const all = more ? [...shown, more] : shown;
  try {
    return new Intl.ListFormat(locale).format(all);
  } catch {
    return all.join(", ");
  }
}
