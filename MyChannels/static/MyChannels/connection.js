// A WebSocket that comes back. No DOM.

const FIRST_DELAY = 500; // milliseconds
const LONGEST_DELAY = 15_000;
const HANDSHAKE_TIMEOUT = 10_000;
const STABLE = 5_000; // a connection that lived so long was a good one

// Coming back would not help: malformed request, login needed, not allowed, room closed.
const FINAL_CODES = new Set([4400, 4401, 4403, 4410]);

/**
 * @typedef {{ kind: "connecting" }
 *   | { kind: "connected" }
 *   | { kind: "waiting", until: number }   a Date.now()
 *   | { kind: "offline" }                  the device says so; waits until it says otherwise
 *   | { kind: "closed", code: number }     for good
 * } State
 */

/**
 * Full jitter, so that the clients of a worker that went away do not all return at once.
 * @param {number} failures before this one
 * @param {() => number} random
 * @returns {number} milliseconds
 */
export function retryDelay(failures, random = Math.random) {
  return random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
}

export class Connection {
  #address;
  #onState;
  #onOpen;
  #onFrame;
  #onLost;
  #isOnline;
  #random;
  /** @type {State} */
  #state = { kind: "connecting" };
  /** @type {WebSocket | undefined} */
  #socket;
  #timer;
  #failures = 0;

  /**
   * @param {string | URL} address
   * @param {{
   *   onState: (state: State) => void,
   *   onOpen: () => void,
   *   onFrame: (data: unknown) => void,
   *   onLost: () => void,   for each onOpen one, when that socket is gone
   *   isOnline?: () => boolean,
   *   random?: () => number,
   * }} options
   */
  constructor(
    address,
    { onState, onOpen, onFrame, onLost, isOnline = () => true, random = Math.random },
  ) {
    this.#address = address;
    this.#onState = onState;
    this.#onOpen = onOpen;
    this.#onFrame = onFrame;
    this.#onLost = onLost;
    this.#isOnline = isOnline;
    this.#random = random;
  }

  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#become({ kind: "connecting" });
    let openedAt;
    const lost = (code) => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      clearTimeout(this.#timer);
      if (openedAt !== undefined) {
        if (Date.now() - openedAt >= STABLE) this.#failures = 0;
        this.#onLost();
      }
      this.#lost(code);
    };
    this.#timer = setTimeout(() => {
      lost();
      socket.close();
    }, HANDSHAKE_TIMEOUT);
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#timer);
      openedAt = Date.now();
      this.#onOpen();
      this.#become({ kind: "connected" });
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#onFrame(data);
    });
    socket.addEventListener("close", ({ code }) => lost(code));
  }

  /**
   * @param {string} frame
   * @returns {boolean} whether it was handed to the socket
   */
  send(frame) {
    if (this.#state.kind !== "connected" || this.#socket?.readyState !== WebSocket.OPEN)
      return false;
    this.#socket.send(frame);
    return true;
  }

  /** Waits no longer. */
  retry() {
    if (this.#socket === undefined && this.#state.kind !== "closed") this.open();
  }

  /** The device is online again. A socket that outlived the outage is kept: nothing is missing. */
  online() {
    if (this.#state.kind !== "offline") return;
    if (this.#socket) this.#become({ kind: "connected" });
    else this.#wait();
  }

  offline() {
    if (this.#state.kind !== "connected" && this.#state.kind !== "waiting") return;
    if (this.#state.kind === "waiting") clearTimeout(this.#timer);
    this.#become({ kind: "offline" });
  }

  /** @param {number | undefined} code undefined if there was no close at all */
  #lost(code) {
    if (FINAL_CODES.has(code)) this.#become({ kind: "closed", code });
    else if (this.#isOnline()) this.#wait();
    else this.#become({ kind: "offline" });
  }

  #wait() {
    const delay = retryDelay(this.#failures, this.#random);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.open(), delay);
    this.#become({ kind: "waiting", until: Date.now() + delay });
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    this.#onState(state);
  }
}
