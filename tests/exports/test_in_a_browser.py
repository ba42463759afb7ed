"""Exports in a real browser: accessible at both widths and schemes, watched until they are ready, saved by a press."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from connections.exports.models import Export
from tests.exports.conftest import ask, keep, numbered
from tests.pages.test_in_a_browser import (  # noqa: F401  (fixtures)
    assert_fits_and_is_accessible,
    browser,
    enter,
    site,
)

pytestmark = pytest.mark.journey

SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_every_page_fits_and_is_accessible(
    width: int,
    scheme: str,
    enter: Callable[..., Page],  # noqa: F811
    alice: Any,
    books: Any,
    work_off: Callable[..., int],
) -> None:
    keep(books, "invoices", numbered(2345))
    keep(books, "partners", numbered(3))
    page = enter(alice, width, scheme)

    def look(name: str, address: str) -> None:
        page.goto(address)
        assert_fits_and_is_accessible(page)
        if folder := os.environ.get("EXPORTS_PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)

    look("none", "/t/aamu/exports/")
    ready = ask(books.tenant, books)
    work_off()
    failed, moving = ask(books.tenant, None, "", "parquet"), ask(books.tenant, books, "invoices", "jsonl")
    Export.objects.filter(id=failed.id).update(state="failed", reason="too-large")
    Export.objects.filter(id=moving.id).update(state="running", looked=900, written=800)
    look("list", "/t/aamu/exports/")
    look("ask", f"/t/aamu/c/{books.id}/export/")
    look("connection", f"/t/aamu/c/{books.id}/")
    for name, export in {"ready": ready, "failed": failed, "moving": moving}.items():
        look(name, f"/t/aamu/exports/{export.id}/")


@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_connection_to_a_file_on_disk(
    enter: Callable[..., Page],  # noqa: F811
    bob: Any,
    books: Any,
    work_off: Callable[..., int],
    javascript: bool,
) -> None:
    keep(books, "invoices", numbered(3))
    page = enter(bob, javascript=javascript)
    page.goto(f"/t/aamu/c/{books.id}/")
    page.get_by_role("link", name="Export records …").click()
    page.get_by_label("What").select_option("invoices")
    page.get_by_label("CSV, for spreadsheets").check()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("It begins in a moment.")).to_be_visible()
    work_off()
    if not javascript:
        page.get_by_role("link", name="Look again").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename.startswith("aamu-procountor-invoices-")
    assert len(Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()) == 4
