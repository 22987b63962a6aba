// The page is whole without this. It shows the details of a segment in a pane, and filters by finding.
"use strict";

(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Details: what a segment's title says, for who has no mouse to rest on it.
  let chosen = null;

  const show = (rung) => {
    const pane = rung.closest(".connection").querySelector(".detail");
    pane.textContent = rung.querySelector("title").textContent;
    pane.hidden = false;
    if (chosen) chosen.classList.remove("chosen");
    rung.classList.add("chosen");
    chosen = rung;
  };

  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const rung = event.target.closest && event.target.closest(".connection .rung");
      if (rung) show(rung);
    });
  }

  // Up and down go from segment to segment, Escape closes the pane.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all(".detail").forEach((pane) => (pane.hidden = true));
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const here = document.activeElement;
    if (!step || !here || !here.matches(".connection .rung")) return;
    const rungs = [...here.closest("svg").querySelectorAll(".rung:not(.other)")];
    const next = rungs[rungs.indexOf(here) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  // Filter: what does not show the rule or the finding goes; in a ladder it only fades. What is about no connection in
  // particular is about all of them: then only other findings go.
  const filter = (token) => {
    const shows = (node) => token === "" || node.dataset.shows.split(" ").includes(token);
    const isAboutAll = !all("[data-shows]:not(.finding)").some(shows);
    for (const node of all("[data-shows]")) {
      node.classList.toggle("other", !shows(node) && (!isAboutAll || node.matches(".finding")));
    }
    for (const button of all("[data-filter]")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === token));
    }
  };

  const only = (token) => {
    filter(token);
    const first = token && document.querySelector(`.connection .rung:not(.other)`);
    const box = first && first.closest(".ladder");
    if (box) box.scrollTop += first.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  };

  all(".bar, button[data-filter]").forEach((node) => (node.hidden = false));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-filter]");
    if (!button) return;
    const pressed = button.getAttribute("aria-pressed") === "true";
    only(pressed ? "" : button.dataset.filter);
  });
})();
