import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { ChatClient, retryDelay } from "../../MyChannels/static/MyChannels/chat-client.js";

const NOW = 1_000_000;

/** What the browser would give; the test plays the server. */
class FakeSocket extends EventTarget {
  static all = [];
  /** What the client has sent on it. */
  objects = [];

  constructor(address, protocol) {
    super();
    this.address = new URL(address);
    this.protocol = protocol;
    FakeSocket.all.push(this);
  }

  accept() {
    this.dispatchEvent(new Event("open"));
  }

  say(...objects) {
    this.text(objects.map((object) => JSON.stringify(object)).join("\n"));
  }

  text(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  end(code = 1006) {
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  send(frame) {
    this.objects.push(JSON.parse(frame));
  }

  close() {
    this.end(1005);
  }

  sent(type) {
    return this.objects.filter((object) => object.type === type);
  }

  get query() {
    return Object.fromEntries(this.address.searchParams);
  }
}

const last = () => FakeSocket.all.at(-1);
const welcome = (fields) => ({
  type: "welcome",
  room: "lobby",
  name: "guest-ab12",
  worker: "one",
  epoch: "e1",
  offset: 7,
  members: 1,
  ...fields,
});
const message = (offset, fields) => ({
  type: "message",
  offset,
  sender: "Ann",
  text: `text ${offset}`,
  sent_at: NOW,
  ...fields,
});

const EVENTS = ["state", "welcome", "message", "outgoing", "gap"];
const PASSED_ON = ["notice", "deleted", "joined", "left", "typing"];
let events;
let online;

function make(options) {
  const client = new ChatClient("ws://test/ws/chat/lobby/", {
    WebSocket: FakeSocket,
    isOnline: () => online,
    random: () => 1, // the longest delay
    ...options,
  });
  for (const type of [...EVENTS, ...PASSED_ON])
    client.addEventListener(type, ({ detail }) => events.push([type, structuredClone(detail)]));
  client.open();
  return client;
}

function connected(options, fields) {
  const client = make(options);
  join(fields);
  return client;
}

function join(fields) {
  last().accept();
  last().say(welcome(fields));
}

/** The connection is lost and comes back. */
function rejoin(fields, code = 1012) {
  last().end(code);
  mock.timers.tick(15_000);
  join({ recovered: true, ...fields });
}

const of = (type) => events.filter(([each]) => each === type).map(([, detail]) => detail);
const kinds = () => of("state").map(({ kind }) => kind);
/** The delay, in milliseconds, that the last state announces. */
const waiting = () => {
  const { delay, until } = of("state").at(-1);
  assert.equal(until, Date.now() + delay);
  return delay;
};

/** The user, or the time service, sets the device's clock; what is under way goes on. */
function setClock(by) {
  const now = Date.now;
  mock.method(Date, "now", () => now() + by);
}

beforeEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOW });
  FakeSocket.all = [];
  events = [];
  online = true;
});

// ── Connecting and resuming ─────────────────────────────────────────────────────────────────────

test("it asks for chat.v1, with a name and a random client of its own", () => {
  make({ name: "Ann Lee" });
  make();
  const [first, second] = FakeSocket.all;
  assert.equal(first.protocol, "chat.v1");
  assert.equal(first.query.name, "Ann Lee");
  assert.match(first.query.client, /^[A-Za-z0-9_-]{16,64}$/);
  assert.notEqual(first.query.client, second.query.client);
  assert.deepEqual(Object.keys(second.query), ["client"]);
});

test("an address of http becomes one of ws", () => {
  const options = { WebSocket: FakeSocket };
  new ChatClient("https://test/ws/chat/lobby/", options).open();
  assert.equal(last().address.protocol, "wss:");
});

test("it is connected once the server has welcomed it, not when the socket opens", () => {
  const client = make();
  last().accept();
  assert.deepEqual(kinds(), ["connecting"]);
  last().say(welcome());
  assert.deepEqual(kinds(), ["connecting", "connected"]);
  assert.equal(client.welcome.name, "guest-ab12");
});

