// The connection's state in words: shown at once, announced to screen readers later and less often.

import { fill } from "./texts.js";

const TICK = 1_000; // milliseconds
const ANNOUNCE_DELAY = 1_500; // short interruptions end before this and are not announced

export class StateLine {
  #page;
  #line;
  #announcer;
  #texts;
  #ticking;
  #announcing;
  #announced = "connected"; // announced only after another state was
  #everConnected = false;
  #failed = false; // an attempt failed since the last connection

  /**
   * @param {{ page: HTMLElement, line: HTMLElement, announcer: HTMLElement }} elements
   * @param {Record<string, string>} texts
   */
  constructor({ page, line, announcer }, texts) {
    this.#page = page;
    this.#line = line;
    this.#announcer = announcer;
    this.#texts = texts;
  }

  /** @param {import("./chat-client.js").State} state */
  show(state) {
    clearInterval(this.#ticking);
    if (state.kind === "connected") this.#everConnected = true;
    if (state.kind !== "connecting") this.#failed = state.kind !== "connected";
    this.#page.dataset.state = state.kind;
    const began = performance.now(); // unlike Date.now(), not affected by setting the clock
    const write = () => this.#write(state, state.delay - (performance.now() - began));
    write();
    if (state.kind === "waiting") this.#ticking = setInterval(write, TICK);
    if (state.kind !== "connecting") this.#announce(state);
  }

  /**
   * @param {import("./chat-client.js").State} state
   * @param {number} left milliseconds until the next attempt, if waiting
   */
  #write(state, left) {
    const seconds = Math.max(1, Math.ceil(left / 1000));
    this.#line.textContent = fill(this.#text(state), { seconds });
  }

  /** @param {import("./chat-client.js").State} state */
  #text(state) {
    if (state.kind === "closed") return this.#texts[`closed${state.code}`] ?? this.#texts.closed;
    if (state.kind === "waiting" && !this.#everConnected) return this.#texts.unreachable;
    if (state.kind === "connecting" && this.#failed)
      return this.#everConnected ? this.#texts.lost : this.#texts.notYet;
    return this.#texts[state.kind];
  }

  /** @param {import("./chat-client.js").State} state */
  #announce(state) {
    clearTimeout(this.#announcing);
    this.#announcing = setTimeout(() => {
      if (state.kind === this.#announced) return; // do not announce further attempts
      this.#announced = state.kind;
      this.#announcer.textContent = state.kind === "waiting" ? this.#texts.lost : this.#text(state);
    }, ANNOUNCE_DELAY);
  }
}
