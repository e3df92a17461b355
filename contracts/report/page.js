// SPDX-License-Identifier: AGPL-3.0-or-later
// The page reads well without this; it only adds the box that narrows the list.
const form = document.querySelector(".find");
const box = form.querySelector("input");
const told = form.querySelector("output");
const rows = [...document.querySelectorAll("[data-find]")];
const narrow = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.dataset.find.includes(word));
    left += row.hidden ? 0 : 1;
  }
  told.textContent = words.length ? `${left} of ${rows.length} endpoints` : `${rows.length} endpoints`;
};
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
box.addEventListener("input", narrow);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.value = "";
    narrow();
  }
});
narrow();
