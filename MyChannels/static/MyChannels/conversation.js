// The conversation on the page: one entry per message, bounded, staying where the reader reads.

import { colour, displayName } from "./messages.js";
import { fill } from "./texts.js";

const LIMIT = 500; // entries
const TURN = 5 * 60_000; // milliseconds in which one author's messages stand under one name
const NEAR_END = 48; // pixels

/**
 * @typedef {import("./messages.js").Said & { own: boolean }
 *   | import("./messages.js").Joined
 *   | { kind: "notice" | "gap", text: string }} Entry
 */

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

export class Conversation {
  #log;
  #entries;
  #newer;
  #texts;
  #clock;
  #unseen = 0;
  #following = true;
  /** @type {{ entry: Entry, at: number }[]} */
  #queue = [];
  #last = { kind: "", name: "", at: 0, names: [], node: undefined };

  /**
   * @param {{ log: HTMLElement, entries: HTMLElement, newer: HTMLButtonElement }} elements
   * @param {Record<string, string>} texts
   */
  constructor({ log, entries, newer }, texts) {
    this.#log = log;
    this.#entries = entries;
    this.#newer = newer;
    this.#texts = texts;
    this.#clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#following && this.toEnd()).observe(log);
  }

  /**
   * A busy room writes to the page once per frame; a hidden page, only when it is seen again.
   * @param {Entry} entry
   */
  add(entry) {
    if (this.#queue.length === 0) requestAnimationFrame(() => this.#flush());
    this.#queue.push({ entry, at: Date.now() });
    if (this.#queue.length > LIMIT) this.#queue.shift();
  }

  toEnd() {
    this.#following = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#showUnseen(0);
  }

  #flush() {
    let said = 0;
    for (const { entry, at } of this.#queue.splice(0)) {
      this.#append(entry, at);
      if (entry.kind === "said") said += 1;
    }
    const height = this.#log.scrollHeight;
    while (this.#entries.childElementCount > LIMIT) this.#entries.firstElementChild.remove();
    if (this.#following) {
      this.toEnd();
    } else {
      this.#log.scrollTop -= height - this.#log.scrollHeight; // what the reader reads stays put
      this.#showUnseen(this.#unseen + said);
    }
  }

  /**
   * @param {Entry} entry
   * @param {number} at
   */
  #append(entry, at) {
    const last = this.#last;
    if (entry.kind === "joined" && last.kind === "joined") {
      last.names.push(entry.name);
      last.node.textContent = this.#joined(last.names);
      return;
    }
    let node;
    if (entry.kind === "said") node = this.#said(entry, at);
    else
      node = element(
        "li",
        entry.kind,
        entry.kind === "joined" ? this.#joined([entry.name]) : entry.text,
      );
    this.#last = { kind: entry.kind, name: entry.name ?? "", at, names: [entry.name], node };
    this.#entries.append(node);
  }

  /**
   * @param {import("./messages.js").Said & { own: boolean }} entry
   * @param {number} at
   */
  #said({ name, text, own }, at) {
    const { kind, name: lastName, at: lastAt } = this.#last;
    const again = kind === "said" && lastName === name && at - lastAt < TURN;
    const node = element("li", "said");
    node.classList.toggle("own", own);
    node.classList.toggle("again", again);
    node.dataset.colour = String(colour(name));
    const who = element("p", again ? "who unseen" : "who"); // told to ears each time
    const shown = element("bdi", "name", own ? this.#texts.you : displayName(name));
    shown.title = name;
    shown.translate = false;
    const time = element("time", "", this.#clock.format(at));
    time.dateTime = new Date(at).toISOString();
    who.append(shown, " ", time);
    const words = element("p", "text", text);
    words.dir = "auto";
    node.append(who, words);
    return node;
  }

  /** @param {string[]} names who joined one after another */
  #joined(names) {
    const name = displayName(names[0]);
    return names.length === 1
      ? fill(this.#texts.joined, { name })
      : fill(this.#texts.joinedMore, { name, count: names.length - 1 });
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (this.#following) this.#showUnseen(0);
  }

  /** @param {number} count */
  #showUnseen(count) {
    this.#unseen = count;
    this.#newer.hidden = count === 0;
    this.#newer.textContent = fill(this.#texts.newer, { count });
  }
}
