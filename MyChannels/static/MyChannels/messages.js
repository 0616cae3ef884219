// The documented wire format: what a frame says, and how its author is shown. No DOM.

/**
 * @typedef {{ kind: "said", name: string, text: string }} Said
 * @typedef {{ kind: "joined", name: string }} Joined
 * @typedef {{ kind: "notice", text: string }} Notice   a sentence of no documented form
 * @typedef {{ kind: "error", text: string }} Refusal   the answer to this client's own frame
 * @typedef {Said | Joined | Notice | Refusal} Message
 */

// A name never holds 说:, so the first one ends it, whatever the text holds.
const SAID = /^(?<name>[^\n]{1,200}?)说: (?<text>.*)$/su;
const JOINED = /^Server: (?<name>[^\n]{1,200})加入了\.$/u;
const CHANNEL_NAME = /^(?:asgi)?specific\.(?:.*!)?(?<id>[^!]+)$/;

const SHOWN_LENGTH = 6; // characters of a channel name
export const COLOURS = 8;

/**
 * @param {unknown} data a frame's content
 * @returns {Message | null} null for what this page does not know
 */
export function parse(data) {
  let frame;
  try {
    frame = JSON.parse(String(data));
  } catch {
    return null;
  }
  if (typeof frame?.error === "string") return { kind: "error", text: frame.error };
  if (typeof frame?.message !== "string") return null;
  const said = SAID.exec(frame.message)?.groups;
  if (said) return { kind: "said", name: said.name, text: said.text };
  const joined = JOINED.exec(frame.message)?.groups;
  if (joined) return { kind: "joined", name: joined.name };
  return { kind: "notice", text: frame.message };
}

/**
 * The client's frame.
 * @param {string} text
 */
export function encode(text) {
  return JSON.stringify({ message: text });
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
