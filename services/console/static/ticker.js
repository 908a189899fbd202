// Draws every countdown of the page once a second, from the server's world time; it changes text and class only.
// The server sends deadlines as epoch seconds (data-due, data-warn); a paused clock carries data-paused and stands still.

const ANNOUNCE_EVERY_MS = 10_000; // a live region that speaks more often is switched off by the people who need it
const STATES = ["waiting", "at_risk", "breached"];

/**
 * World time now, in epoch milliseconds: server time when the page was made, plus what passed since, at the world's speed.
 * The client's own date is never used, so a wrong clock shows the same countdown.
 * @param {{base: number, speed: number, since: number}} world
 * @param {number} monotonic milliseconds of performance.now()
 * @returns {number}
 */
export function worldNow(world, monotonic) {
  return world.base + (monotonic - world.since) * world.speed;
}

/**
 * A span as its two largest units: "3 h 10 min". The same text as the server's `span_text`.
 * @param {number} seconds
 * @returns {string}
 */
export function spanText(seconds) {
  /** @type {[string, number][]} */
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  /** @type {string[]} */
  const parts = [];
  let rest = Math.floor(seconds);
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (unit === "s" && parts.length === 0)) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/**
 * What is left of a clock, as the server's `remaining_text` writes it.
 * @param {number} seconds
 * @returns {string}
 */
export function remainingText(seconds) {
  if (seconds < 0) return `late by ${spanText(-seconds < 60 ? -seconds : Math.floor(-seconds / 60) * 60)}`;
  if (seconds >= 3_600) return spanText(seconds);
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/** The world of this page; the stream moves it. */
const world = { base: Number.NaN, speed: 1, since: 0 };

/**
 * The time of day of the world now, in the viewer's zone, as the server writes it: "14:05".
 * @returns {string}
 */
export function clockText() {
  const at = new Date(worldNow(world, performance.now()));
  return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: document.body.dataset.zone || "UTC" });
}

/** Starts the page's one ticker; it stops in hidden tabs. */
export function startTicker() {
  const root = document.body;
  Object.assign(world, { base: Number(root.dataset.now), speed: Number(root.dataset.speed), since: performance.now() });
  if (!Number.isFinite(world.base)) return;
  /** @type {Map<string, string>} */
  const seen = new Map();
  /** @type {{at_risk: number, breached: number}} */
  const crossed = { at_risk: 0, breached: 0 };
  let announcedAt = -ANNOUNCE_EVERY_MS;

  const draw = () => {
    const now = worldNow(world, performance.now()) / 1000;
    for (const element of document.querySelectorAll("[data-due]")) {
      if (element instanceof HTMLElement) drawOne(element, now);
    }
    tally();
    announce();
  };

  // The board's counts follow the clocks; its rows stay where they are until the list is asked for again.
  const tally = () => {
    for (const state of ["breached", "at_risk", "waiting", "paused"]) {
      const place = document.querySelector(`#board-tally .${state} b`);
      const text = String(document.querySelectorAll(`.lane .due.is-${state}`).length);
      if (place && place.textContent !== text) place.textContent = text;
    }
  };

  /** @param {HTMLElement} element @param {number} now */
  const drawOne = (element, now) => {
    if (element.dataset.paused !== undefined) return;
    const due = Number(element.dataset.due);
    const state = now >= due ? "breached" : now >= Number(element.dataset.warn) ? "at_risk" : "waiting";
    const text = remainingText(Math.ceil(due - now));
    const place = element.querySelector(".due-text");
    if (place && place.textContent !== text) place.textContent = text;
    if (!element.classList.contains(`is-${state}`)) {
      for (const other of STATES) element.classList.toggle(`is-${other}`, other === state);
      const word = element.querySelector(".due-state");
      if (word) word.textContent = state === "breached" ? "breached" : state === "at_risk" ? "at risk" : "";
    }
    const key = element.dataset.clock ?? element.id;
    const before = seen.get(key);
    if (before !== undefined && before !== state && state !== "waiting") {
      crossed[state === "breached" ? "breached" : "at_risk"] += 1;
    }
    seen.set(key, state);
  };

  const announce = () => {
    const region = document.getElementById("live-region");
    if (!region || crossed.at_risk + crossed.breached === 0) return;
    if (performance.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
    announcedAt = performance.now();
    const parts = [];
    if (crossed.at_risk) parts.push(`${crossed.at_risk} ${crossed.at_risk === 1 ? "lead" : "leads"} at risk`);
    if (crossed.breached) parts.push(`${crossed.breached} ${crossed.breached === 1 ? "deadline" : "deadlines"} missed`);
    region.textContent = parts.join(", ");
    crossed.at_risk = 0;
    crossed.breached = 0;
  };

  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const wake = () => {
    clearInterval(timer);
    timer = undefined;
    if (document.hidden) return;
    draw();
    timer = setInterval(draw, 1000);
  };
  document.addEventListener("visibilitychange", wake);
  document.addEventListener("htmx:after:swap", draw);
  // The demo moves its world in steps: the stream then says where it stands.
  document.addEventListener("world", (event) => {
    const told = JSON.parse(String(event instanceof CustomEvent ? event.detail?.data : "null"));
    if (!told) return;
    Object.assign(world, { base: Number(told.now), speed: Number(told.speed), since: performance.now() });
    draw();
  });
  wake();
}