test("it resumes after the newest message that it has, as the same client", () => {
  connected({ name: "Ann" });
  last().say(message(8), message(9));
  const { client } = last().query;
  rejoin();
  assert.deepEqual(last().query, { name: "Ann", client, since: "e1:9" });
  last().say(message(10));
  assert.deepEqual(
    of("message").map(({ offset }) => offset),
    [8, 9, 10],
  );
  assert.deepEqual(of("gap"), []);
});

test("a guest keeps the name that the server made", () => {
  connected();
  rejoin();
  assert.equal(last().query.name, "guest-ab12");
});

test("an account's name is never asked for as a guest's", () => {
  connected({}, { name: "admin" });
  rejoin({ name: "admin" });
  assert.equal(last().query.name, undefined);
});

test("what cannot be replayed is told, and live messages follow", () => {
  connected();
  rejoin({ recovered: false, offset: 900 });
  assert.deepEqual(of("gap"), [{ newEpoch: false }]);
  last().say(message(901));
  assert.equal(of("message").at(-1).offset, 901);
});

test("a new epoch on an open socket is told, and its offsets count from then on", () => {
  connected();
  last().say(message(8), welcome({ epoch: "e2", offset: 0, recovered: false }), message(1));
  assert.deepEqual(of("gap"), [{ newEpoch: true }]);
  assert.deepEqual(
    of("message").map(({ offset }) => offset),
    [8, 1],
  );
  assert.deepEqual(kinds(), ["connecting", "connected"]);
  rejoin();
  assert.equal(last().query.since, "e2:1");
});

// ── Frames ──────────────────────────────────────────────────────────────────────────────────────

test("a frame may hold several objects", () => {
  connected();
  last().say(message(8), { type: "notice", text: "Dinner" }, message(9));
  assert.deepEqual(
    events.slice(-3).map(([type]) => type),
    ["message", "notice", "message"],
  );
});

test("what is broken or unknown is ignored, and what stands beside it is not", () => {
  connected();
  const before = events.length;
  for (const text of ["", "{", "null", "[]", "1", '"x"', "{}", '{"type": 1}', '{"type": "new"}'])
    last().text(text);
  assert.equal(events.length, before);
  last().text(`{\n${JSON.stringify(message(8))}\n`);
  assert.equal(of("message").length, 1);
});

test("a message that came already, or without an offset, is dropped", () => {
  connected();
  last().say(message(8), message(8), message(7), message(undefined), message(9));
  assert.deepEqual(
    of("message").map(({ offset }) => offset),
    [8, 9],
  );
});

test("who comes, goes and types is passed on as the server says it", () => {
  connected();
  const said = [
    { type: "joined", names: ["Bob"], more: 0, members: 2 },
    { type: "typing", name: "Bob" },
    { type: "deleted", offset: 3 },
    { type: "left", names: ["Bob"], more: 0, members: 1 },
  ];
  last().say(...said);
  assert.deepEqual(
    events.slice(-4).map(([, detail]) => detail),
    said,
  );
});

// ── Sending ─────────────────────────────────────────────────────────────────────────────────────

test("what is written while disconnected is sent once, in order, after the welcome", () => {
  const client = make();
  client.send("one");
  last().accept();
  client.send("two");
  assert.deepEqual(last().objects, []);
  last().say(welcome());
  const [first] = last().sent("send");
  assert.equal(first.text, "one");
  assert.equal(last().sent("send").length, 1); // one at a time keeps the order
  last().say({ type: "ack", ref: first.ref, offset: 8 });
  last().say({ type: "ack", ref: last().sent("send")[1].ref, offset: 9 });
  assert.deepEqual(
    last()
      .sent("send")
      .map(({ text }) => text),
    ["one", "two"],
  );
  mock.timers.tick(15_000);
  assert.equal(last().sent("send").length, 2);
});

test("a message is queued, on its way, and sent with its offset", () => {
  const client = connected();
  const outgoing = client.send("hi");
  assert.equal(outgoing.state, "sending");
  assert.equal(client.queued, 1);
  last().say({ type: "ack", ref: outgoing.ref, offset: 8 });
  assert.equal(outgoing.state, "sent");
  assert.equal(outgoing.offset, 8);
  assert.equal(client.queued, 0);
  assert.deepEqual(
    of("outgoing").map(({ state }) => state),
    ["queued", "sending", "sent"],
  );
});

