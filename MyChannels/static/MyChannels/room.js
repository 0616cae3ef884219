// The page of one room: the only module that knows its elements.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { encode, parse } from "./messages.js";
import { readRooms, withRoom, writeRooms } from "./recent.js";
import { Sent } from "./sent.js";
import { StateLine } from "./state-line.js";
import { fill, readTexts } from "./texts.js";

const COPIED_SHOWN = 2_000; // milliseconds

const find = (id) => document.getElementById(id);
const page = find("room");
const texts = readTexts(find("texts"));

const address = new URL(page.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");

const sent = new Sent();
const state = new StateLine({ page, line: find("state"), announcer: find("announcer") }, texts);
const conversation = new Conversation(
  { log: find("log"), entries: find("entries"), newer: find("newer") },
  texts,
);
const composer = new Composer(
  { form: find("composer"), text: find("text"), error: find("error") },
  texts,
  {
    maxLength: Number(page.dataset.maxLength),
    onSend(text) {
      if (!connection.send(encode(text))) return false;
      sent.add(text);
      conversation.toEnd();
      return true;
    },
  },
);
const connection = new Connection(address, {
  onState,
  onOpen,
  onFrame,
  onLost,
  isOnline: () => navigator.onLine,
});

// ── What the connection tells ───────────────────────────────────────────────────────────────────

/** @param {import("./connection.js").State} now */
function onState(now) {
  state.show(now);
  const retry = find("retry");
  const idle = now.kind === "waiting" || now.kind === "offline";
  if (!idle && document.activeElement === retry) composer.focus(); // what is hidden loses the focus
  retry.hidden = !idle;
  find("send").setAttribute("aria-disabled", String(now.kind !== "connected"));
}

let lostAt; // when the last connection went

function onOpen() {
  sent.opened();
  if (lostAt === undefined) return;
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  conversation.add({
    kind: "gap",
    text: fill(texts.gap, { from: clock.format(lostAt), to: clock.format(Date.now()) }),
  });
}

function onLost() {
  lostAt = Date.now();
  const unknown = sent.lost();
  if (unknown.length) composer.restore(unknown, texts.unknown);
}

/** @param {unknown} data */
function onFrame(data) {
  const message = parse(data);
  if (message === null) return;
  if (message.kind === "error") {
    const text = sent.refused();
    composer.restore(
      text === undefined ? [] : [text],
      fill(texts.refused, { reason: message.text }),
    );
    return;
  }
  conversation.add({ ...message, own: sent.received(message) });
  if (document.hidden && message.kind === "said") countUnread(unread + 1);
}

// ── What the reader does ────────────────────────────────────────────────────────────────────────

const title = document.title;
let unread = 0;

/** @param {number} count of messages since the page was last looked at */
function countUnread(count) {
  unread = count;
  document.title = count ? `(${count}) ${title}` : title;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  countUnread(0);
  connection.retry(); // a hidden page's timers are slow
});
addEventListener("online", () => connection.online());
addEventListener("offline", () => connection.offline());

find("retry").addEventListener("click", () => connection.retry());
find("newer").addEventListener("click", () => {
  composer.focus();
  conversation.toEnd();
});

const copy = find("copy");
const copyLabel = copy.textContent;

copy.addEventListener("click", async () => {
  const copied = await copyText(location.origin + location.pathname);
  copy.textContent = copied ? texts.copied : texts.notCopied;
  find("announcer").textContent = copy.textContent;
  setTimeout(() => {
    copy.textContent = copyLabel;
  }, COPIED_SHOWN);
});

/**
 * The clipboard proper is for https and localhost alone.
 * @param {string} text
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    copy.focus();
    return copied;
  }
}

writeRooms(window, withRoom(readRooms(window), page.dataset.room));
connection.open();
