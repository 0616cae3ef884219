// This tab's identity for the server, kept while the tab is open, so that a reloaded page counts as never away.

import { fault } from "./name.js";

const KEY = "tab";

/**
 * Omits invalid values. Returns {} if the browser denies access to its storage.
 * @param {{ sessionStorage: Storage }} window
 * @returns {{ id?: string, guest?: string }} guest: the name that the server generated
 */
export function readTab(window) {
  try {
    const { id, guest } = JSON.parse(window.sessionStorage.getItem(KEY) ?? "{}");
    return {
      id: /^[\w-]{16,64}$/.test(id) ? id : undefined,
      guest: guest && !fault(guest) ? guest : undefined,
    };
  } catch {
    return {};
  }
}

/**
 * @param {{ sessionStorage: Storage }} window
 * @param {{ id: string, guest?: string }} tab
 */
export function writeTab(window, tab) {
  try {
    window.sessionStorage.setItem(KEY, JSON.stringify(tab));
  } catch {
    // After a reload, others then see one person leave and another come.
  }
}
