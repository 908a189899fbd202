// Sets the theme before the first paint: the choice kept in this browser, else the system's. Loaded without `defer`.
"use strict";
(() => {
  const kept = localStorage.getItem("baton.theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
