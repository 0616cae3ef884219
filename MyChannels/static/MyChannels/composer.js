// The text field in which the user writes a message.

import { fill } from "./texts.js";

const MOST_ROWS = 8;

export class Composer {
  #text;
  #error;
  #texts;
  #maxLength;
  #onSend;
  #onTyping;

  /**
   * @param {{ form: HTMLFormElement, text: HTMLTextAreaElement, error: HTMLElement }} elements
   * @param {Record<string, string>} texts
   * @param {{
   *   maxLength: number,
   *   onSend: (text: string) => boolean,   whether it was taken; what was not stays
   *   onTyping: () => void,
   * }} options
   */
  constructor({ form, text, error }, texts, { maxLength, onSend, onTyping }) {
    this.#text = text;
    this.#error = error;
    this.#texts = texts;
    this.#maxLength = maxLength;
    this.#onSend = onSend;
    this.#onTyping = onTyping;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("keydown", (event) => this.#pressed(event));
    text.addEventListener("input", () => {
      this.#fail("");
      this.#grow();
      if (text.value) this.#onTyping();
    });
  }

  focus() {
    this.#text.focus();
  }

  /**
   * Shows an error beside the text; "" removes it.
   * @param {string} error
   */
  #fail(error) {
    this.#error.textContent = error;
    this.#text.toggleAttribute("aria-invalid", false);
    if (error) this.#text.setAttribute("aria-invalid", "true");
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    // In an input method, Enter chooses a word. Safari shows this only by the key code.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229)
      return;
    event.preventDefault();
    if (!event.repeat) this.#submit();
  }

  #submit() {
    const text = this.#text.value;
    if (!text.trim()) return;
    const length = [...text].length; // in code points, as the server counts
    if (length > this.#maxLength) {
      this.#fail(fill(this.#texts.tooLong, { length, most: this.#maxLength }));
    } else if (this.#onSend(text)) {
      this.#text.value = "";
      this.#fail("");
      this.#grow();
    }
    this.focus();
  }

  /** For browsers without `field-sizing: content`. */
  #grow() {
    this.#text.rows = Math.min(MOST_ROWS, this.#text.value.split("\n").length);
  }
}
