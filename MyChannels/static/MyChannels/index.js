// Adds to the first page the rooms that this browser opened last.

import { readRooms, writeRooms } from "./recent.js";

const section = document.getElementById("recent");
const list = section.querySelector("ul");
const rooms = readRooms(window);

for (const room of rooms) {
  const link = document.createElement("a");
  link.href = `chat/${room}/`;
  link.textContent = room;
  link.translate = false;
  const item = document.createElement("li");
  item.append(link);
  list.append(item);
}
section.hidden = rooms.length === 0;

section.querySelector("button").addEventListener("click", () => {
  writeRooms(window, []);
  section.hidden = true;
  document.querySelector("input").focus();
});
