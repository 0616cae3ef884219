// Messages sent from this page that have not come back from the room yet.

import { claim, element, said } from "./entry.js";
import { fill } from "./texts.js";

/** @typedef {import("./chat-client.js").Outgoing} Outgoing */

export class Outbox {
  #list;
  #texts;
  #clock;
  #resend;
  /** @type {Map<Outgoing, Element>} */
  #shown = new Map();

  /**
   * @param {HTMLElement} list
   * @param {Record<string, string>} texts
   * @param {{ clock: (at: number) => string, resend: (outgoing: Outgoing) => void }} options
   */
  constructor(list, texts, { clock, resend }) {
    this.#list = list;
    this.#texts = texts;
    this.#clock = clock;
    this.#resend = resend;
  }

  /** @param {Outgoing} outgoing new or changed */
  show(outgoing) {
    const { state } = outgoing;
    const node = this.#shown.get(outgoing) ?? this.#add(outgoing);
    const outcome =
      state === "failed" ? this.#failure(outgoing) : element("p", "outcome", this.#texts[state]);
    node.dataset.outcome = state;
    node.querySelector(".outcome")?.remove();
    node.append(outcome);
  }

  /** @param {Outgoing} outgoing */
  remove(outgoing) {
    this.#shown.get(outgoing)?.remove();
    this.#shown.delete(outgoing);
  }

  /** @param {Outgoing} outgoing */
  #add(outgoing) {
    const message = { sender: "", text: outgoing.text, sent_at: Date.now() };
    const node = said(message, this.#texts, this.#clock);
    claim(node, this.#texts);
    this.#shown.set(outgoing, node);
    this.#list.append(node);
    return node;
  }

  /** @param {Outgoing} outgoing */
  #failure(outgoing) {
    const { code, detail } = outgoing;
    const reason = this.#texts[`failed_${code}`] ?? detail;
    const node = element("div", "outcome");
    const why = element("p", "", fill(this.#texts.failed, { reason }));
    why.setAttribute("role", "alert"); // older browsers lack the property
    const again = element("button", "", this.#texts.again);
    again.addEventListener("click", () => this.#resend(outgoing));
    const drop = element("button", "", this.#texts.drop);
    drop.addEventListener("click", () => {
      this.#list.closest("[tabindex]").focus(); // removing the button would lose the focus
      this.remove(outgoing);
    });
    node.append(why, again, drop);
    return node;
  }
}
