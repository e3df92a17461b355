// SPDX-License-Identifier: AGPL-3.0-or-later
// Keeps an open page fresh: when the edge says that something changed, the page is asked for again and what differs is
// swapped. A part that holds the focus is left alone, so that nobody loses their place.
(() => {
  const parts = () => document.querySelectorAll("[data-live]");
  if (!parts().length || !window.EventSource) return;
  const state = document.getElementById("live-state");
  let busy = false;
  const refresh = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { "X-Live": "1" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
        if (other && !part.contains(document.activeElement) && part.innerHTML !== other.innerHTML) {
          part.replaceChildren(...other.childNodes);
        }
      }
    } finally {
      busy = false;
    }
  };
  const stream = new EventSource("/dashboard/live");
  stream.addEventListener("changed", refresh);
  stream.addEventListener("open", () => { state.textContent = "live"; });
  stream.addEventListener("error", () => { state.textContent = "not connected: figures may be old"; });
  document.addEventListener("visibilitychange", refresh);
})();
