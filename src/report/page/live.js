// Keeps the page up to date: when the server says that something changed, the page is fetched again and its parts are put in place of the
// old ones. What was unfolded stays so, and nothing is replaced under the hands of somebody who types.
"use strict";
(() => {
  const parts = ["header", "#isolation", "main", "footer dl"];
  // What the reader unfolded, kept while it is not there: a page that is still reading its log lists nothing.
  const unfolded = new Set();
  let wanted = false, busy = false;

  const typing = () => {
    const at = document.activeElement;
    return at && at.tagName === "INPUT" && at.closest("main") && at.value !== "";
  };

  const lost = (is) => {
    const told = document.getElementById("gone");
    if (told) told.hidden = !is;
  };

  const put = (fresh) => {
    for (const one of document.querySelectorAll("details")) one.open ? unfolded.add(one.id || "why") : unfolded.delete(one.id || "why");
    const at = document.activeElement, focus = at && at.id ? at.id : at && at.parentElement && at.tagName === "SUMMARY" ? at.parentElement.id : "";
    for (const part of parts) {
      const old = document.querySelector(part), now = fresh.querySelector(part);
      if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.adoptNode(now));
      else if (now && !old) return location.reload();
    }
    document.title = fresh.title;
    for (const one of document.querySelectorAll("details")) if (unfolded.has(one.id || "why")) one.open = true;
    if (focus && (!document.activeElement || document.activeElement === document.body)) {
      const again = document.getElementById(focus);
      if (again) (again.querySelector("summary") || again).focus({ preventScroll: true });
    }
  };

  const fetchAgain = async () => {
    wanted = true;
    if (busy || typing()) return;
    busy = true;
    while (wanted) {
      wanted = false;
      try {
        const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
        if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        // The stream of events tells that the server is gone.
      }
    }
    busy = false;
  };

  if (document.querySelector("header[data-state]")) {
    const events = new EventSource("/v1/changes");
    events.onmessage = () => { lost(false); fetchAgain(); };
    events.onerror = () => lost(true);
    document.addEventListener("focusout", () => { if (wanted) setTimeout(fetchAgain); });
  }
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button[data-busy]");
    if (button) { button.textContent = button.dataset.busy; setTimeout(() => { button.disabled = true; }); }
  });
})();
