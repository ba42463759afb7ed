// Copy buttons. Everything else on the pages works without JavaScript; htmx reads its own attributes.
"use strict";

document.documentElement.classList.add("js");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  const word = button.querySelector("[data-word]");
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    const before = word.textContent;
    word.textContent = button.dataset.copied;
    setTimeout(() => { word.textContent = before; }, 2000);
  } catch {
    // Without the clipboard's permission the text is at least selected for the keyboard.
    getSelection().selectAllChildren(source);
  }
});

// What is to be kept on paper.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-prints]")) print();
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "yes";
});

// A page that comes back by the browser's back button may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The person menu closes like a menu: by Escape, and by a press elsewhere.
document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.person[open]");
  if (event.key === "Escape" && open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.person[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// A page that watches something may be signed out, or its person may leave the team, meanwhile: then the whole page is
// asked for anew, instead of an answer that was meant for another page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  if (xhr.status >= 400 || new URL(xhr.responseURL).pathname !== new URL(pathInfo.requestPath, location).pathname) {
    event.detail.shouldSwap = false;
    if (xhr.status < 500) location.reload();
  }
});
