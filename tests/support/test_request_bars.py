"""The bars above the request log: they say what the log holds, in each span and by each filter, and narrow the list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.urls import reverse

from connections.transport.log import tallies
from connections.transport.models import DayTally, MinuteTally
from portal.support import request_bars
from portal.support.time_parameters import format_time_parameter
from tests.support.conftest import House, log_entry
from tests.support.pages import Page

LIST = "admin:transport_requestlogentry_changelist"
UTC = timezone.utc


@pytest.fixture
def bars(sign_in: Callable[..., Any], dana: Any) -> Callable[..., Any]:
    """`bars(fault="timeout")` is what stands above the list."""
    browser = sign_in(dana)

    def see(**query: str) -> Any:
        answer = browser.get(reverse(LIST), query, follow=True)
        assert answer.status_code == 200
        return answer.context["cl"].bars

    return see


def counted(bars: Any) -> list[tuple[str, int]]:
    return [(part.outcome, part.attempts) for bar in bars.bars for part in bar.parts]


def test_each_bar_says_how_the_attempts_of_its_time_ended(house: House, bars: Any) -> None:
    base = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    for second in range(3):
        log_entry(house.tenant, house.connection, at=base + timedelta(seconds=second))
    log_entry(house.tenant, house.connection, at=base + timedelta(seconds=9), status=503, outcome="troubled")
    drawn = bars(
        since=format_time_parameter(base - timedelta(minutes=2)),
        until=format_time_parameter(base + timedelta(minutes=3)),
    )
    assert drawn.step is request_bars.MINUTE
    assert [bar.attempts for bar in drawn.bars] == [0, 0, 4, 0, 0]
    assert counted(drawn) == [("answered", 3), ("troubled", 1)]
    assert drawn.most == 4


def test_a_bar_leads_to_its_requests_alone(house: House, sign_in: Callable[..., Any], dana: Any, bars: Any) -> None:
    base = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
    log_entry(house.tenant, house.connection, at=base, path_template="/inside")
    log_entry(house.tenant, house.connection, at=base + timedelta(minutes=1), path_template="/after")
    drawn = bars(since="1h")
    address = next(bar.address for bar in drawn.bars if bar.since == base)
    text = Page(sign_in(dana).get(reverse(LIST) + address).content).text
    assert "/inside" in text
    assert "/after" not in text


@pytest.mark.parametrize(
    ("query", "attempts"),
    [
        ({}, 3),
        ({"tenant": "aamu"}, 3),
        ({"tenant": "kaste"}, 0),
        ({"connection": "4711"}, 3),
        ({"provider": "hesabit"}, 0),
        ({"environment": "sandbox", "operation": "invoices.list"}, 3),
        ({"outcome": "troubled"}, 1),
        ({"status": "503"}, 1),
        ({"fault": "api-key-refused"}, 1),
        ({"q": "503", "since": "24h"}, 1),
    ],
)
@pytest.mark.parametrize("span", ["24h", "30d", "365d"])
def test_they_count_what_the_filters_leave_in_every_span(
    house: House, kaste: Any, bars: Any, query: dict[str, str], attempts: int, span: str
) -> None:
    log_entry(house.tenant, house.connection)
    log_entry(house.tenant, house.connection, status=503, outcome="troubled")
    drawn = bars(**{"since": span, **query})
    assert sum(bar.attempts for bar in drawn.bars) == attempts


def test_days_that_are_added_up_and_those_that_are_not_stand_side_by_side(house: House, bars: Any) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for days in (2, 3):
        log_entry(house.tenant, house.connection, at=noon - timedelta(days=days))
    assert tallies.add_up_days() == 2
    MinuteTally.objects.filter(minute__lt=noon - timedelta(days=1)).delete()
    assert DayTally.objects.count() == 2
    drawn = bars(since="30d")
    assert drawn.step is request_bars.DAY
    assert [bar.attempts for bar in drawn.bars if bar.attempts] == [1, 1, 1], "two days, and the house's own of now"


def test_many_rows_of_a_filter_that_is_not_tallied_are_cut_and_it_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch, bars: Any, sign_in: Callable[..., Any], dana: Any
) -> None:
    monkeypatch.setattr(request_bars, "MOST_ENTRIES", 2)
    for _ in range(3):
        log_entry(house.tenant, house.connection, status=429, outcome="refused")
    drawn = bars(status="429")
    assert (drawn.is_cut, sum(bar.attempts for bar in drawn.bars)) == (True, 2)
    assert "the newest" in Page(sign_in(dana).get(reverse(LIST), {"status": "429"}).content).text


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2999-01-01T00:00:00Z"},
        {"until": "1999-01-01T00:00:00Z"},
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T00:00:00Z"},
        {"since": "", "until": "half past"},
    ],
)
def test_any_span_is_answered(house: House, bars: Any, query: dict[str, str]) -> None:
    drawn = bars(**query)
    assert drawn is None or len(drawn.bars) < 200
