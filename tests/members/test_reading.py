"""Text from elsewhere is shown as text: capped, nothing hidden, nothing reordered."""

from __future__ import annotations

import re

import pytest
from django.template import Context, Template

from portal.members.templatetags.reading import LONGEST, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Aamu Oy", "Aamu Oy"),
        ("abc\u202egpj.exe", "abc[U+202E]gpj.exe"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("a\x00b\nc\x1b[31m", "a[U+0000]b[U+000A]c[U+001B][31m"),
        ("\u200b", "[U+200B]"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # the zero-width non-joiner is spelling in Persian
    ],
)
def test_what_hides_or_reorders_is_made_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_long_text_is_capped() -> None:
    assert visible("x" * 5000) == "x" * LONGEST + "…"


def test_markup_stays_text() -> None:
    page = Template("{% load reading %}{{ text|visible }} {% copyable text 'it' %}").render(
        Context({"text": "<script>alert(1)</script><b hx-get='/x'>"})
    )
    assert "<script" not in page
    assert "<b " not in page


@pytest.mark.parametrize("state", ["open", "attested", "inferred", "verified", "failing", "waived"])
def test_a_mark_has_colour_icon_and_word(state: str) -> None:
    page = Template("{% load reading %}{% mark state %}").render(Context({"state": state}))
    assert re.search(r'class="mark mark-\w+"', page)
    assert f'data-status="{state}"' in page
    assert "<svg" in page
    assert state in page.lower()


def test_the_three_marks_that_pass_look_different() -> None:
    pages = [
        Template("{% load reading %}{% mark state %}").render(Context({"state": state}))
        for state in ("attested", "inferred", "verified")
    ]
    icons = [page[page.index("<svg") : page.index("</svg>")] for page in pages]
    assert len(set(icons)) == 3
