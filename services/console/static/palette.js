// The palette (Ctrl K): pages, the commands of this page, and leads by name, which the server looks up.

const LOOK_UP_AFTER_MS = 150;

/** @typedef {{title: string, hint: string, run: () => void}} Entry */

/** Binds Ctrl K, the opener and the list. */
export function startPalette() {
  const dialog = document.getElementById("palette");
  const field = document.getElementById("palette-field");
  const list = document.getElementById("palette-list");
  if (!(dialog instanceof HTMLDialogElement) || !(field instanceof HTMLInputElement) || !list) return;
  /** @type {Entry[]} */
  let entries = [];
  let current = 0;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const open = () => {
    if (dialog.open) return;
    field.value = "";
    dialog.showModal();
    show(localEntries(""));
  };

  /** @param {Entry[]} found */
  const show = (found) => {
    entries = found;
    current = 0;
    list.replaceChildren(...found.map((entry, index) => item(entry, index)));
    mark();
  };

  /** @param {Entry} entry @param {number} index */
  const item = (entry, index) => {
    const element = document.createElement("li");
    element.id = `palette-${index}`;
    element.setAttribute("role", "option");
    const title = document.createElement("span");
    title.textContent = entry.title;
    element.append(title);
    if (entry.hint) {
      const hint = document.createElement("kbd");
      hint.textContent = entry.hint;
      element.append(hint);
    }
    element.addEventListener("click", () => run(index));
    return element;
  };

  const mark = () => {
    [...list.children].forEach((child, index) => child.setAttribute("aria-selected", String(index === current)));
    field.setAttribute("aria-activedescendant", entries.length ? `palette-${current}` : "");
    list.children[current]?.scrollIntoView({ block: "nearest" });
  };

  /** @param {number} index */
  const run = (index) => {
    dialog.close();
    entries[index]?.run();
  };

  field.addEventListener("input", () => {
    const words = field.value.trim();
    show(localEntries(words));
    clearTimeout(timer);
    if (words.length < 2) return;
    const number = ++asked;
    timer = setTimeout(async () => {
      const leads = await lookUp(words);
      if (number === asked && dialog.open) show([...localEntries(words), ...leads]);
    }, LOOK_UP_AFTER_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      current = Math.max(0, Math.min(entries.length - 1, current + step));
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(current);
    }
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-palette]")) open();
  });
}

/**
 * Pages and visible commands whose title holds the words.
 * @param {string} words
 * @returns {Entry[]}
 */
function localEntries(words) {
  /** @type {Entry[]} */
  const found = [];
  for (const link of document.querySelectorAll("a[data-go]")) {
    if (link instanceof HTMLAnchorElement) {
      found.push({ title: `Go to ${link.dataset.title ?? ""}`, hint: `G ${(link.dataset.go ?? "").toUpperCase()}`, run: () => link.click() });
    }
  }
  for (const button of document.querySelectorAll("button[data-key]")) {
    if (button instanceof HTMLButtonElement && !button.disabled) {
      found.push({ title: button.dataset.title ?? "", hint: (button.dataset.key ?? "").toUpperCase(), run: () => button.click() });
    }
  }
  return found.filter((entry) => entry.title.toLowerCase().includes(words.toLowerCase()));
}

/**
 * Leads whose name matches, asked of the server; none when it does not answer.
 * @param {string} words
 * @returns {Promise<Entry[]>}
 */
async function lookUp(words) {
  try {
    const answer = await fetch(`/leads/find?q=${encodeURIComponent(words)}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return [];
    /** @type {{leads: {id: string, name: string, hint: string}[]}} */
    const found = await answer.json();
    return found.leads.map((lead) => ({ title: lead.name, hint: lead.hint, run: () => location.assign(`/leads/${lead.id}`) }));
  } catch {
    return [];
  }
}