test("refs are never used twice, not even by two clients", () => {
  const refs = [connected(), connected()].flatMap((client) =>
    ["a", "a"].map((text) => client.send(text).ref),
  );
  assert.equal(new Set(refs).size, 4);
});

for (const order of ["ack first", "message first"]) {
  test(`one's own message is known by its offset: ${order}`, () => {
    const outgoing = connected().send("hi");
    const both = [{ type: "ack", ref: outgoing.ref, offset: 8 }, message(8)];
    last().say(...(order === "ack first" ? both : both.reverse()), message(9));
    assert.deepEqual([outgoing.state, outgoing.offset], ["sent", 8]);
    assert.deepEqual(
      of("message").map(({ offset }) => offset),
      [8, 9],
    );
  });
}

test("a message that was on its way when the socket was lost is sent again with its ref", () => {
  const client = connected();
  const { ref } = client.send("hi");
  client.send("more");
  rejoin();
  assert.deepEqual(last().sent("send"), [{ type: "send", ref, text: "hi" }]);
  last().say(message(8), { type: "ack", ref, offset: 8 });
  assert.equal(last().sent("send")[1].text, "more");
});

test("a message that nobody acknowledges is sent again with its ref", () => {
  const { ref } = connected().send("hi");
  mock.timers.tick(10_000);
  assert.deepEqual(
    last()
      .sent("send")
      .map((each) => each.ref),
    [ref, ref],
  );
});

test("rate_limited waits a second, and sends again with the same ref", () => {
  const client = connected();
  const { ref } = client.send("hi");
  client.send("more");
  last().say({ type: "error", code: "rate_limited", detail: "", ref });
  mock.timers.tick(999);
  assert.equal(last().sent("send").length, 1);
  mock.timers.tick(1);
  assert.deepEqual(last().sent("send")[1], { type: "send", ref, text: "hi" });
});

test("unavailable sends again with the same ref, ever more slowly", () => {
  const { ref } = connected().send("hi");
  for (const delay of [1_000, 2_000, 4_000]) {
    const before = last().sent("send").length;
    last().say({ type: "error", code: "unavailable", detail: "", ref });
    mock.timers.tick(delay - 1);
    assert.equal(last().sent("send").length, before);
    mock.timers.tick(1);
    assert.equal(last().sent("send").at(-1).ref, ref);
  }
});

for (const code of ["too_long", "malformed", "ref_reused", "forbidden"]) {
  test(`${code} fails the message, and the next one goes on`, () => {
    const client = connected();
    const outgoing = client.send("hi");
    client.send("next");
    last().say({ type: "error", code, detail: "because", ref: outgoing.ref });
    assert.deepEqual([outgoing.state, outgoing.code, outgoing.detail], ["failed", code, "because"]);
    assert.equal(last().sent("send").at(-1).text, "next");
  });

  test(`after ${code} it can be sent again`, () => {
    const client = connected();
    const outgoing = client.send("hi");
    const { ref } = outgoing;
    last().say({ type: "error", code, detail: "", ref });
    client.resend(outgoing);
    assert.equal(last().sent("send").length, 2);
    assert.equal(outgoing.ref === ref, code !== "ref_reused");
    last().say({ type: "ack", ref: outgoing.ref, offset: 8 });
    assert.deepEqual([outgoing.state, outgoing.code], ["sent", undefined]);
  });
}

test("a frame above the server's limit fails instead of coming back for ever", () => {
  const outgoing = connected().send("x".repeat(99));
  last().end(1009);
  assert.deepEqual([outgoing.state, outgoing.code], ["failed", "too_long"]);
  mock.timers.tick(500);
  join({ recovered: true });
  assert.deepEqual(last().sent("send"), []);
});

test("an error of no message leaves the messages alone", () => {
  const outgoing = connected().send("hi");
  for (const ref of [undefined, "another"])
    last().say({ type: "error", code: "malformed", detail: "what", ref });
  assert.equal(outgoing.state, "sending");
});

test("typing is told at most every few seconds, and never into the void", () => {
  const client = make();
  client.typing();
  join();
  for (let second = 0; second < 10; second += 1) {
    client.typing();
    mock.timers.tick(1_000);
  }
  assert.equal(last().sent("typing").length, 4);
});

