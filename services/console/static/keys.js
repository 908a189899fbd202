// The keyboard: single keys press the visible control that carries the same data-key, so a key can do no more than a click.
// They do nothing while a field has focus or a dialog is open, and can be switched off (kept in this browser).
import { openDialog } from "./dialogs.js";
import { move, openChosen } from "./selection.js";

const SWITCH = "baton.keys";
const GO_WITHIN_MS = 1500;

/** @returns {boolean} whether single keys are on */
const isOn = () => localStorage.getItem(SWITCH) !== "off";

/** @param {EventTarget | null} target @returns {boolean} whether somebody is typing */
const isField = (target) => target instanceof HTMLElement && (target.isContentEditable || target.matches("input, select, textarea"));

/** Binds the keys of the page. */
export function startKeys() {
  let goUntil = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(event.target) || document.querySelector("dialog[open]") || !isOn()) return;
    if (goUntil > event.timeStamp) {
      goUntil = 0;
      const link = document.querySelector(`a[data-go="${CSS.escape(event.key.toLowerCase())}"]`);
      if (link instanceof HTMLElement) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (press(event)) event.preventDefault();
    else if (event.key.toLowerCase() === "g") goUntil = event.timeStamp + GO_WITHIN_MS;
  });
  bindSwitch();
}

/** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
function press(event) {
  switch (event.key) {
    case "j":
    case "J":
      move(1);
      return true;
    case "k":
    case "K":
      move(-1);
      return true;
    case "?":
      openDialog("keys-sheet");
      return true;
    case "/": {
      const field = document.querySelector("[data-filter]");
      if (field instanceof HTMLElement) field.focus();
      return field !== null;
    }
    case "Enter":
      if (event.target !== document.body) return false;
      openChosen();
      return true;
    default:
      return pressControl(event.key.toLowerCase());
  }
}

/** @param {string} key @returns {boolean} whether a control carries this key */
function pressControl(key) {
  const control = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!(control instanceof HTMLButtonElement) || control.disabled) return false;
  control.click();
  return true;
}

function bindSwitch() {
  const box = document.getElementById("keys-switch");
  if (!(box instanceof HTMLInputElement)) return;
  box.checked = isOn();
  box.addEventListener("change", () => localStorage.setItem(SWITCH, box.checked ? "on" : "off"));
}
