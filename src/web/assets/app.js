// Updates the page from its event stream, and adds keys. Every page works without this script.
"use strict";

(() => {
  const main = document.querySelector("main");
  const connection = document.getElementById("connection");
  const address = main && main.dataset.live;

  // Entries of a long activity that stay in the page. Earlier ones are behind its link.
  const MAX_ITEMS = 1000;
  const RETRY_MS = 5000;

  let source = null; // the open stream
  let retry = 0; // the timer of the next attempt
  let last = ""; // the number of the last entry in the page
  let hasEnded = false;
  const waiting = new Map(); // replacements of elements in which text is selected

  const say = (text) => {
    if (connection && connection.textContent !== text) connection.textContent = text;
  };

  // The address of the stream, with the last entry that the page has.
  const streamAddress = () => {
    const url = new URL(address, location.href);
    if (last) url.searchParams.set("after", last);
    return url.href;
  };

  const close = () => {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    close();
    if (hasEnded || document.hidden) return;
    source = new EventSource(streamAddress());
    source.onopen = () => say("");
    source.onerror = () => {
      say("Connection lost; reconnecting");
      // After a refusal, the browser does not try again by itself.
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        retry = setTimeout(tryAgain, RETRY_MS);
      }
    };
    const on = (type, act) =>
      source.addEventListener(type, (event) => {
        act(JSON.parse(event.data));
        if (event.lastEventId) last = event.lastEventId;
      });
    on("replace", ({ id, html }) => replace(id, html));
    on("append", ({ id, html }) => append(id, html));
    on("title", ({ text }) => (document.title = text));
    on("end", () => {
      hasEnded = true;
      close();
      say("");
    });
  };

  const tryAgain = async () => {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (answer && answer.status === 401) {
      say("Signed out. Reload this page to sign in.");
    } else if (answer && answer.status === 404) {
      say("This page no longer exists.");
    } else {
      open();
    }
  };

  // Only HTML of our own server, in which all outside text is escaped.
  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  // The name by which an element is found again after its surroundings were replaced.
  const nameOf = (element) => {
    if (element.id) return "#" + element.id;
    const own = element.localName === "details" ? element.querySelector("summary") : element;
    const href = element.getAttribute("href") || element.getAttribute("name") || "";
    return element.localName + " " + href + " " + (href ? "" : own ? own.textContent : "");
  };

  const named = (root, selector) => {
    const found = new Map();
    for (const element of root.querySelectorAll(selector)) {
      let name = nameOf(element);
      while (found.has(name)) name += "+";
      found.set(name, element);
    }
    return found;
  };

  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

  const isSelected = (element) => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(element, true);
  };

  const replace = (id, html) => {
    const element = document.getElementById(id);
    if (!element) return;
    if (isSelected(element)) {
      waiting.set(id, html);
      return;
    }
    waiting.delete(id);
    const content = parsed(html);
    const details = named(element, "details");
    for (const [name, fold] of named(content, "details")) {
      if (details.has(name)) fold.open = details.get(name).open;
    }
    let focused = null;
    if (element.contains(document.activeElement)) {
      for (const [name, it] of named(element, FOCUSABLE)) if (it === document.activeElement) focused = name;
    }
    const [left, top] = [window.scrollX, window.scrollY];
    element.replaceChildren(content);
    const again = focused !== null && named(element, FOCUSABLE).get(focused);
    if (again) again.focus({ preventScroll: true });
    if (window.scrollX !== left || window.scrollY !== top) window.scrollTo(left, top);
  };

  const append = (id, html) => {
    const element = document.getElementById(id);
    if (!element) return;
    // In the order in which they arrived.
    if (waiting.has(id)) {
      waiting.set(id, waiting.get(id) + html);
      return;
    }
    element.append(parsed(html));
    while (element.childElementCount > MAX_ITEMS) {
      const first = element.firstElementChild;
      if (first.contains(document.activeElement) || isSelected(first)) break;
      first.remove();
    }
  };

  document.addEventListener("selectionchange", () => {
    for (const [id, html] of [...waiting]) replace(id, html);
  });

  if (address) {
    // Browsers open only six connections to one server, so hidden tabs give theirs back.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", (event) => event.persisted && open());
    open();
  }

  // Keys: j and k move through the list, Enter opens a task, ? explains the keys.
  const KEYS = [
    ["j", "next task in the list"],
    ["k", "previous task in the list"],
    ["Enter", "open the task"],
    ["?", "show or hide these keys"],
  ];

  const move = (step) => {
    const list = document.getElementById("tasks");
    if (!list) return;
    const rows = new Map(); // the first link of each row
    for (const link of list.querySelectorAll('a[href^="/tasks/"]')) {
      const row = link.closest("tr, li") || link;
      if (!rows.has(row)) rows.set(row, link);
    }
    const links = [...rows.values()];
    const row = document.activeElement && document.activeElement.closest("tr, li");
    const at = links.indexOf(rows.get(row) || document.activeElement);
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
    if (next) next.focus();
  };

  const help = () => {
    const old = document.getElementById("keys");
    if (old) {
      old.close();
      return;
    }
    const dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    for (const [key, meaning] of KEYS) {
      const term = document.createElement("dt");
      const name = document.createElement("kbd");
      name.textContent = key;
      term.append(name);
      const text = document.createElement("dd");
      text.textContent = meaning;
      list.append(term, text);
    }
    const button = document.createElement("button");
    button.textContent = "Close";
    button.addEventListener("click", () => dialog.close());
    dialog.append(list, button);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest && event.target.closest("input, textarea, select, [contenteditable]")) return;
    const act = { j: () => move(1), k: () => move(-1), "?": help }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
