// Search, reversed pictures, and names to the clipboard.
"use strict";
const cards = [...document.querySelectorAll(".ramp")];
const search = document.getElementById("search"), reversed = document.getElementById("reversed");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of cards) card.hidden = !words.every((word) => card.dataset.words.includes(word));
  for (const section of document.querySelectorAll("section")) {
    const own = section.querySelectorAll(".ramp");
    if (own.length) section.hidden = [...own].every((card) => card.hidden);
  }
  document.getElementById("none").hidden = cards.some((card) => !card.hidden);
}

// Categories and intervals have no reverse.
function turned(card) {
  return reversed.checked && "turns" in card.dataset;
}

function nameOf(button) {
  return button.dataset.name + (turned(button.closest(".ramp")) ? "_r" : "");
}

function turn() {
  for (const card of cards) {
    card.querySelector("img").style.transform = turned(card) ? "scaleX(-1)" : "";
    const button = card.querySelector("button");
    button.textContent = nameOf(button);
    card.querySelector("a").href = `colorMaps/${nameOf(button)}`;
  }
}

async function copy(event) {
  const button = event.target.closest("button");
  if (!button) return;
  await navigator.clipboard.writeText(nameOf(button));
  button.textContent = "copied";
  setTimeout(() => { button.textContent = nameOf(button); }, 900);
}

search.addEventListener("input", filter);
reversed.addEventListener("change", turn);
document.querySelector("main").addEventListener("click", copy);
filter();
