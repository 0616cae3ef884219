// A client for a room's WebSocket (subprotocol chat.v1). It loses no message and sends none twice.
// It needs no imports and no DOM, so any page can use it; docs/chat-client.md shows how.

const FIRST_DELAY = 500; // milliseconds, as are all of these
const LONGEST_DELAY = 15_000;
const HANDSHAKE_TIMEOUT = 10_000;
const STABLE = 5_000; // a connection that lasts this long resets the retry delay
const SILENCE = 20_000; // after which the client pings the server
const PONG_TIMEOUT = 5_000;
const ACK_TIMEOUT = 10_000;
const RATE_PAUSE = 1_000;
const TYPING_PAUSE = 2_500; // typists.js forgets a typist after 4 s

const CLOSED = 1000; // by close(); if the server sends it, the client reconnects
const TOO_BIG = 1009;
// Reconnecting would not help: malformed request, login needed, not allowed, room closed.
const FINAL_CODES = new Set([4400, 4401, 4403, 4410]);
const PASSED_ON = new Set(["notice", "joined", "left", "typing", "deleted"]);

/**
 * @typedef {{ kind: "connecting" }
 *   | { kind: "connected" }
 *   | { kind: "waiting", delay: number, until: number }   milliseconds; `until` as a Date.now()
 *   | { kind: "offline", delay?: number, until?: number } as the device reports; `delay` if there is no socket
 *   | { kind: "closed", code: number }                    does not reconnect
 * } State
 *
 * @typedef {{
 *   ref: string,
 *   text: string,
 *   state: "queued" | "sending" | "sent" | "failed",
 *   offset?: number,   once sent
 *   code?: string,     once failed; "closed" if the client was closed and does not reconnect
 *   detail?: string,
 * }} Outgoing
 *
 * @typedef {{ offset: number, sender: string, text: string, sent_at: number,
 *   user?: true, deleted?: true }} Message
 */

/**
 * Full jitter, so that the clients of a worker that stopped do not all reconnect at once.
 * @param {number} failures before this one
 * @param {() => number} random
 * @returns {number} milliseconds
 */
export function retryDelay(failures, random = Math.random) {
  return random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
}

/** crypto.randomUUID() exists only on https and localhost. */
function unguessable() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Events and their `detail`: state (State), welcome, message (Message), outgoing (Outgoing),
 * gap ({ newEpoch }). The events notice, deleted, joined, left and typing have the server's objects.
 */
export class ChatClient extends EventTarget {
  /** @type {State} */
  state = { kind: "closed", code: CLOSED };
  /** The last welcome; it contains the name that the server uses. */
  welcome;
  /** Identifies this client on every socket, since other clients may have the same name. */
  client;

  #address;
  #name;
  #renaming; // { name } until no message under the old name is unacknowledged
  #WebSocket;
  #isOnline;
  #random;
  /** @type {WebSocket | undefined} */
  #socket;
  #timer; // of the handshake or, without a socket, of the next attempt
  #failures = 0;
  #joined = false; // on this socket
  #epoch;
  #offset = 0;
  #watch; // timer: of the silence or, after a ping, of the pong
  #asking = false; // a ping is unanswered
  #stable; // timer
  /** @type {Outgoing[]} in order; only the first may be in flight, otherwise a refusal would reorder them */
  #queue = [];
  #unsure = false; // the first was written to a socket and its outcome is unknown
  #again; // timer to send the first again
  #unavailable = 0;
  #asked = [];
  #typed; // timer until typing may be sent again

  /**
   * @param {string | URL} address of the room's socket; ws, wss, http, https or relative to the page
   * @param {{
   *   name?: string,   a guest's; without it the server makes one
   *   client?: string,   16 to 64 characters; a page may keep what it was given, for when it is reloaded
   *   WebSocket?: typeof WebSocket,
   *   isOnline?: () => boolean,
   *   random?: () => number,
   * }} options
   */
  constructor(
    address,
    {
      name,
      client = unguessable(),
      WebSocket = globalThis.WebSocket,
      isOnline = () => true,
      random = Math.random,
    } = {},
  ) {
    super();
    this.#address = new URL(address, globalThis.location?.href);
    this.#address.protocol = this.#address.protocol.replace("http", "ws");
    this.#name = name;
    this.client = client;
    this.#WebSocket = WebSocket;
    this.#isOnline = isOnline;
    this.#random = random;
  }

  // ── The connection ────────────────────────────────────────────────────────────────────────────

