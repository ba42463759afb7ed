"""Every status that a row or a page can have has a word, an icon and a colour, and each site draws every colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.template import Context, Template

from connections.calls.models import Call
from connections.spec.checklist import MarkState
from portal.certification.board import LineState
from portal.dashboard.summaries import ConnectionStatus
from portal.members.mailing import Delivery
from portal.members.statuses import STATUSES, Colour, status, status_of
from portal.support.formatting import badge, icon

CSS = Path(__file__).resolve().parents[2] / "static" / "css"
FIELDS = {"state", "level", "outcome", "leaving", "last_probe", "proof"}  # what we call a field that holds a status
DERIVED = {"delivery": Delivery, "connection": ConnectionStatus, "certification_line": LineState}


def status_fields() -> Iterator[tuple[str, set[str]]]:
    for model in apps.get_models():
        if model.__module__.startswith(("connections.", "portal.")):
            for field in model._meta.get_fields():
                if field.name in FIELDS and getattr(field, "choices", None):
                    yield f"{model._meta.label}.{field.name}", {str(value) for value, _word in field.flatchoices}


def test_every_choice_of_every_status_field_has_an_entry() -> None:
    fields = dict(status_fields())
    assert len(fields) > 10
    assert fields == {of: {str(value) for value in STATUSES[of]} for of in STATUSES if of.count(".") == 2}


@pytest.mark.parametrize("of", DERIVED)
def test_every_status_that_a_page_works_out_has_an_entry(of: str) -> None:
    assert {str(value) for value in STATUSES[of]} == {each.value for each in DERIVED[of]}


def test_every_entry_has_a_word_and_an_icon_that_exists() -> None:
    for of, entries in STATUSES.items():
        for value in entries:
            # Deliveries and connections have sentences in the templates that show them.
            assert status(of, value).word or of in DERIVED, (of, value)
            assert "<svg" in icon(status(of, value).icon), (of, value)


def test_both_sites_draw_every_colour() -> None:
    customers, staff = (CSS / "states.css").read_text(), (CSS / "admin_parts.css").read_text()
    drawn = {name: set(re.findall(rf"\.{name}-(\w+)", customers + staff)) for name in ("mark", "badge")}
    plain = {"quiet", "attested"}  # as a badge of the staff's looks without a colour
    assert {colour.value for colour in Colour} - drawn["mark"] == set()
    assert {colour.value for colour in Colour} - drawn["badge"] == plain


def test_a_row_a_mark_and_a_pending_check_render_as_badges() -> None:
    page = Template("{% load reading %}{% status call %}{% mark 'failing' %}{% mark 'open' pending=True %}")
    rendered = page.render(Context({"call": Call(state="unknown")}))
    badges = re.findall(
        r'class="mark mark-(\w+)"[^>]*?(?: title="([^"]+)")?>.*?</svg>([^<]+)</span>', rendered, re.DOTALL
    )
    assert badges == [
        ("warn", "", "outcome unknown"),
        ("bad", "We asked, and it is not so.", "Failing"),
        ("busy", "We are asking; the answer appears here.", "Checking"),
    ]


def test_a_badge_of_the_staff_has_colour_icon_and_word() -> None:
    assert re.fullmatch(
        r'<span class="badge badge-warn"><svg.*</svg>outcome unknown</span>',
        badge(status_of(Call(state="unknown"))),
        re.DOTALL,
    )
    assert badge(status("secret", "stored"), "ends with 1234").endswith("ends with 1234</span>")


def test_what_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        status("calls.Call.state", "of-another-time")
    with pytest.raises(KeyError):
        status_of(Call(), "operation")
    assert status("onboarding.Mark.state", MarkState.OPEN).word == "Open"
