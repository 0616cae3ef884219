// Popovers for browsers without support: Chrome before 114, Firefox before 125, Safari before 17.

/**
 * The popovers start `hidden`, since a browser without support would show them on the page.
 * @param {Document} document in which to make `popover` and `popovertarget` work
 */
export function supplyPopovers(document) {
  const known = "popover" in HTMLElement.prototype;
  for (const popover of document.querySelectorAll("[popover]")) {
    if (known) popover.hidden = false;
    else supply(popover, document);
  }
}

/** @param {HTMLElement} popover */
function supply(popover, document) {
  const buttons = document.querySelectorAll(`[popovertarget="${popover.id}"]`);
  const turn = (open) => {
    if (popover.hidden !== open) return;
    popover.hidden = !open;
    const newState = open ? "open" : "closed";
    popover.dispatchEvent(Object.assign(new Event("toggle"), { newState }));
  };
  popover.removeAttribute("popover"); // so that a browser with partial support does not interfere
  popover.showPopover = () => turn(true);
  popover.hidePopover = () => turn(false);
  for (const button of buttons) {
    const hides = button.getAttribute("popovertargetaction") === "hide";
    button.addEventListener("click", () => turn(!hides && popover.hidden));
  }
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || popover.hidden) return;
    turn(false);
    buttons[0]?.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    const outside =
      !popover.contains(target) && ![...buttons].some((each) => each.contains(target));
    if (outside) turn(false);
  });
}