// ── Asking ──────────────────────────────────────────────────────────────────────────────────────

test("history and members are answered in the order of their questions", async () => {
  const client = connected();
  const answers = Promise.all([
    client.history({ before: 8, limit: 2 }),
    client.members(),
    client.history(),
  ]);
  assert.deepEqual(last().sent("history")[0], { type: "history", before: 8, limit: 2 });
  last().say(
    { type: "members", names: ["Ann"], count: 1 },
    { type: "history", messages: [message(7)], more: true },
    { type: "history", messages: [], more: false },
  );
  const [first, members, second] = await answers;
  assert.deepEqual([first.more, members.count, second.more], [true, 1, false]);
});

test("a question that is refused, or whose connection is lost, is rejected", async () => {
  const client = make();
  await assert.rejects(client.members(), /not connected/);
  join();
  const refused = client.history();
  last().say({ type: "error", code: "unavailable", detail: "no Redis" });
  await assert.rejects(refused, { code: "unavailable", message: "no Redis" });
  const lost = client.members();
  last().end();
  await assert.rejects(lost, /lost/);
});

// ── Renaming ────────────────────────────────────────────────────────────────────────────────────

test("another name comes with another socket, which resumes", () => {
  const client = connected();
  client.rename("Ann");
  assert.deepEqual([last().query.name, last().query.since], ["Ann", "e1:7"]);
  client.rename();
  assert.equal(last().query.name, undefined);
  assert.equal(FakeSocket.all.length, 3);
});

test("what is on its way arrives under the name that it was sent with", () => {
  const client = connected();
  const { ref } = client.send("hi");
  client.send("more");
  client.rename("Ann");
  rejoin();
  assert.deepEqual([last().query.name, last().sent("send")[0].ref], ["guest-ab12", ref]);
  last().say({ type: "ack", ref, offset: 8 });
  assert.equal(last().query.name, "Ann");
  join({ name: "Ann", recovered: true });
  assert.deepEqual(
    last()
      .sent("send")
      .map(({ text }) => text),
    ["more"],
  );
});

test("a name that is chosen on the welcome leaves what is queued for the next socket", () => {
  const client = make();
  client.send("hi");
  client.addEventListener("welcome", () => client.rename("Ann"), { once: true });
  join();
  join({ name: "Ann", recovered: true });
  assert.deepEqual(
    FakeSocket.all.map((socket) => socket.sent("send").length),
    [0, 1],
  );
});

// ── Losing the connection ───────────────────────────────────────────────────────────────────────

test("the delay has full jitter, doubles and is bounded", () => {
  const delay = (failures, random) => retryDelay(failures, () => random);
  assert.deepEqual([delay(0, 0), delay(0, 1), delay(3, 0.5)], [0, 500, 2_000]);
  assert.deepEqual([delay(99, 1), delay(5_000, 1)], [15_000, 15_000]);
});

// 1000 and 1001 too: a proxy, or a consumer's own close(), may end a socket in a friendly way.
for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1015, 3000, 4000, 4408, 4429]) {
  test(`after close ${code} it comes back within half a second`, () => {
    connected();
    mock.timers.tick(19_000);
    last().end(code);
    assert.equal(waiting(), 500);
    mock.timers.tick(500);
    join({ recovered: true });
    assert.deepEqual(kinds(), ["connecting", "connected", "waiting", "connecting", "connected"]);
  });
}

for (const code of [4400, 4401, 4403, 4410]) {
  test(`after close ${code} it stays away, and what was queued has failed`, () => {
    const client = connected();
    const outgoing = client.send("hi");
    last().end(code);
    client.retry();
    mock.timers.tick(600_000);
    assert.deepEqual(client.state, { kind: "closed", code });
    assert.deepEqual([outgoing.state, outgoing.code], ["failed", "closed"]);
    assert.equal(FakeSocket.all.length, 1);
  });
}

test("what was on its way when the server closed normally is sent again, once", () => {
  const outgoing = connected().send("hi");
  rejoin({}, 1000);
  assert.deepEqual(last().sent("send"), [{ type: "send", ref: outgoing.ref, text: "hi" }]);
  assert.equal(last().query.since, "e1:7");
});

