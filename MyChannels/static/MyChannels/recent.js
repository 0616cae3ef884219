// The rooms that this browser opened last, newest first.

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
 * Returns an empty list if the browser denies access to its storage or the stored value is invalid.
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
