"""The list of time zones is light: no template per option, no file per page, and the zone that a person has is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django import template

from portal.members import time_zones
from portal.members.forms import YouForm


def test_no_option_is_a_template_and_no_page_reads_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    time_zones.choices()  # as the process's first page has
    rendered, read = [], []
    whole = template.base.Template.render
    monkeypatch.setattr(template.base.Template, "render", lambda *a: rendered.append(a) or whole(*a))
    monkeypatch.setattr("zoneinfo.available_timezones", lambda: read.append(1) or set())
    monkeypatch.setattr(time_zones, "available_timezones", lambda: read.append(1) or set())
    field = str(YouForm(initial={"time_zone": "Asia/Tehran"})["time_zone"])
    assert (rendered, read) == ([], [])
    assert re.findall(r'<option value="([^"]+)" selected>', field) == ["Asia/Tehran"]
    assert field.count("<option") > 300
    assert 'label="Europe"' in field


@pytest.mark.parametrize("zone", ["US/Eastern", "Etc/GMT+5", "UTC"])
def test_a_zone_that_is_offered_no_longer_is_kept(zone: str) -> None:
    form = YouForm({"name": "A", "time_zone": zone}, initial={"time_zone": zone})
    assert form.is_valid(), form.errors
    assert f'value="{zone}" selected' in str(form["time_zone"])


def test_an_unknown_one_is_refused_and_shown_as_typed() -> None:
    form = YouForm({"name": "A", "time_zone": "Mars/Olympus"}, initial={"time_zone": "Europe/Oslo"})
    assert "time_zone" in form.errors
    page = str(form["time_zone"])
    assert 'name="time_zone"' in page
    assert 'aria-invalid="true"' in page


@pytest.mark.django_db
def test_a_person_chooses_another(sign_in: Callable[..., Any], alice: Any) -> None:
    client = sign_in(alice)
    assert client.post("/you/", {"name": "A", "time_zone": "Pacific/Chatham"}).status_code == 302
    alice.refresh_from_db()
    assert alice.time_zone == "Pacific/Chatham"
