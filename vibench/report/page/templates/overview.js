"use strict";
// Sorting, copying, method filters, and one plot or slice at a time; without scripts the page shows everything, unsorted.
for (const section of document.querySelectorAll("[data-section]")) {
  for (const table of section.querySelectorAll("table.headline, table.results")) makeSortable(table);
  const copies = JSON.parse(section.querySelector("[data-copies]").textContent), said = section.querySelector("[data-copied]");
  for (const button of section.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      said.textContent = await copied(copies[button.dataset.copy]) ? "Copied." : "This browser does not let a page copy; see the files linked at the top.";
    });
  }
  for (const box of section.querySelectorAll("[data-filter]")) {
    const show = () => {
      for (const part of section.querySelectorAll(`[data-method="${box.dataset.filter}"]`)) {
        if (part instanceof SVGElement) part.style.display = box.checked ? "" : "none";
        else part.hidden = !box.checked;
      }
    };
    box.addEventListener("change", show);
    show();
  }
  const picks = [...section.querySelectorAll("[data-fails-pick]")];
  const showFailures = () => {
    const [method, column] = picks.map((pick) => pick.value);
    for (const list of section.querySelectorAll("[data-fails-column]")) list.hidden = list.dataset.failsColumn !== column || list.dataset.failsMethod !== method;
  };
  for (const pick of picks) pick.addEventListener("change", showFailures);
  for (const link of section.querySelectorAll("[data-worst]")) {
    link.addEventListener("click", () => {
      [picks[0].value, picks[1].value] = [link.dataset.worstMethod, link.dataset.worst];
      showFailures();
    });
  }
  if (picks.length) showFailures();
  for (const pick of section.querySelectorAll("[data-pick]")) {
    const kind = pick.dataset.pick;
    const show = () => {
      for (const part of section.querySelectorAll(`[data-${kind}]`)) part.hidden = part.dataset[kind] !== pick.value;
    };
    pick.addEventListener("change", show);
    show();
  }
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button.sort").addEventListener("click", () => {
      const bestFirst = head.dataset.better === "higher" ? "descending" : "ascending";
      const opposite = bestFirst === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === bestFirst ? opposite : bestFirst;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(a.cells[column], b.cells[column], sign));
      table.tBodies[0].append(...rows);
    });
  });
}

function compare(a, b, sign) {
  if (a.dataset.value === undefined) return sign * a.textContent.localeCompare(b.textContent);
  const [x, y] = [parseFloat(a.dataset.value), parseFloat(b.dataset.value)];
  // What was not measured comes last either way.
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (x - y);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Some browsers keep the clipboard from pages that were opened from disk, but not from what a reader has selected.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
