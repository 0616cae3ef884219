// Who is here: always the number, and the names while the popover is open.

import { displayName } from "./name.js";
import { fill } from "./texts.js";

export class People {
  #count;
  #list;
  #texts;
  #load;
  #open = false;
  #asking = false;
  #stale = false;

  /**
   * @param {{ count: HTMLElement, popover: HTMLElement, list: HTMLElement }} elements
   * @param {Record<string, string>} texts
   * @param {() => Promise<{ names: string[], count: number }>} load
   */
  constructor({ count, popover, list }, texts, load) {
    this.#count = count;
    this.#list = list;
    this.#texts = texts;
    this.#load = load;
    popover.addEventListener("toggle", ({ newState }) => {
      this.#open = newState === "open";
      this.#refresh();
    });
  }

  /** @param {number} members how many are here now */
  changed(members) {
    this.#count.textContent = fill(this.#texts.here, { count: members });
    this.#count.hidden = false;
    this.#refresh();
  }

  /** Asks one question at a time, however many people come and go meanwhile. */
  async #refresh() {
    if (!this.#open) return;
    this.#stale = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    const answer = await this.#load().catch(() => undefined); // the next welcome asks again
    this.#asking = false;
    if (answer) this.#show(answer);
    if (this.#stale) this.#refresh();
  }

  #show({ names, count }) {
    const items = names.map((name) => {
      const item = document.createElement("li");
      const shown = document.createElement("bdi");
      shown.textContent = displayName(name);
      shown.title = name;
      shown.translate = false;
      item.append(shown);
      return item;
    });
    if (count > names.length) {
      const more = document.createElement("li");
      more.textContent = fill(this.#texts.more, { count: count - names.length });
      items.push(more);
    }
    this.#list.replaceChildren(...items);
  }
}
