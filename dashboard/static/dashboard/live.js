// Keeps a page that is on screen up to date: asks with the last ETag, swaps <main> when it changed.
// A page that only waits says where it leads: data-go-url, or an answer from somewhere else.
"use strict";
{
  const language = document.documentElement.lang || "en";
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  let last = null;

  const ages = () => {
    for (const span of document.querySelectorAll("[data-age]")) {
      const seconds = (Date.parse(span.previousElementSibling.dateTime) - Date.now()) / 1000;
      const [size, unit] = seconds > -3600 ? [60, "minute"] : seconds > -172800 ? [3600, "hour"] : [86400, "day"];
      if (seconds < -60) span.textContent = words.format(Math.trunc(seconds / size), unit);
    }
  };

  const go = (main) => {
    if (main.dataset.goUrl) location.assign(main.dataset.goUrl);
  };

  const swap = (text) => {
    const main = document.getElementById("main");
    if (main.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return;
    const open = [...main.querySelectorAll("details[open]")].map((details) => details.id);
    const scrolled = [...main.querySelectorAll(".wide")].map((wide) => wide.scrollLeft);
    const focused = document.activeElement?.closest("#main details")?.id;
    const told = new DOMParser().parseFromString(text, "text/html").getElementById("main");
    main.innerHTML = told.innerHTML;
    go(told);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [place, wide] of main.querySelectorAll(".wide").entries()) wide.scrollLeft = scrolled[place] ?? 0;
    if (focused) document.querySelector(`#${focused} summary`)?.focus({ preventScroll: true });
  };

  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-cache" });
      if (answer.redirected) location.assign(answer.url);
      if (answer.status >= 500) return;
      const text = await answer.text();
      const told = answer.headers.get("ETag") ?? text;
      if (told !== last) {
        last = told;
        swap(text);
      }
    } catch {
      // Offline: what is shown stays, and its age tells.
    }
    ages();
  };

  go(document.getElementById("main"));
  setInterval(poll, 1000 * document.getElementById("main").dataset.pollSeconds);
  document.addEventListener("visibilitychange", poll);
}
