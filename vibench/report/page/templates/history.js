"use strict";
// Choosing series, and walking through the points of a plot; without scripts the page shows all series and their last points.
const picks = [...document.querySelectorAll("[data-pick]")];
for (const pick of picks) pick.addEventListener("change", choose);
choose();

function choose() {
  for (const series of document.querySelectorAll("[data-series]")) {
    const own = series.dataset.picks.split(" ");
    series.hidden = picks.some((pick, place) => pick.value !== "" && pick.value !== own[place]);
  }
}

for (const link of document.querySelectorAll(".steps a")) {
  link.addEventListener("click", () => {
    for (const pick of picks) pick.value = "";
    choose();
  });
}

for (const series of document.querySelectorAll("[data-series]")) {
  const plot = series.querySelector(".plot"), said = series.querySelector("output"), dots = [...series.querySelectorAll("svg .dot")];
  const told = JSON.parse(series.querySelector("script").textContent);
  let at = told.length - 1;
  const show = (place) => {
    dots[at].classList.remove("here");
    at = Math.min(told.length - 1, Math.max(0, place));
    dots[at].classList.add("here");
    said.textContent = told[at];
    plot.setAttribute("aria-valuenow", at + 1);
    plot.setAttribute("aria-valuetext", told[at]);
  };
  plot.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: told.length - 1 };
    if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(moves[event.key]);
  });
  plot.addEventListener("pointermove", (event) => {
    const distances = dots.map((dot) => {
      const box = dot.getBoundingClientRect();
      return Math.abs(box.left + box.width / 2 - event.clientX);
    });
    show(distances.indexOf(Math.min(...distances)));
  });
  show(at);
}
