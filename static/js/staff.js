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
