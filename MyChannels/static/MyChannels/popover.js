// Popovers for browsers that have none: Chrome before 114, Firefox before 125, Safari before 17.

/**
 * Without this they are `hidden`: a browser that knows no popovers would show them on the page.
 * @param {Document} document whose `popover` and `popovertarget` then work as they should
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
  popover.removeAttribute("popover"); // a browser that half knows it keeps out
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
