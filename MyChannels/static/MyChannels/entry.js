// A message on the page.

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
 * A text never becomes HTML: its links are made here, node by node.
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
 * @param {import("./chat-client.js").Message} message
 * @param {Record<string, string>} texts
 * @param {Intl.DateTimeFormat} clock
 */
export function said({ sender, text, sent_at, deleted }, texts, clock) {
  const node = element("li", "said");
  node.dataset.colour = String(colour(sender));
  const who = element("p", "who");
  const name = element("bdi", "name", displayName(sender));
  name.title = sender;
  name.translate = false;
  const time = element("time", "", clock.format(sent_at));
  time.dateTime = new Date(sent_at).toISOString();
  who.append(name, " ", time);
  node.append(who, deleted ? element("p", "text removed", texts.removed) : words(text));
  return node;
}

/**
 * The reader's own.
 * @param {Element} node
 * @param {Record<string, string>} texts
 */
export function claim(node, texts) {
  node.classList.add("own");
  node.querySelector(".name").textContent = texts.you;
}
