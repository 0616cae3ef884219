// Names: the one that this browser chose, and how anybody's is shown.

const KEY = "name";
const LONGEST = 40; // code points
// As in messages.py: controls, directions and zero-width, separators, surrogates, what shows nothing.
const UNSHOWABLE = /\u034f|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u115f\u1160]|\u17b4|\u17b5/u;
// The documented sentences: "Server: …" is the server's, and 说: ends a name.
const RESERVED = /^Server|说:/;

const CHANNEL_NAME = /^(?:asgi)?specific\.(?:.*!)?(?<id>[^!]+)$/;
const SHOWN_LENGTH = 6; // characters of a channel name
export const COLOURS = 8;

/**
 * As the server will read it.
 * @param {string} typed
 */
export function normalised(typed) {
  return typed.normalize("NFKC").trim();
}

/**
 * @param {string} name normalised
 * @returns {"" | "nameLong" | "nameCharacters" | "nameReserved"} what is wrong with it
 */
export function fault(name) {
  if ([...name].length > LONGEST) return "nameLong";
  if (UNSHOWABLE.test(name)) return "nameCharacters";
  return RESERVED.test(name) ? "nameReserved" : "";
}

/**
 * A browser may refuse even to look at its storage, and others may have written there: then there is none.
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
 * @param {string} [name] none forgets it
 */
export function writeName(window, name) {
  try {
    if (name) window.localStorage.setItem(KEY, name);
    else window.localStorage.removeItem(KEY);
  } catch {
    // It is remembered for convenience; the page works without.
  }
}

/**
 * Channel names are long and differ at the end; any other name is shown as it is.
 * @param {string} name
 */
export function displayName(name) {
  const id = CHANNEL_NAME.exec(name)?.groups.id;
  return id ? id.slice(-SHOWN_LENGTH) : name;
}

/**
 * The same name has the same colour on every page, 0 to COLOURS - 1.
 * @param {string} name
 */
export function colour(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 65_521;
  return hash % COLOURS;
}

/**
 * "Ann, Bob and 3 more", each name isolated from the direction of its neighbours.
 * @param {string[]} names
 * @param {string} more the text for those beyond
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
