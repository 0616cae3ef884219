// Who this tab is to the server, kept while it is open: a page that is loaded anew was never away.

import { fault } from "./name.js";

const KEY = "tab";

/**
 * A browser may refuse even to look at its storage, and others may have written there: then it is nobody yet.
 * @param {{ sessionStorage: Storage }} window
 * @returns {{ id?: string, guest?: string }} guest: the name that the server made
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
    // The others will read that somebody left, and somebody came.
  }
}
