"""What a journey costs a person: presses, typed fields and opened pages, in our pages and in the provider's."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from playwright.sync_api import Page

# Counted where it happens, so that no way of pressing is missed: a link, button or form field counts once each time it is
# pressed, a field once on each page, however much is typed into it.
SCRIPT = """
(() => {
  const typed = new WeakSet();
  const pressed = 'a[href], button, summary, input[type=submit]';
  addEventListener('click', event => { if (event.target.closest(pressed)) window.countOne('presses'); }, true);
  addEventListener('input', event => {
    if (!typed.has(event.target)) { typed.add(event.target); window.countOne('fields'); }
  }, true);
})();
"""


@dataclass
class Cost:
    presses: int = 0
    fields: int = 0
    pages: int = 0

    def within(self, most: Cost) -> bool:
        return self.presses <= most.presses and self.fields <= most.fields and self.pages <= most.pages

    def __str__(self) -> str:
        return f"{self.presses} presses, {self.fields} fields, {self.pages} pages"


COUNTERS: WeakKeyDictionary[Page, Counting] = WeakKeyDictionary()
PREPARED: WeakSet[Page] = WeakSet()


@dataclass
class Counting:
    """Counts on the pages it was put on, from then until `stop`."""

    portal_address: str
    portal: Cost = field(default_factory=Cost)
    provider: Cost = field(default_factory=Cost)
    is_on: bool = True
    begun_at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0  # until `stop`; of a person who does not read

    def on(self, page: Page) -> Counting:
        """Only one counts on a page at a time: whoever is put on it later goes on where the one before has stopped."""
        COUNTERS[page] = self
        if page in PREPARED:
            return self
        PREPARED.add(page)
        page.expose_binding("countOne", lambda source, what: COUNTERS[page]._count(source["frame"].url, what))
        page.add_init_script(SCRIPT)
        page.on("domcontentloaded", lambda opened: COUNTERS[page]._count(opened.url, "pages"))
        page.evaluate(SCRIPT)  # for the page that is open already
        return self

    def stop(self) -> None:
        self.is_on = False
        self.seconds = time.monotonic() - self.begun_at

    def _count(self, address: str, what: Any) -> None:
        if self.is_on and address.startswith("http"):
            cost = self.portal if address.startswith(f"{self.portal_address}/") else self.provider
            setattr(cost, what, getattr(cost, what) + 1)

    def __str__(self) -> str:
        return f"here {self.portal}; at the provider {self.provider}; {self.seconds:.0f} seconds"
