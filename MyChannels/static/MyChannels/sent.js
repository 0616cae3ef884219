// What was sent and has not come back. The documented format tells a client neither its own name
// nor that a text arrived; both show only in what the room repeats. No DOM.

export class Sent {
  /** @type {string[]} */
  #texts = [];
  /** @type {string | undefined} */
  #firstJoined;
  /** @type {string | undefined} */
  #name;

  /** A new socket has a new name. */
  opened() {
    this.#firstJoined = undefined;
    this.#name = undefined;
  }

  /** @param {string} text */
  add(text) {
    this.#texts.push(text);
  }

  /**
   * Takes note of what the room repeats. Our name counts as known when two things agree: it was
   * the first to join since our socket opened, and it says exactly what we have just sent.
   * @param {import("./messages.js").Message} message
   * @returns {boolean} whether it is certainly ours
   */
  received(message) {
    if (message.kind === "joined") this.#firstJoined ??= message.name;
    if (message.kind !== "said") return false;
    const index = this.#texts.indexOf(message.text);
    if (index >= 0 && message.name === this.#firstJoined) this.#name ??= message.name;
    const own = message.name === this.#name;
    if (index >= 0 && (own || this.#name === undefined)) this.#texts.splice(index, 1);
    return own;
  }

  /**
   * The server has refused a frame without saying which; certain if only one is on its way.
   * @returns {string | undefined} the refused text
   */
  refused() {
    return this.#texts.length === 1 ? this.#texts.pop() : undefined;
  }

  /**
   * The connection is gone.
   * @returns {string[]} the texts of which nobody knows whether they arrived
   */
  lost() {
    return this.#texts.splice(0);
  }
}
