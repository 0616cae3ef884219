// The page of one room. Only this module looks up the page's elements.

import { ChatClient } from "./chat-client.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { localeOf } from "./day.js";
import { list, readName, writeName } from "./name.js";
import { Naming } from "./naming.js";
import { People } from "./people.js";
import { supplyPopovers } from "./popover.js";
import { readRooms, withRoom, writeRooms } from "./recent.js";
import { StateLine } from "./state-line.js";
import { readTab, writeTab } from "./tab.js";
import { fill, readTexts } from "./texts.js";
import { Typists } from "./typists.js";

const COPIED_SHOWN = 2_000; // milliseconds
const MALFORMED = 4400;
const LOGGED_OUT = 4401;

const find = (id) => document.getElementById(id);
const page = find("room");
const texts = readTexts(find("texts"));
const locale = localeOf(navigator.languages, document.documentElement.lang);
const title = document.title;
supplyPopovers(document);
let name = readName(window);
let unseen = 0;

const tab = readTab(window);
const client = new ChatClient(page.dataset.socket, {
  name: name ?? tab.guest,
  client: tab.id,
  isOnline: () => navigator.onLine,
});
const state = new StateLine({ page, line: find("state"), announcer: find("announcer") }, texts);
const conversation = new Conversation(
  {
    log: find("log"),
    entries: find("entries"),
    outbox: find("outbox"),
    newer: find("newer"),
    earlier: find("earlier"),
    start: find("start"),
  },
  texts,
  {
    locale,
    load: (range) => client.history(range),
    resend(outgoing) {
      client.resend(outgoing);
      composer.focus();
    },
    onUnseen(count) {
      unseen = count;
      showTitle();
    },
  },
);
const composer = new Composer(
  { form: find("composer"), text: find("text"), error: find("error") },
  texts,
  {
    maxLength: Number(page.dataset.maxLength),
    onSend(text) {
      if (client.state.kind === "closed") return false;
      client.send(text);
      return true;
    },
    onTyping: () => client.typing(),
  },
);
const people = new People(
  { count: find("people"), popover: find("who"), list: find("members") },
  texts,
  () => client.members(),
);
const typists = new Typists((names) => {
  const text = names.length > 1 ? texts.type : texts.types;
  find("typing").textContent = names.length ? fill(text, { names: list(names, "", locale) }) : "";
});
const naming = new Naming(
  {
    button: find("name"),
    popover: find("naming"),
    form: find("naming").querySelector("form"),
    input: find("wanted"),
    error: find("wrong"),
  },
  texts,
  (wanted) => {
    call(wanted);
    if (client.state.kind === "closed") client.open();
    composer.focus();
  },
);

/** @param {string} [wanted] */
function call(wanted) {
  name = wanted;
  writeName(window, name);
  naming.chosen(name);
  client.rename(name);
}

// ── What the room tells ─────────────────────────────────────────────────────────────────────────

const on = (type, handle) => client.addEventListener(type, ({ detail }) => handle(detail));

on("state", (now) => {
  state.show(now);
  const retry = find("retry");
  // After a logout the reader decides whether to continue as a guest or to log in again elsewhere first.
  const idle = now.kind === "waiting" || now.kind === "offline" || now.code === LOGGED_OUT;
  if (!idle && document.activeElement === retry) composer.focus(); // hiding the button would lose the focus
  retry.hidden = !idle;
  find("send").setAttribute("aria-disabled", String(now.kind === "closed"));
  if (now.code === MALFORMED && name !== undefined) {
    const refused = name;
    call(undefined); // the page works without a chosen name
    client.open();
    naming.refused(refused);
  }
});
on("welcome", (welcome) => {
  const guest = name === undefined && welcome.name.startsWith("guest-") ? welcome.name : undefined;
  writeTab(window, { id: client.client, guest });
  naming.show(welcome.name);
  people.changed(welcome.members);
});
on("welcome", ({ offset, recovered }) => recovered !== false && conversation.welcomed(offset));
on("gap", ({ newEpoch }) =>
  conversation.gap(texts.gap, { offset: client.welcome.offset, newEpoch }),
);
on("message", (message) => {
  conversation.add(message);
  typists.stopped(message.sender);
});
on("outgoing", (outgoing) => conversation.outgoing(outgoing));
on("deleted", ({ offset }) => conversation.deleted(offset));
on("notice", ({ text }) => conversation.notice(text));
on("typing", ({ name }) => typists.typing(name));
for (const type of ["joined", "left"]) {
  on(type, (moved) => {
    people.changed(moved.members);
    if (type === "left") for (const each of moved.names) typists.stopped(each);
    conversation.moved(moved);
  });
}

// ── What the reader does ────────────────────────────────────────────────────────────────────────

function showTitle() {
  document.title = document.hidden && unseen ? `(${unseen}) ${title}` : title;
}

document.addEventListener("visibilitychange", () => {
  showTitle();
  if (!document.hidden) client.retry(); // browsers slow down the timers of hidden pages
});
addEventListener("online", () => client.online());
addEventListener("offline", () => client.offline());
addEventListener("beforeunload", (event) => {
  if (client.queued) event.preventDefault(); // unsent messages would be lost
});

find("retry").addEventListener("click", () => {
  if (client.state.kind === "closed") client.open();
  else client.retry();
});
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
 * navigator.clipboard exists only on https and localhost.
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
naming.chosen(name);
client.open();

// The whole script has run: now show the controls that need it.
find("unstarted").remove();
for (const each of ["composer", "copy"]) find(each).hidden = false;
if (document.activeElement === document.body) composer.focus();
