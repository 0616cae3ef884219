// Finds the http and https addresses in a text. No DOM.

// Printable ASCII only: Chinese text can follow an address without a space, and browsers
// percent-encode addresses copied from the address bar.
const ADDRESS = /(^|[^A-Za-z0-9])(https?:\/\/[!-~]+)/gi;
const NEVER_WITHIN = /[<>"`{}|\\^]/; // RFC 3986, 2
const SENTENCE_END = /[.,:;!?'*_~]+$/;
const BRACKETS = { ")": "(", "]": "[" };

/** @param {string} text */
const count = (text, character) => text.split(character).length - 1;

/**
 * Removes punctuation that belongs to the sentence around the address.
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
 * @returns {string | undefined} undefined if it is not a valid address
 */
function parsed(address) {
  try {
    return new URL(address).href; // some supported browsers lack URL.canParse()
  } catch {
    return undefined;
  }
}

/**
 * @param {string} text
 * @returns {{ text: string, href?: string }[]} the parts of the text in order; links have an href
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
