// The popover in which a guest chooses a name.

import { fault, normalised } from "./name.js";

export class Naming {
  #button;
  #popover;
  #input;
  #error;
  #texts;

  /**
   * @param {{ button: HTMLElement, popover: HTMLElement, form: HTMLFormElement,
   *   input: HTMLInputElement, error: HTMLElement }} elements
   * @param {Record<string, string>} texts
   * @param {(name: string | undefined) => void} onName undefined: the server may make one
   */
  constructor({ button, popover, form, input, error }, texts, onName) {
    this.#button = button;
    this.#popover = popover;
    this.#input = input;
    this.#error = error;
    this.#texts = texts;
    popover.addEventListener("toggle", ({ newState }) => {
      if (newState !== "open") return this.#fail("");
      input.focus();
      input.select();
    });
    input.addEventListener("input", () => this.#fail(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = normalised(input.value);
      const wrong = fault(name);
      if (wrong) return this.#fail(texts[wrong]);
      popover.hidePopover();
      onName(name || undefined);
    });
  }

  /** @param {string} name that the room uses for the reader */
  show(name) {
    this.#button.textContent = name;
    this.#button.parentElement.hidden = false;
  }

  /** @param {string} name if one was chosen */
  chosen(name = "") {
    this.#input.value = name;
  }

  /**
   * Call when the server rejected the name.
   * @param {string} name
   */
  refused(name) {
    this.#popover.showPopover();
    this.#input.value = name;
    this.#fail(this.#texts.nameRefused);
  }

  /** @param {string} error */
  #fail(error) {
    this.#error.textContent = error;
    this.#input.toggleAttribute("aria-invalid", false);
    if (error) this.#input.setAttribute("aria-invalid", "true");
  }
}