  open() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#settleName();
    const address = new URL(this.#address);
    if (this.#name) address.searchParams.set("name", this.#name);
    address.searchParams.set("client", this.client);
    if (this.#epoch) address.searchParams.set("since", `${this.#epoch}:${this.#offset}`);
    const socket = new this.#WebSocket(address, "chat.v1");
    this.#socket = socket;
    this.#become({ kind: "connecting" });
    this.#timer = setTimeout(() => this.#lost(), HANDSHAKE_TIMEOUT);
    const on = (type, handle) =>
      socket.addEventListener(type, (event) => socket === this.#socket && handle(event));
    on("open", () => {
      clearTimeout(this.#timer);
      this.#heard();
    });
    on("message", ({ data }) => this.#receive(data));
    on("close", ({ code }) => this.#lost(code));
  }

  /** Closes without reconnecting, until open() is called again. Queued messages fail. */
  close() {
    this.#leave();
    this.#end(CLOSED);
  }

  /** Does not wait any longer: reconnects at once or, with an open socket, sends the next ping at once. */
  retry() {
    if (this.#socket === undefined && this.state.kind !== "closed") this.open();
    else if (this.#joined) this.#ping();
  }

  /** Call when the device is online again. A socket that survived the outage is kept: nothing is missing. */
  online() {
    if (this.state.kind !== "offline") return;
    if (!this.#socket) {
      this.#wait({ offline: false });
    } else {
      this.#become({ kind: "connected" });
      this.#ping();
    }
  }

  /** Call when the device reports that it is offline. It may be wrong, so the client pings an open socket. */
  offline() {
    if (this.state.kind === "waiting") {
      this.#wait({ offline: true });
    } else if (this.state.kind === "connected") {
      this.#become({ kind: "offline" });
      this.#ping();
    }
  }

  /**
   * Reconnects under another name without losing messages. The server knows refs by the sender's
   * name, so messages in flight are first settled under the old name.
   * @param {string} [name]
   */
  rename(name) {
    this.#renaming = { name };
    if (this.#socket && this.#settleName()) {
      this.#leave();
      this.open();
    }
  }

  #settleName() {
    if (!this.#renaming || this.#unsure) return false;
    this.#name = this.#renaming.name;
    this.#renaming = undefined;
    return true;
  }

  /** @param {number} [code] undefined if there was no close event */
  #lost(code) {
    this.#leave();
    if (code === TOO_BIG && this.#unsure) this.#fail({ code: "too_long" });
    if (FINAL_CODES.has(code)) this.#end(code);
    else this.#wait({ offline: !this.#isOnline() });
  }

  /** @param {number} code */
  #end(code) {
    while (this.#queue.length) this.#fail({ code: "closed" });
    this.#become({ kind: "closed", code });
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = undefined;
    for (const timer of [this.#timer, this.#watch, this.#again, this.#stable]) clearTimeout(timer);
    this.#joined = false;
    this.#asking = false;
    for (const { reject } of this.#asked.splice(0)) reject(new Error("connection lost"));
    socket?.close();
  }

  /** While offline, retries rarely, since the device may be wrong. online() ends the wait. */
  #wait({ offline }) {
    clearTimeout(this.#timer);
    let delay = LONGEST_DELAY / 2 + (this.#random() * LONGEST_DELAY) / 2;
    if (!offline) {
      delay = retryDelay(this.#failures, this.#random);
      this.#failures += 1;
    }
    this.#timer = setTimeout(() => this.open(), delay);
    this.#become({ kind: offline ? "offline" : "waiting", delay, until: Date.now() + delay });
  }

  // Measures durations with timers only: setting the device's clock does not affect them.

  #heard() {
    this.#asking = false;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#ping(), SILENCE);
  }

  #ping() {
    if (!this.#asking) this.#write({ type: "ping" });
    this.#asking = true;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(), PONG_TIMEOUT);
  }

  /** @param {object} object */
  #write(object) {
    this.#socket.send(JSON.stringify(object));
  }

  /** @param {State} state */
  #become(state) {
    this.state = state;
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // ── What comes in ─────────────────────────────────────────────────────────────────────────────

  /** @param {unknown} data one or more objects, one per line */
  #receive(data) {
    this.#heard();
    if (this.state.kind === "offline") this.#become({ kind: "connected" }); // the device was wrong
    for (const line of String(data).split("\n")) {
      try {
        const object = JSON.parse(line);
        if (object?.type) this.#take(object);
      } catch {
        // Skip a malformed line, but not the others.
      }
    }
  }

  #take(object) {
    const { type } = object;
    if (type === "welcome") this.#welcomed(object);
    else if (type === "message") this.#message(object);
    else if (type === "ack") this.#ack(object);
    else if (type === "error") this.#error(object);
    else if (type === "history" || type === "members") this.#answered(type, object);
    else if (PASSED_ON.has(type)) this.#tell(type, object);
  }

  #welcomed(welcome) {
    const first = !this.#joined;
    const newEpoch = this.#epoch !== undefined && this.#epoch !== welcome.epoch;
    // Keep a guest's name: the server knows refs by the sender's name.
    if (welcome.name?.startsWith("guest-")) this.#name ??= welcome.name;
    this.welcome = welcome;
    if (!welcome.recovered) {
      this.#epoch = welcome.epoch;
      this.#offset = welcome.offset;
    }
    this.#joined = true;
    if (first) {
      this.#stable = setTimeout(() => {
        this.#failures = 0;
      }, STABLE);
    }
    this.#tell("welcome", welcome);
    if (first) this.#become({ kind: "connected" });
    if (welcome.recovered === false) this.#tell("gap", { newEpoch });
    if (first) this.#sendFirst();
  }

  #message(message) {
    if (!(message.offset > this.#offset)) return; // already received
    this.#offset = message.offset;
    this.#tell("message", message);
  }

  #ack({ ref, offset }) {
    if (this.#queue[0]?.ref === ref) this.#done({ state: "sent", offset });
  }

  #error(error) {
    if (error.ref === undefined) {
      // Questions have no ref, so an error without one belongs to the oldest question.
      this.#asked.shift()?.reject(Object.assign(new Error(error.detail), { code: error.code }));
    } else if (this.#queue[0]?.ref !== error.ref) {
      return;
    } else if (error.code === "rate_limited") {
      this.#sendAgain(RATE_PAUSE);
    } else if (error.code === "unavailable") {
      this.#unavailable += 1;
      this.#sendAgain(retryDelay(this.#unavailable, this.#random));
    } else {
      this.#fail(error);
    }
  }

  // ── What goes out ─────────────────────────────────────────────────────────────────────────────

  /**
   * Queues a message, whatever the connection's state. It arrives once, after all messages sent before.
   * @param {string} text
   * @returns {Outgoing} kept up to date; each change is an `outgoing` event
   */
  send(text) {
    const outgoing = { ref: unguessable(), text };
    this.#mayType(); // the next key starts another message
    this.#enqueue(outgoing);
    return outgoing;
  }

  /** @param {Outgoing} outgoing that has failed */
  resend(outgoing) {
    if (outgoing.code === "ref_reused") outgoing.ref = unguessable();
    this.#enqueue(outgoing);
  }

  /** @returns {number} how many messages are not acknowledged yet */
  get queued() {
    return this.#queue.length;
  }

  /** Reports that the user is typing. Call it on every key; it sends once every few seconds. */
  typing() {
    if (!this.#joined || this.#typed) return;
    this.#typed = setTimeout(() => this.#mayType(), TYPING_PAUSE);
    this.#write({ type: "typing" });
  }

  #mayType() {
    clearTimeout(this.#typed);
    this.#typed = undefined;
  }

  /**
   * @param {{ before?: number, limit?: number }} [range]
   * @returns {Promise<{ messages: Message[], more: boolean }>} rejected if the connection is lost
   */
  history({ before, limit } = {}) {
    return this.#ask("history", { before, limit });
  }

  /** @returns {Promise<{ names: string[], count: number }>} rejected if the connection is lost */
  members() {
    return this.#ask("members", {});
  }

  /** @param {Outgoing} outgoing */
  #enqueue(outgoing) {
    this.#update(outgoing, { state: "queued", code: undefined, detail: undefined });
    if (this.#queue.push(outgoing) === 1) this.#sendFirst();
  }

  #sendFirst() {
    const [outgoing] = this.#queue;
    if (!outgoing || !this.#joined) return;
    this.#unsure = true;
    this.#write({ type: "send", ref: outgoing.ref, text: outgoing.text });
    this.#sendAgain(ACK_TIMEOUT);
    this.#update(outgoing, { state: "sending" });
  }

  /** @param {number} delay */
  #sendAgain(delay) {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#sendFirst(), delay);
  }

  #fail({ code, detail }) {
    this.#done({ state: "failed", code, detail });
  }

  /** Settles the first message of the queue. */
  #done(outcome) {
    clearTimeout(this.#again);
    const outgoing = this.#queue.shift();
    this.#unsure = false;
    this.#unavailable = 0;
    this.#update(outgoing, outcome);
    if (this.#renaming) this.rename(this.#renaming.name);
    this.#sendFirst();
  }

  /** @param {Outgoing} outgoing */
  #update(outgoing, change) {
    Object.assign(outgoing, change);
    this.#tell("outgoing", outgoing);
  }

  #ask(type, fields) {
    if (!this.#joined) return Promise.reject(new Error("not connected"));
    this.#write({ type, ...fields });
    return new Promise((resolve, reject) => this.#asked.push({ type, resolve, reject }));
  }

  /** Answers of one type arrive in the order of their questions. */
  #answered(type, answer) {
    const asked = this.#asked.findIndex((question) => question.type === type);
    if (asked >= 0) this.#asked.splice(asked, 1)[0].resolve(answer);
  }
}
