// The rooms opened last in this browser, newest first.

const KEY = "recent-rooms";
const LIMIT = 8;

/**
 * @param {string[]} rooms
 * @param {string} room
 */
export function withRoom(rooms, room) {
  return [room, ...rooms.filter((other) => other !== room)].slice(0, LIMIT);
}

/**
 * A browser may refuse even to look at its storage, and others may have written there: then there are none.
 * @param {{ localStorage: Storage }} window
 * @returns {string[]}
 */
export function readRooms(window) {
  try {
    const rooms = JSON.parse(window.localStorage.getItem(KEY) ?? "[]");
    return rooms
      .filter((room) => typeof room === "string" && /^[-\w]{1,80}$/.test(room))
      .slice(0, LIMIT);
  } catch {
    return [];
  }
}

/**
 * @param {{ localStorage: Storage }} window
 * @param {string[]} rooms
 */
export function writeRooms(window, rooms) {
  try {
    window.localStorage.setItem(KEY, JSON.stringify(rooms));
  } catch {
    // The list is a convenience; the page works without it.
  }
}
