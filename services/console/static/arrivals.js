// New rows wait for a "3 new" line: a list is not reordered under the hand that works in it.
// The stream names what came in (event `arrivals`); what is not on the page yet is counted and loaded on request.

/** Binds the named events `arrivals` and `stale` of the stream. */
export function startArrivals() {
  /** @type {Set<string>} */
  const waiting = new Set();
  document.addEventListener("arrivals", (event) => {
    const detail = event instanceof CustomEvent ? event.detail : null;
    /** @type {{ids: string[]}} */
    const told = JSON.parse(String(detail?.data ?? "{\"ids\":[]}"));
    for (const id of told.ids) if (!document.getElementById(`h-${id}`)) waiting.add(id);
    const button = document.getElementById("arrivals");
    if (!(button instanceof HTMLButtonElement) || waiting.size === 0) return;
    button.hidden = false;
    button.textContent = `${waiting.size} new`;
    const region = document.getElementById("live-region");
    if (region) region.textContent = `${waiting.size} new`;
    // An empty list has no hand in it: show at once.
    if (!document.querySelector("[data-row]")) button.click();
  });
  document.addEventListener("htmx:after:swap", () => {
    for (const id of waiting) if (document.getElementById(`h-${id}`)) waiting.delete(id);
    const button = document.getElementById("arrivals");
    if (button instanceof HTMLButtonElement && waiting.size === 0) button.hidden = true;
  });
  document.addEventListener("stale", () => location.reload());
}
