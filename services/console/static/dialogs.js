// Opens <dialog> elements from [data-opens="id"] buttons and gives the focus back to where it was when they close.

/** @type {string | null} */
let returnTo = null;

/**
 * Opens a dialog by its id; the focus returns to the opener, or to where it was.
 * @param {string} id
 * @param {string} [openerId]
 */
export function openDialog(id, openerId) {
  const dialog = document.getElementById(id);
  if (!(dialog instanceof HTMLDialogElement) || dialog.open) return;
  returnTo = openerId || (document.activeElement instanceof HTMLElement ? document.activeElement.id : null);
  dialog.showModal();
}

/** Binds openers, closers and the return of the focus. */
export function startDialogs() {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const opener = event.target.closest("[data-opens]");
    if (opener instanceof HTMLElement && opener.dataset.opens) openDialog(opener.dataset.opens, opener.id);
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
  });
  document.addEventListener(
    "close",
    () => {
      if (returnTo) document.getElementById(returnTo)?.focus();
      returnTo = null;
    },
    true,
  );
  // An answer that was swapped in ends the dialog it came from.
  // The stream's swaps come from elsewhere and leave open what a person is typing in.
  document.addEventListener("htmx:after:swap", (event) => {
    const source = event instanceof CustomEvent ? event.detail?.ctx?.sourceElement : null;
    if (!(source instanceof HTMLFormElement)) return;
    for (const dialog of document.querySelectorAll("dialog[open]")) {
      if (dialog instanceof HTMLDialogElement) dialog.close();
    }
  });
}
