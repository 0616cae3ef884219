// The conversation on the page: one entry per message, in order, up to a limit. It keeps the reader's scroll position.

import { clock, dayName, sameDay } from "./day.js";
import { claim, element, said } from "./entry.js";
import { list } from "./name.js";
import { Outbox } from "./outbox.js";
import { fill } from "./texts.js";

const LIMIT = 500; // entries on the page; others can be loaded from the room's log
const PAGE = 50; // messages loaded at a time
const NAMED = 3; // names shown of people who come or go together
const TURN = 5 * 60_000; // milliseconds in which one author's messages share one name line
const NEAR_END = 48; // pixels
const NEAR_START = 300;
const QUIET = 1_000; // milliseconds in which a screen reader ignores loaded messages

/**
 * An entry's position. A message has its offset, another line a fractional offset next to a message.
 * Offsets are compared within a section; a new epoch begins a new section.
 * @typedef {{ section: number, offset: number, message?: Message }} Place
 * @typedef {import("./chat-client.js").Message} Message
 * @typedef {import("./chat-client.js").Outgoing} Outgoing
 */

export class Conversation {
  #log;
  #entries;
  #outbox;
  #newer;
  #earlier;
  #start;
  #texts;
  #locale;
  #clock;
  #load;
  #onUnseen;

  /** @type {WeakMap<Element, Place>} */
  #places = new WeakMap();
  /** @type {Map<number, Element>} this section's messages on the page, by their offsets */
  #shown = new Map();
  /** @type {Map<number, Outgoing>} messages that this page has sent, by offset */
  #own = new Map();
  /** @type {Set<number>} offsets of messages that arrived out of the reader's view */
  #unseen = new Set();
  /** @type {Message[]} */
  #queue = [];
  #section = 0;
  #newest = 0; // the room's newest message, on the page or not
  #more = false; // the log has messages before those on the page
  #detached = false; // the log has messages after those on the page
  #loading = false;
  #following = true;
  #presence = { node: undefined, joined: [], left: [], more: { joined: 0, left: 0 } };
  #marker;
  #renderedAt = Date.now();
  #quiet;

