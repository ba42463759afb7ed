"""Envelopes where no document shows one: a bare list, or a list under one of the usual names, with a total somewhere."""

from __future__ import annotations

from typing import Any

from tests.foreign.options import Options
from tests.foreign.pages import Page
from tests.foreign.server import object_around

TOTALS = ("total", "totalCount", "total_count")


def enveloped(page: Page, records: list[str], options: Options, *, usual: str, total_name: str) -> str:
    """`usual`: what the plainest of these servers does, a name or 'bare'."""
    name = options.envelope or usual
    if name == "bare" and page.links:
        name = "data"  # somewhere the link must stand
    if name == "bare":
        return f"[{','.join(records)}]"
    name = {"resource": page.listing.name, "nested": "data.items"}.get(name, name)
    more: dict[str, Any] = {} if page.total is None else {total_name: page.total}
    return object_around(records, name, {**more, **page.links})
