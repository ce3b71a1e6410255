// Keeps a page that is on screen up to date: asks with the last ETag, swaps <main> when it changed.
"use strict";
{
  const language = document.documentElement.lang || "en";
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  let etag = null;

  const ages = () => {
    for (const span of document.querySelectorAll("[data-age]")) {
      const seconds = (Date.parse(span.previousElementSibling.dateTime) - Date.now()) / 1000;
      const [size, unit] = seconds > -3600 ? [60, "minute"] : seconds > -172800 ? [3600, "hour"] : [86400, "day"];
      if (seconds < -60) span.textContent = words.format(Math.trunc(seconds / size), unit);
    }
  };

  const swap = (text) => {
    const main = document.getElementById("main");
    const open = [...main.querySelectorAll("details[open]")].map((details) => details.id);
    const focused = document.activeElement?.closest("#main details")?.id;
    main.innerHTML = new DOMParser().parseFromString(text, "text/html").getElementById("main").innerHTML;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.querySelector(`#${focused} summary`)?.focus({ preventScroll: true });
  };

  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-cache" });
      if (answer.ok && answer.headers.get("ETag") !== etag) {
        etag = answer.headers.get("ETag");
        swap(await answer.text());
      }
    } catch {
      // Offline: what is shown stays, and its age tells.
    }
    ages();
  };

  setInterval(poll, 1000 * document.getElementById("main").dataset.pollSeconds);
  document.addEventListener("visibilitychange", poll);
}
