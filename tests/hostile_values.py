"""What an address or a form may hold that nobody meant: none of it may break a page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import URLPattern, get_resolver

NUL = "a\0b"
# Each is something that some parser, column or clock takes badly.
VALUES = {
    "half an id": "12345678-1234-1234-1234-12345678901",
    "no such id": "00000000-0000-0000-0000-000000000007",
    "a huge number": "9" * 40,
    "an impossible day": "2026-02-30",
    "the first moment there is": "0001-01-01T00:00:00+23:59~00000000-0000-0000-0000-000000000007",
    "the last moment there is": "9999-12-31T23:59:59-23:59~00000000-0000-0000-0000-000000000007",
    "a long text": "x" * 3000,
    "quotes": "\"'`\\%_{}$1;--",
    "signs": "\u202eabc\u0661\U0001f600\ufffd",
}


def broken(client: Any, method: str, address: str, data: dict[str, str] | None = None) -> str:
    """What is wrong with an answer, "" for nothing. `client` does not raise what a page raises."""
    answer = getattr(client, method)(address, data or {})
    return f"{answer.status_code} {method} {address[:120]} {str(data)[:120]}" if answer.status_code >= 500 else ""


def patterns(without: tuple[str, ...] = ()) -> list[tuple[str, dict[str, str]]]:
    """(route, converter by parameter) of every address."""
    found: list[tuple[str, dict[str, str]]] = []

    def walk(entries: Any, before: str, converters: dict[str, str]) -> None:
        for entry in entries:
            route = before + str(entry.pattern)
            own = {name: type(each).__name__ for name, each in getattr(entry.pattern, "converters", {}).items()}
            if isinstance(entry, URLPattern):
                found.append((route, {**converters, **own}))
            elif not route.startswith(without):
                walk(entry.url_patterns, route, {**converters, **own})

    walk(get_resolver().url_patterns, "", {})
    return found


def is_id(value: Any) -> bool:
    return isinstance(value, UUID)
