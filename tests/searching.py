"""Finds secrets wherever they may have been written, in seven forms: for tests and drills that plant them.

Written apart from connections/transport/log/redaction.py, which it judges: it knows every form by making it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

FORMS = ("plain", "URL-encoded", "double-URL-encoded", "base64", "base64url", "hex", "JSON-escaped")


def forms(secret: str | bytes) -> Iterator[tuple[str, bytes]]:
    """(name of the form, what to look for), several for some. Base64 at each of the three places it can begin.

    A secret of bytes, such as a key, has no URL-encoded and no JSON-escaped form.
    """
    document = secret.encode() if isinstance(secret, str) else secret
    yield "plain", document
    for before in range(3):
        padded = b"\0" * before + document
        first = (before * 8 + 5) // 6  # characters that the neighbour in front decides
        last = len(padded) * 8 // 6  # and from here on the one behind
        yield "base64", base64.b64encode(padded)[first:last]
        yield "base64url", base64.urlsafe_b64encode(padded)[first:last]
    yield "hex", document.hex().encode()
    yield "hex", document.hex().upper().encode()
    if isinstance(secret, str):
        yield from _of_text(secret)


def _of_text(secret: str) -> Iterator[tuple[str, bytes]]:
    for once in {quote(secret, safe=""), quote(secret), quote_plus(secret), _lower(quote(secret, safe=""))}:
        yield "URL-encoded", once.encode()
        for twice in {quote(once, safe=""), quote_plus(once), _lower(quote(once, safe=""))}:
            yield "double-URL-encoded", twice.encode()
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield "JSON-escaped", escaped.encode()
        yield "JSON-escaped", escaped.replace("/", "\\/").encode()
        yield "JSON-escaped", json.dumps(escaped)[1:-1].encode()
        for of_html in ("<>&", "<>&'"):  # as JSON is written that stands within HTML
            yield "JSON-escaped", _units(escaped, of_html).encode()
    for written in (_units(secret), _units(secret).upper().replace("\\U", "\\u")):
        yield "JSON-escaped", written.encode()


def _units(text: str, which: str = "") -> str:
    """These characters (all of them, if none are named) as \\uXXXX."""

    def one(character: str) -> str:
        units = character.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    return "".join(one(each) if not which or each in which else each for each in text)


def _lower(encoded: str) -> str:
    """The digits of %XX as small letters."""
    parts = encoded.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


class Search:
    """Looks for many secrets at once. `looked` counts the bytes, `found` what stood where."""

    def __init__(self, secrets: Iterable[tuple[str, str | bytes]]) -> None:
        """`secrets`: (what it is, its text or bytes)."""
        self._needles: dict[bytes, set[str]] = {}  # what it is and in which form; one needle may be several
        for what, secret in secrets:
            for form, needle in forms(secret):
                self._needles.setdefault(needle, set()).add(f"{what}, {form}")
        self.looked = 0
        self.found: list[str] = []

    def look(self, where: str, text: str | bytes) -> list[str]:
        """Notes and returns what stands in the text; never the secret itself."""
        document = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        self.looked += len(document)
        told = {each for needle, names in self._needles.items() if needle in document for each in names}
        hits = [f"{each}, in {where}" for each in sorted(told)]
        self.found += hits
        return hits
