// Who is typing now. No DOM.

const FORGOTTEN = 4_000; // milliseconds after the last typing event

export class Typists {
  #onChange;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();

  /** @param {(names: string[]) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {string} name */
  typing(name) {
    clearTimeout(this.#timers.get(name));
    const news = !this.#timers.has(name);
    this.#timers.set(
      name,
      setTimeout(() => this.stopped(name), FORGOTTEN),
    );
    if (news) this.#onChange([...this.#timers.keys()]);
  }

  /** @param {string} name whose message arrived, or who has left */
  stopped(name) {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#onChange([...this.#timers.keys()]);
  }
}
