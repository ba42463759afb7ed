"""Reads a staff page as a person does: its heading, its text, its rows, its links."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """`rows` are the texts of table rows, `links` the addresses by their text, `addresses` all of them."""

    def __init__(self, html: bytes | str) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.links: dict[str, str] = {}
        self.addresses: list[str] = []
        self.heading = ""
        self._words: list[str] = []
        self._goes_on = False
        self._open: list[tuple[str, list[str], str]] = []
        self.feed(html.decode() if isinstance(html, bytes) else html)

    @property
    def text(self) -> str:
        return _plain(self._words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._goes_on = tag == "wbr"  # where a word may be cut, and is one all the same
        if tag in ("tr", "a", "h1"):
            self._open.append((tag, [], dict(attrs).get("href") or ""))

    def handle_data(self, data: str) -> None:
        for words in (self._words, *(words for _, words, _ in self._open)):
            if self._goes_on and words:
                words[-1] += data
            else:
                words.append(data)
        self._goes_on = False

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            return
        _, words, address = self._open.pop()
        if tag == "tr":
            self.rows.append(_plain(words))
        elif tag == "a":
            self.links[_plain(words)] = address
            self.addresses.append(address)
        else:
            self.heading = _plain(words)


def _plain(words: list[str]) -> str:
    return re.sub(r"\s+", " ", " ".join(words)).strip()
