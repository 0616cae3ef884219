// The http and https addresses in a text. No DOM.

// Printable ASCII alone: Chinese text touches an address without a space between, and what a
// browser copies from its address bar is percent-encoded.
const ADDRESS = /(^|[^A-Za-z0-9])(https?:\/\/[!-~]+)/gi;
const NEVER_WITHIN = /[<>"`{}|\\^]/; // RFC 3986, 2
const SENTENCE_END = /[.,:;!?'*_~]+$/;
const BRACKETS = { ")": "(", "]": "[" };

/** @param {string} text */
const count = (text, character) => text.split(character).length - 1;

/**
 * What belongs to the sentence around an address does not belong to the address.
 * @param {string} address
 */
function trimmed(address) {
  let kept = address.split(NEVER_WITHIN)[0];
  for (let before = ""; before !== kept; ) {
    before = kept;
    kept = kept.replace(SENTENCE_END, "");
    const opening = BRACKETS[kept.at(-1)];
    if (opening && count(kept, kept.at(-1)) > count(kept, opening)) kept = kept.slice(0, -1);
  }
  return kept;
}

/**
 * @param {string} address
 * @returns {string | undefined} none if it is no address after all
 */
function parsed(address) {
  try {
    return new URL(address).href; // URL.canParse() is too new
  } catch {
    return undefined;
  }
}

/**
 * @param {string} text
 * @returns {{ text: string, href?: string }[]} together they are the text; links have an href
 */
export function parts(text) {
  const found = [];
  let end = 0;
  for (const { 1: before, 2: match, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(match);
    const href = parsed(address);
    if (href === undefined) continue;
    const start = index + before.length;
    if (start > end) found.push({ text: text.slice(end, start) });
    found.push({ text: address, href });
    end = start + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}
