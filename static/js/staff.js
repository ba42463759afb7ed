// The box, and lists that are followed. Everything on the staff pages works without JavaScript; htmx reads its own attributes.
"use strict";

// A list that is followed stands still while somebody is at it with the keyboard, or reads its bars as a table.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.target.matches("[data-follows]")) return;
  const isBusy = document.querySelector("#changelist-form:focus-within, #bars:focus-within, #bars details[open]");
  if (isBusy || document.hidden) event.preventDefault();
});

// Signed out meanwhile, or no longer staff: the whole page is asked for anew, instead of an answer meant for another.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  if (xhr.status >= 400 || new URL(xhr.responseURL).pathname !== new URL(pathInfo.requestPath, location).pathname) {
    event.detail.shouldSwap = false;
    if (xhr.status < 500) location.reload();
  }
});

// The box: `/` leads to it from everywhere, arrows through its answers, Escape closes them. Enter sends the form as ever.
const answersOf = (element) => element.closest("form")?.querySelector("[data-answers]");

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("find-anything");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
    return;
  }
  const answers = answersOf(event.target);
  if (!answers) return;
  const links = [...answers.querySelectorAll("a")];
  const place = links.indexOf(event.target);
  const box = answers.closest("form").querySelector('input[type="search"]');
  if (event.key === "Escape" && links.length) {
    event.preventDefault();
    answers.replaceChildren();
    box.focus();
  } else if (event.key === "ArrowDown" && links.length) {
    event.preventDefault();
    links[Math.min(place + 1, links.length - 1)].focus();
  } else if (event.key === "ArrowUp" && place >= 0) {
    event.preventDefault();
    (links[place - 1] ?? box).focus();
  }
});

// Answers close when somebody goes on elsewhere.
document.addEventListener("focusin", (event) => {
  for (const answers of document.querySelectorAll("[data-answers]")) {
    if (!answers.closest("form").contains(event.target)) answers.replaceChildren();
  }
});
