// A message on the page.

import { isTime } from "./day.js";
import { parts } from "./links.js";
import { colour, displayName } from "./name.js";

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
export function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/**
 * Never parses a text as HTML: builds its links node by node.
 * @param {string} text
 */
function words(text) {
  const node = element("p", "text");
  node.dir = "auto";
  for (const part of parts(text)) {
    if (part.href === undefined) {
      node.append(part.text);
      continue;
    }
    const link = element("a", "", part.text);
    link.href = part.href;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    node.append(link);
  }
  return node;
}

/**
 * Falls back to plain text if a message cannot be rendered, so that it does not hide others.
 * @param {import("./chat-client.js").Message} message
 * @param {Record<string, string>} texts
 * @param {(at: number) => string} clock
 */
export function said(message, texts, clock) {
  try {
    return furnished(message, texts, clock);
  } catch (fault) {
    console.error(fault);
    return plain(message, texts);
  }
}

function plain({ sender, text }, texts) {
  const node = element("li", "said");
  const who = element("p", "who");
  who.append(element("bdi", "name", typeof sender === "string" ? sender : ""));
  const legible = typeof text === "string";
  node.append(
    who,
    element("p", legible ? "text" : "text removed", legible ? text : texts.unshowable),
  );
  return node;
}

function furnished({ sender, text, sent_at, deleted }, texts, clock) {
  const node = element("li", "said");
  node.dataset.colour = String(colour(sender));
  const who = element("p", "who");
  const name = element("bdi", "name", displayName(sender));
  name.title = sender;
  name.translate = false;
  const time = element("time", "", clock(sent_at));
  if (isTime(sent_at)) time.dateTime = new Date(sent_at).toISOString();
  who.append(name, " ", time);
  node.append(who, deleted ? element("p", "text removed", texts.removed) : words(text));
  return node;
}

/**
 * Marks a message as the reader's own.
 * @param {Element} node
 * @param {Record<string, string>} texts
 */
export function claim(node, texts) {
  node.classList.add("own");
  node.querySelector(".name").textContent = texts.you;
}
