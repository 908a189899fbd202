// Which row is chosen belongs to the browser: kept by id here, written to the rows again after each swap, never in markup.

/** @type {string | null} */
let chosen = null;

/** @returns {HTMLElement[]} the rows of the page's one list, in order */
export function rows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row instanceof HTMLElement);
}

/** Writes the choice to the rows: a roving tabindex and a class. */
function show() {
  const all = rows();
  const current = all.find((row) => row.id === chosen) ?? all.find((row) => row.getAttribute("aria-current") === "true") ?? all[0];
  for (const row of all) {
    const isCurrent = row === current;
    row.classList.toggle("is-current", isCurrent && chosen !== null);
    const focusable = row.matches("a, button") ? row : row.querySelector("a, button");
    if (focusable instanceof HTMLElement) focusable.tabIndex = isCurrent ? 0 : -1;
  }
}

/**
 * Moves the choice by a number of rows and focuses it.
 * @param {number} step
 */
export function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const from = all.findIndex((row) => row.id === chosen);
  const start = from < 0 ? all.findIndex((row) => row.getAttribute("aria-current") === "true") : from;
  const next = all[Math.min(all.length - 1, Math.max(0, start + step))];
  chosen = next.id;
  show();
  const focusable = next.matches("a, button") ? next : next.querySelector("a, button");
  if (focusable instanceof HTMLElement) focusable.focus();
}

/** Opens the chosen row as a click would. */
export function openChosen() {
  const row = rows().find((candidate) => candidate.id === chosen);
  const link = row?.matches("a") ? row : row?.querySelector("a");
  if (link instanceof HTMLElement) link.click();
}

/** Follows focus and clicks, and restores the choice after swaps. */
export function startSelection() {
  document.addEventListener("focusin", (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-row]") : null;
    if (row && row.id !== chosen) {
      chosen = row.id;
      show();
    }
  });
  document.addEventListener("htmx:after:swap", show);
  show();
}
