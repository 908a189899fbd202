// Says whether the page is live: "live" only after the first byte of the stream, else "reconnecting" or "as of 14:05".

import { clockText } from "./ticker.js";

/** Binds the stream's own events to the line in the top bar. */
export function startStreamLine() {
  const line = document.getElementById("stream-line");
  if (!line) return;
  /** @param {string} text @param {"is-live" | "is-lost" | ""} state */
  const say = (text, state) => {
    line.textContent = text;
    line.classList.toggle("is-live", state === "is-live");
    line.classList.toggle("is-lost", state === "is-lost");
  };
  let lastHeard = line.dataset.asOf ?? "";
  const heard = () => {
    lastHeard = clockText();
    say("live", "is-live");
  };
  document.addEventListener("htmx:sse:before:message", heard);
  document.addEventListener("htmx:sse:error", () => say(`reconnecting, as of ${lastHeard}`, "is-lost"));
  document.addEventListener("htmx:sse:before:connection", () => say("reconnecting", "is-lost"));
  document.addEventListener("htmx:sse:close", () => say(`as of ${lastHeard}`, "is-lost"));
}