  /**
   * @param {Record<"log" | "entries" | "outbox" | "newer" | "earlier" | "start", HTMLElement>} elements
   * @param {Record<string, string>} texts
   * @param {{
   *   locale: string,
   *   load: (range: { before: number, limit: number }) => Promise<{ messages: Message[], more: boolean }>,
   *   resend: (outgoing: Outgoing) => void,
   *   onUnseen: (count: number) => void,
   * }} options
   */
  constructor(elements, texts, { locale, load, resend, onUnseen }) {
    this.#log = elements.log;
    this.#entries = elements.entries;
    this.#newer = elements.newer;
    this.#earlier = elements.earlier;
    this.#start = elements.start;
    this.#texts = texts;
    this.#locale = locale;
    this.#load = load;
    this.#onUnseen = onUnseen;
    this.#clock = clock(locale);
    this.#outbox = new Outbox(elements.outbox, texts, { clock: this.#clock, resend });
    this.#marker = element("li", "marker", texts.marker);
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#earlier.addEventListener("click", () => this.#loadEarlier());
    document.addEventListener("visibilitychange", () => this.#looked());
    new ResizeObserver(() => this.#following && this.#toBottom()).observe(this.#log);
  }

  // ── What the room tells ───────────────────────────────────────────────────────────────────────

  /**
   * Call when connected. An empty page loads the latest messages.
   * @param {number} offset of the room's newest message
   */
  welcomed(offset) {
    this.#newest = Math.max(this.#newest, offset);
    if (this.#shown.size > 0) return;
    this.#more = this.#newest > 0;
    this.#loadEarlier();
  }

  /**
   * Call when messages may be missing between those on the page and the next ones.
   * @param {string} text to show in the gap
   * @param {{ offset: number, newEpoch: boolean }} now
   */
  async gap(text, { offset, newEpoch }) {
    this.#flush();
    const line = element("li", "gap", text);
    if (newEpoch) {
      this.#section += 1;
      for (const each of [this.#shown, this.#own, this.#unseen]) each.clear();
      this.#insert(line, { offset: 0 });
      this.#newest = 0;
      this.#loading = false;
      this.welcomed(offset);
    } else if (this.#following) {
      this.#newest = offset;
      await this.#startAgain();
      this.#insert(line, { offset: Math.min(...this.#shown.keys()) - 0.5 });
      this.#toBottom();
    } else {
      this.#line(line);
      this.#newest = offset;
      this.#detached = true;
    }
    this.#showUnseen();
  }

  /**
   * Messages of a busy room are rendered once per frame; on a hidden page, when it is visible again.
   * @param {Message} message
   */
  add(message) {
    const { offset } = message;
    this.#newest = offset;
    if (this.#queue.length === 0) requestAnimationFrame(() => this.#flush());
    this.#queue.push(message);
    if (this.#queue.length > LIMIT) this.#detached = true;
    if (this.#detached) this.#queue.length = 1; // the others are loaded later with those that follow
    if ((this.#following && !document.hidden) || this.#own.has(offset)) return;
    if (this.#unseen.size === 0) this.#insert(this.#marker, { offset: offset - 0.25 });
    if (this.#following) this.#toBottom();
    this.#unseen.add(offset);
    this.#showUnseen();
  }

  /** @param {number} offset */
  deleted(offset) {
    this.#flush();
    this.#forgetUnseen(offset);
    const text = this.#shown.get(offset)?.querySelector(".text");
    text?.replaceWith(element("p", "text removed", this.#texts.removed));
  }

  /** @param {string} text sent by other code, without the log */
  notice(text) {
    this.#flush();
    this.#line(element("li", "notice", text));
  }

  /**
   * People who come and go between two messages share one line.
   * @param {{ type: "joined" | "left", names: string[], more?: number }} event
   */
  moved({ type, names, more = 0 }) {
    if (names.length === 0) return; // a large room only counts them
    this.#flush();
    if (!this.#presence.node || this.#presence.node !== this.#entries.lastElementChild) {
      const node = element("li", "presence");
      node.setAttribute("aria-live", "off"); // screen readers should not announce everyone who comes or goes
      this.#presence = { node, joined: [], left: [], more: { joined: 0, left: 0 } };
      this.#line(node);
    }
    this.#presence[type].push(...names);
    this.#presence.more[type] += more;
    this.#presence.node.textContent = ["joined", "left"]
      .filter((each) => this.#presence[each].length)
      .map((each) => this.#presenceText(each))
      .join(" · ");
    if (this.#following) this.#toBottom();
  }

  /** @param {"joined" | "left"} type */
  #presenceText(type) {
    const names = [...new Set(this.#presence[type])];
    const count = this.#presence.more[type] + Math.max(0, names.length - NAMED);
    const more = count ? fill(this.#texts.more, { count }) : "";
    return fill(this.#texts[type], { names: list(names.slice(0, NAMED), more, this.#locale) });
  }

  // ── What its reader does ──────────────────────────────────────────────────────────────────────

  /** @param {Outgoing} outgoing new or changed */
  outgoing(outgoing) {
    if (outgoing.state === "queued") this.#marker.remove();
    if (outgoing.state === "sent") {
      this.#own.set(outgoing.offset, outgoing);
      this.#forgetUnseen(outgoing.offset);
    }
    const shown = outgoing.state === "sent" && this.#shown.get(outgoing.offset);
    if (shown) this.#claim(shown, outgoing);
    else this.#outbox.show(outgoing);
    if (outgoing.state === "queued") this.toEnd();
    else if (this.#following) this.#toBottom();
  }

  toEnd() {
    this.#following = true;
    if (this.#detached) this.#startAgain();
    this.#toBottom();
    this.#looked();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#following = atEnd && !this.#detached;
    this.#looked();
    if (atEnd && this.#detached) this.#loadLater();
    else if (scrollTop < NEAR_START && !this.#following) this.#loadEarlier();
  }

  #looked() {
    if (document.hidden || !this.#following) return;
    this.#unseen.clear();
    this.#showUnseen();
  }

  /** @param {number} offset of a message that is the reader's own or was deleted */
  #forgetUnseen(offset) {
    if (!this.#unseen.delete(offset)) return;
    if (this.#unseen.size === 0) this.#marker.remove();
    this.#showUnseen();
  }

  #showUnseen() {
    const count = this.#unseen.size;
    this.#newer.hidden = count === 0 && !this.#detached;
    this.#newer.textContent = count ? fill(this.#texts.newer, { count }) : this.#texts.toNewest;
    this.#onUnseen(count);
  }

  // ── Loading from the log ──────────────────────────────────────────────────────────────────────

  async #loadEarlier() {
    if (this.#more) {
      const before = Math.min(this.#newest + 1, ...this.#shown.keys());
      const found = await this.#fetch(before);
      if (found) {
        this.#more = found.more;
        this.#showQuietly(found.messages, "last");
      }
    }
    this.#showStart();
  }

  /** Offsets have no gaps, so the offsets of the next messages are known. */
  async #loadLater() {
    const last = Math.max(...this.#shown.keys());
    const messages = [];
    for (let before = last + PAGE + 1, more = true; more && before > last + 1; ) {
      const found = await this.#fetch(before); // only the newest, if one answer cannot hold all
      if (!found) return;
      messages.unshift(...found.messages);
      more = found.more;
      before = messages[0]?.offset ?? 0;
    }
    this.#showQuietly(messages, "first");
    this.#detached = Math.max(...this.#shown.keys()) < this.#newest;
    this.#showUnseen();
  }

  /** @param {number} before */
  async #fetch(before) {
    if (this.#loading) return undefined;
    const section = this.#section;
    this.#loading = true;
    this.#showStart();
    const found = await this.#load({ before, limit: PAGE }).catch(() => undefined); // the caller may retry
    if (section !== this.#section) return undefined; // the page has started again meanwhile
    this.#loading = false;
    return found;
  }

  /** Resets the page to its state after opening. */
  #startAgain() {
    this.#section += 1;
    this.#entries.replaceChildren();
    this.#shown.clear();
    this.#loading = false;
    this.#detached = false;
    this.#more = true;
    this.#showUnseen();
    return this.#loadEarlier();
  }

  #showStart() {
    if (!this.#more && document.activeElement === this.#earlier) this.#log.focus();
    this.#earlier.hidden = !this.#more;
    this.#earlier.textContent = this.#loading ? this.#texts.loading : this.#texts.earlier;
    this.#start.hidden = this.#more;
  }

  // ── The entries ───────────────────────────────────────────────────────────────────────────────

  #flush() {
    const messages = this.#queue.splice(0);
    if (this.#detached && this.#following) this.#startAgain();
    else if (!this.#detached && messages.length)
      this.#keepPlace(() => this.#show(messages, this.#following ? "first" : "last"));
  }

  /** Shows loaded messages without a screen reader announcing them. */
  #showQuietly(messages, excess) {
    this.#log.setAttribute("aria-live", "off"); // older browsers lack the property
    this.#keepPlace(() => this.#show(messages, excess));
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#log.setAttribute("aria-live", "polite");
    }, QUIET);
  }

  /**
   * @param {Message[]} messages
   * @param {"first" | "last"} excess which entries to remove if there are too many; the log has them
   */
  #show(messages, excess) {
    for (const message of messages) {
      try {
        this.#showOne(message);
      } catch (fault) {
        console.error(fault); // one faulty message must not hide the others
      }
    }
    while (this.#entries.childElementCount > LIMIT) {
      const node = this.#entries[`${excess}ElementChild`];
      const { section, offset, message } = this.#places.get(node);
      node.remove();
      if (!message || section !== this.#section) continue;
      this.#shown.delete(offset);
      if (excess === "first") this.#more = true;
      else this.#detached = true;
    }
    this.#relate(this.#entries.querySelector(".said"));
    this.#nameDays();
    this.#showStart();
    this.#showUnseen();
  }

  /** @param {Message} message */
  #showOne(message) {
    if (this.#shown.has(message.offset)) return;
    const node = said(message, this.#texts, this.#clock);
    this.#insert(node, { offset: message.offset, message });
    this.#shown.set(message.offset, node);
    const outgoing = this.#own.get(message.offset);
    if (outgoing) this.#claim(node, outgoing);
    this.#relate(node);
    this.#relate(this.#saidBeside(node, "nextElementSibling"));
  }

  /** Stays at the end if the reader is there; otherwise keeps the visible messages in place. */
  #keepPlace(change) {
    const top = (node) => node.getBoundingClientRect().top;
    const edge = top(this.#log);
    const anchor = this.#following
      ? undefined
      : [...this.#entries.querySelectorAll(".text, li:not(.said)")].find(
          (node) => node.getBoundingClientRect().bottom > edge,
        );
    const before = anchor && top(anchor);
    change();
    if (this.#following) this.#toBottom();
    else if (anchor?.isConnected) this.#log.scrollTop += top(anchor) - before;
  }

  #toBottom() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /**
   * Inserts the entry behind all entries whose position is not higher.
   * @param {Element} node
   * @param {{ offset: number, message?: Message }} place
   */
  #insert(node, place) {
    const isAfter = ({ section, offset }) => section === this.#section && offset > place.offset;
    let next = null;
    let each = this.#entries.lastElementChild;
    for (; each && isAfter(this.#places.get(each)); each = each.previousElementSibling) next = each;
    this.#entries.insertBefore(node, next);
    this.#places.set(node, { section: this.#section, ...place });
  }

  /** @param {Element} node for something that happens now */
  #line(node) {
    if (this.#detached) return; // the page does not show the newest messages
    this.#insert(node, { offset: this.#newest + 0.5 });
    if (this.#following) this.#toBottom();
  }

  /**
   * Marks a message that this page sent as the reader's own. It is no longer shown as outgoing.
   * @param {Element} node
   * @param {Outgoing} outgoing
   */
  #claim(node, outgoing) {
    this.#outbox.remove(outgoing);
    claim(node, this.#texts);
    node.append(element("p", "outcome", this.#texts.sent));
  }

  /**
   * @param {Element} node
   * @param {"previousElementSibling" | "nextElementSibling"} side
   */
  #saidBeside(node, side) {
    let each = node[side];
    while (each && !each.classList.contains("said")) each = each[side];
    return each;
  }

  /**
   * Updates what an entry shows depending on the one before: the author's name and a new day's name.
   * @param {Element | null} node
   */
  #relate(node) {
    if (!node) return;
    const { message } = this.#places.get(node);
    const previous = this.#saidBeside(node, "previousElementSibling");
    const last = previous && this.#places.get(previous).message;
    const newDay = !last || !sameDay(last.sent_at, message.sent_at);
    const again =
      !newDay &&
      previous === node.previousElementSibling &&
      last.sender === message.sender &&
      message.sent_at - last.sent_at < TURN;
    node.classList.toggle("again", again);
    node.querySelector(".who").classList.toggle("unseen", again); // screen readers still read it
    const day = node.querySelector(".day");
    const name = newDay && !day && this.#dayName(message);
    if (name) node.prepend(element("p", "day", name));
    else if (!newDay) day?.remove();
  }

  /** @param {Message} message */
  #dayName({ sent_at }) {
    return dayName(sent_at, Date.now(), this.#locale);
  }

  /** Renames the days after midnight: "Today" becomes "Yesterday". */
  #nameDays() {
    if (sameDay(this.#renderedAt, Date.now())) return;
    this.#renderedAt = Date.now();
    for (const day of this.#entries.querySelectorAll(".day"))
      day.textContent = this.#dayName(this.#places.get(day.parentElement).message);
  }
}
