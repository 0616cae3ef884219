import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Connection, retryDelay } from "../../MyChannels/static/MyChannels/connection.js";

/** What the browser would give; the test plays the server. */
class FakeSocket extends EventTarget {
  static OPEN = 1;
  static all = [];
  readyState = 0;
  frames = [];

  constructor(address) {
    super();
    this.address = address;
    FakeSocket.all.push(this);
  }

  accept() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  say(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  end(code = 1006) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  send(frame) {
    this.frames.push(frame);
  }

  close() {
    this.end();
  }
}

const last = () => FakeSocket.all.at(-1);
let states;
let events;
let online;

function connect() {
  const connection = new Connection("ws://test/", {
    onState: (state) => states.push(state),
    onOpen: () => events.push("open"),
    onFrame: (data) => events.push(data),
    onLost: () => events.push("lost"),
    isOnline: () => online,
    random: () => 1, // the longest delay
  });
  connection.open();
  return connection;
}

/** The delay, in milliseconds, that the last state announces. */
const waiting = () => states.at(-1).until - Date.now();
const kinds = () => states.map(({ kind }) => kind);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  globalThis.WebSocket = FakeSocket;
  FakeSocket.all = [];
  states = [];
  events = [];
  online = true;
});

test("the delay has full jitter, doubles and is bounded", () => {
  assert.equal(
    retryDelay(0, () => 0),
    0,
  );
  assert.equal(
    retryDelay(0, () => 1),
    500,
  );
  assert.equal(
    retryDelay(3, () => 0.5),
    2_000,
  );
  assert.equal(
    retryDelay(99, () => 1),
    15_000,
  );
  assert.equal(
    retryDelay(5_000, () => 1),
    15_000,
  );
});

test("it connects, receives and sends", () => {
  const connection = connect();
  assert.equal(connection.send("early"), false);
  last().accept();
  last().say("frame");
  assert.equal(connection.send("out"), true);
  assert.deepEqual(kinds(), ["connecting", "connected"]);
  assert.deepEqual(events, ["open", "frame"]);
  assert.deepEqual(last().frames, ["out"]);
});

for (const code of [1006, 1012, 1013, 4408, 4429]) {
  test(`after close ${code} it comes back within half a second`, () => {
    const connection = connect();
    last().accept();
    mock.timers.tick(60_000);
    last().end(code);
    assert.equal(connection.send("lost"), false);
    assert.equal(waiting(), 500);
    mock.timers.tick(500);
    last().accept();
    assert.deepEqual(kinds(), ["connecting", "connected", "waiting", "connecting", "connected"]);
    assert.deepEqual(events, ["open", "lost", "open"]);
  });
}

for (const code of [4400, 4401, 4403, 4410]) {
  test(`after close ${code} it stays away`, () => {
    const connection = connect();
    last().accept();
    last().end(code);
    connection.retry();
    mock.timers.tick(600_000);
    assert.deepEqual(states.at(-1), { kind: "closed", code });
    assert.equal(FakeSocket.all.length, 1);
  });
}

test("handshakes that fail are retried ever more slowly", () => {
  connect();
  const delays = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    last().end();
    delays.push(waiting());
    mock.timers.tick(delays.at(-1));
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.deepEqual(events, []); // a socket that never opened is not lost
});

test("a server that accepts and closes at once is retried ever more slowly too", () => {
  connect();
  for (const delay of [500, 1_000, 2_000]) {
    last().accept();
    last().end(1013);
    assert.equal(waiting(), delay);
    mock.timers.tick(delay);
  }
});

test("a handshake without an answer is given up, and its late answer ignored", () => {
  connect();
  const silent = last();
  mock.timers.tick(10_000);
  assert.equal(states.at(-1).kind, "waiting");
  mock.timers.tick(500);
  assert.equal(FakeSocket.all.length, 2);
  silent.accept();
  assert.equal(states.at(-1).kind, "connecting");
});

test("a retry at once does not wait, and leaves no second attempt behind", () => {
  const connection = connect();
  last().end();
  connection.retry();
  connection.retry();
  assert.equal(FakeSocket.all.length, 2);
  last().accept();
  mock.timers.tick(60_000);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(states.at(-1).kind, "connected");
});

test("while the device is offline it waits for the network, not for the clock", () => {
  const connection = connect();
  last().accept();
  online = false;
  last().end();
  assert.equal(states.at(-1).kind, "offline");
  mock.timers.tick(600_000);
  assert.equal(FakeSocket.all.length, 1);
  online = true;
  connection.online();
  mock.timers.tick(500);
  assert.equal(FakeSocket.all.length, 2);
});

test("a socket that outlives an outage is kept", () => {
  const connection = connect();
  last().accept();
  connection.offline();
  assert.equal(connection.send("not now"), false);
  connection.online();
  assert.deepEqual(kinds(), ["connecting", "connected", "offline", "connected"]);
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(events, ["open"]);
});

test("going offline while waiting stops the clock", () => {
  const connection = connect();
  last().end();
  online = false;
  connection.offline();
  mock.timers.tick(600_000);
  assert.equal(FakeSocket.all.length, 1);
});