test("after a refused name it can come back without one", () => {
  const client = make({ name: "Server" });
  last().accept();
  last().end(4400);
  client.rename();
  client.open();
  join();
  assert.equal(last().query.name, undefined);
  assert.equal(client.state.kind, "connected");
});

test("closed by its user it stays closed until it is opened", () => {
  const client = connected();
  client.close();
  mock.timers.tick(600_000);
  assert.deepEqual([client.state, FakeSocket.all.length], [{ kind: "closed", code: 1000 }, 1]);
  client.open();
  assert.equal(FakeSocket.all.length, 2);
});

test("handshakes that fail are retried ever more slowly", () => {
  make();
  const delays = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    last().end();
    delays.push(waiting());
    mock.timers.tick(delays.at(-1));
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

for (const code of [1000, 1013]) {
  test(`a server that welcomes and closes with ${code} at once is retried ever more slowly too`, () => {
    make();
    for (const delay of [500, 1_000, 2_000]) {
      join();
      last().end(code);
      assert.equal(waiting(), delay);
      mock.timers.tick(delay);
    }
  });
}

test("a handshake without an answer is given up, and its late answer ignored", () => {
  make();
  const silent = last();
  mock.timers.tick(10_000);
  assert.equal(kinds().at(-1), "waiting");
  mock.timers.tick(500);
  assert.equal(FakeSocket.all.length, 2);
  silent.accept();
  silent.say(welcome());
  assert.equal(kinds().at(-1), "connecting");
});

test("a retry at once does not wait, and leaves no second attempt behind", () => {
  const client = make();
  last().end();
  client.retry();
  client.retry();
  assert.equal(FakeSocket.all.length, 2);
  join();
  mock.timers.tick(15_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("while the device says that it is offline it tries all the same, but rarely", () => {
  const client = connected();
  online = false;
  last().end();
  assert.equal(kinds().at(-1), "offline");
  for (let attempt = 1; attempt < 4; attempt += 1) {
    assert.equal(waiting(), 15_000);
    mock.timers.tick(14_999);
    assert.equal(FakeSocket.all.length, attempt);
    mock.timers.tick(1);
    assert.equal(FakeSocket.all.length, attempt + 1);
    last().end();
  }
  mock.timers.tick(15_000);
  join({ recovered: true }); // the device was wrong
  assert.equal(client.state.kind, "connected");
});

test("the device is online again: it comes back at once, however long it was away", () => {
  const client = connected();
  online = false;
  last().end();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    mock.timers.tick(15_000);
    last().end();
  }
  online = true;
  client.online();
  assert.deepEqual([kinds().at(-1), waiting()], ["waiting", 500]);
  mock.timers.tick(500);
  join({ recovered: true });
  const sockets = FakeSocket.all.length;
  mock.timers.tick(15_000); // no second attempt was left behind
  assert.equal(FakeSocket.all.length, sockets);
});

test("going offline while it waits makes it wait longer, and going online again does not", () => {
  const client = make();
  last().end();
  client.offline();
  assert.deepEqual([kinds().at(-1), waiting()], ["offline", 15_000]);
  mock.timers.tick(1_000);
  assert.equal(FakeSocket.all.length, 1);
  client.online();
  mock.timers.tick(1_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("the device goes offline, and a living socket says otherwise", () => {
  const client = connected();
  client.offline();
  assert.equal(kinds().at(-1), "offline");
  assert.equal(last().sent("ping").length, 1);
  last().say(message(8));
  assert.equal(kinds().at(-1), "connected");
  client.send("hi");
  assert.equal(last().sent("send").length, 1);
});

test("the device goes offline, and the socket is silent: it is given up", () => {
  const client = connected();
  online = false;
  client.offline();
  mock.timers.tick(4_999);
  assert.equal(FakeSocket.all.length, 1);
  mock.timers.tick(1);
  assert.deepEqual([kinds().at(-1), waiting()], ["offline", 15_000]);
});

test("a retry helps against a device that says it is offline", () => {
  const client = connected();
  client.offline();
  client.retry();
  last().say({ type: "pong" });
  assert.equal(client.state.kind, "connected");
  online = false;
  last().end();
  client.retry();
  join({ recovered: true });
  assert.equal(client.state.kind, "connected");
});

test("a socket that outlives an outage is asked for a sign of life, and kept", () => {
  const client = connected();
  client.offline();
  client.online();
  assert.deepEqual(kinds(), ["connecting", "connected", "offline", "connected"]);
  assert.equal(last().sent("ping").length, 1);
  last().say({ type: "pong" });
  mock.timers.tick(5_000);
  assert.equal(FakeSocket.all.length, 1);
});

// ── Silence ─────────────────────────────────────────────────────────────────────────────────────

test("a silent socket is asked for a sign of life, and given up if there is none", () => {
  connected();
  const silent = last();
  mock.timers.tick(19_999);
  assert.deepEqual(silent.sent("ping"), []);
  mock.timers.tick(1);
  assert.equal(silent.sent("ping").length, 1);
  mock.timers.tick(5_000);
  assert.equal(kinds().at(-1), "waiting");
  mock.timers.tick(500);
  assert.equal(last().query.since, "e1:7");
  silent.say(message(8)); // too late: it will be replayed
  assert.deepEqual(of("message"), []);
});

test("whatever is heard after the ping is a sign of life", () => {
  connected();
  for (let minute = 0; minute < 5; minute += 1) {
    mock.timers.tick(20_000);
    last().say({ type: "pong" });
    mock.timers.tick(5_000);
  }
  assert.equal(FakeSocket.all.length, 1);
  assert.ok(last().sent("ping").length >= 4);
});

test("where something is heard, nothing is asked", () => {
  connected();
  for (let second = 0; second < 60; second += 1) {
    mock.timers.tick(1_000);
    last().say(message(8 + second));
  }
  assert.deepEqual(last().sent("ping"), []);
});

test("a retry on an open socket asks at once", () => {
  const client = connected();
  client.retry();
  mock.timers.tick(5_000);
  assert.equal(kinds().at(-1), "waiting");
});

test("a room that never welcomes is given up", () => {
  make();
  last().accept();
  mock.timers.tick(20_000);
  mock.timers.tick(5_000);
  assert.equal(kinds().at(-1), "waiting");
});

// ── A clock that is set ─────────────────────────────────────────────────────────────────────────

const HOUR = 3_600_000;
for (const [name, by] of [
  ["an hour back", -HOUR],
  ["a minute back", -60_000],
  ["an hour forward", HOUR],
  ["a year forward", 8_760 * HOUR],
]) {
  test(`silence is noticed after as long as ever with the clock ${name}`, () => {
    connected();
    mock.timers.tick(10_000);
    setClock(by);
    mock.timers.tick(9_999);
    assert.deepEqual(last().sent("ping"), []);
    mock.timers.tick(1);
    assert.equal(last().sent("ping").length, 1);
    mock.timers.tick(5_000);
    assert.equal(kinds().at(-1), "waiting");
  });

  test(`typing is sent as often as ever with the clock ${name}`, () => {
    const client = connected();
    client.typing();
    setClock(by);
    for (let second = 0; second < 300; second += 3) {
      mock.timers.tick(3_000);
      last().say({ type: "pong" });
      client.typing();
    }
    assert.equal(last().sent("typing").length, 101);
  });

  test(`a good connection is known as one with the clock ${name}`, () => {
    make();
    for (let failure = 0; failure < 5; failure += 1) {
      last().end();
      mock.timers.tick(15_000);
    }
    join();
    setClock(by);
    mock.timers.tick(4_999);
    last().end();
    assert.equal(waiting(), 15_000);
    mock.timers.tick(15_000);
    join({ recovered: true });
    mock.timers.tick(5_000);
    last().end();
    assert.equal(waiting(), 500);
  });
}

// ── Frames that hold something odd ──────────────────────────────────────────────────────────────

test("an object that cannot be read hides none of its neighbours", () => {
  connected();
  last().say(
    message(8),
    welcome({ name: 7, epoch: null }),
    message(9),
    { type: "ack" },
    message(10),
  );
  assert.deepEqual(
    of("message").map(({ offset }) => offset),
    [8, 9, 10],
  );
});
