// The documented room: shows every sentence of the room, sends what is typed.

const FIRST_DELAY = 500; // milliseconds
const LONGEST_DELAY = 15_000;

const log = document.getElementById("log");
const state = document.getElementById("state");
const composer = document.getElementById("composer");
const text = document.getElementById("text");

// /chat/<room>/ is the page, /ws/chat/<room>/ the socket.
const address = new URL(`/ws${location.pathname}`, location.href);
address.protocol = address.protocol.replace("http", "ws");

let socket;
let failures = 0;

function show(sentence, kind) {
  const item = document.createElement("li");
  item.textContent = sentence;
  item.className = kind;
  log.append(item);
  item.scrollIntoView({ block: "nearest" });
}

function connect() {
  socket = new WebSocket(address);
  socket.addEventListener("open", () => {
    failures = 0;
    state.textContent = "Connected. 已连接。";
  });
  socket.addEventListener("message", ({ data }) => {
    const { message, error } = JSON.parse(data);
    show(message ?? error, error === undefined ? "message" : "error");
  });
  socket.addEventListener("close", () => {
    // Full jitter, so that the clients of a worker that went away do not all return at once.
    const delay = Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
    failures += 1;
    state.textContent = "Connection lost, trying again… 连接已断开,正在重试…";
    setTimeout(connect, delay);
  });
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!text.value || socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ message: text.value }));
  text.value = "";
});

connect();
