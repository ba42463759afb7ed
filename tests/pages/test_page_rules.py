"""House rules of the pages: views take rows by the one getter, styles have no sides, templates no code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VIEWS = [
    path
    for room in ("members", "onboarding", "dashboard", "api_console", "incidents", "notices")
    for path in (ROOT / "portal" / room).rglob("*.py")
    if path.stem == "views" or path.stem.endswith("_views") or path.parent.name == "views"
]
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SIDES = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border)-(?:left|right|top|bottom)|left|right|top|bottom)\s*:"
    r"|(?:float|text-align)\s*:\s*(?:left|right)"
)


def test_there_is_something_to_judge() -> None:
    assert len(VIEWS) >= 16
    assert len(STYLES) >= 6
    assert len(TEMPLATES) > 50


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_view_asks_no_model_itself(path: Path) -> None:
    text = path.read_text()
    assert ".objects" not in text
    assert not re.search(r"\.(save|create|update|bulk_create)\(|\.delete\(\)", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_form_names_where_it_is_sent(path: Path) -> None:
    """Sent on after a sign-in or a password, a form that is not valid is shown at the address of that page."""
    forms = re.findall(r"<form[^>]*>", path.read_text())
    assert [form for form in forms if 'method="post"' in form and "action=" not in form] == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles_know_no_left_and_right(path: Path) -> None:
    assert SIDES.findall(path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_carries_no_code_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r"(src|href)=.https?://", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
    assert not re.search(r"\|safe\b", text) or path.name == "field_notes.html"
