// Starts the page's modules; each owns one thing and knows nothing of the others.
import { startArrivals } from "./arrivals.js";
import { startDialogs } from "./dialogs.js";
import { startKeys } from "./keys.js";
import { startPalette } from "./palette.js";
import { startSelection } from "./selection.js";
import { startStreamLine } from "./stream-line.js";
import { startThemeSwitch } from "./theme-switch.js";
import { startTicker } from "./ticker.js";

// On a narrow screen the pages stand in one row that scrolls: the current one comes into sight.
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
startThemeSwitch();
startDialogs();
startSelection();
startKeys();
startPalette();
startArrivals();
startTicker(); // before whoever asks for the world's time
startStreamLine();
