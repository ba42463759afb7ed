"""Pages that are fetched while others are stored: none is asked for twice, none is lost, and each is in the request log."""

from __future__ import annotations

import pytest

from connections.sync import pages
from connections.sync.models import RunState
from connections.transport.client import Client
from connections.transport.models import RequestLogEntry

PAGE, ROWS = 20, 170


@pytest.fixture
def many_ahead(monkeypatch):
    """As many pages as are ever fetched ahead, from the second one on."""
    monkeypatch.setattr(pages, "WAITED_SECONDS", -1.0)
    monkeypatch.setattr(pages, "MOST_PAGES_AHEAD", 6)


def begin(reading, slug):
    reader = reading(slug)
    reader.server.fill(ROWS)
    reader.server.holds = PAGE
    if reader.server.dialect.total:
        reader.server.total = lambda shown: len(reader.server.rows)
    return reader


def is_logged(reader, run):
    lists = RequestLogEntry.objects.filter(run_id=run.id, path_template__endswith=reader.server.dialect.path)
    return lists.count() == len(reader.server.asked)


@pytest.mark.parametrize("slug", ["procountor", "smartbusiness", "hesabit", "simutek"])
def test_no_page_is_asked_for_twice(reading, slug, many_ahead):
    reader = begin(reading, slug)
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert reader.kept == reader.served
    questions = [tuple(sorted(query.items())) for query in reader.server.asked]
    readings = 2 if slug in ("hesabit", "simutek") else 1  # lists without an order are read twice
    assert max(questions.count(each) for each in questions) == readings
    assert len(questions) == reader.progress(run).pages
    assert is_logged(reader, run)


@pytest.mark.parametrize("call", [2, 3, 5, 9])
def test_rows_that_slide_away_under_pages_fetched_ahead_hide_no_others(reading, many_ahead, call):
    reader = begin(reading, "smartbusiness")
    rows = reader.served
    reader.server.before = lambda number: reader.server.drop(number) if number == call else None
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert reader.kept >= rows - {str(call)}
    assert is_logged(reader, run)


@pytest.mark.parametrize("slug", ["procountor", "smartbusiness"])
def test_a_page_that_fails_ahead_of_its_turn_costs_none_of_those_before(reading, many_ahead, slug):
    reader = begin(reading, slug)
    reader.server.instead = lambda number, query, path: (404, b"{}") if number == 4 else None
    run = reader.run()
    assert run.state == RunState.FAILED
    assert PAGE <= len(reader.kept) <= len(reader.served)
    assert is_logged(reader, run)


def test_long_pages_are_not_fetched_ahead(reading, monkeypatch):
    monkeypatch.setattr(pages, "MOST_BYTES_AHEAD", 10)
    reader = begin(reading, "procountor")
    begun = []
    fetch_ahead = Client.fetch_ahead
    monkeypatch.setattr(Client, "fetch_ahead", lambda *args: begun.append(args) or fetch_ahead(*args))
    assert reader.run().state == RunState.SUCCEEDED
    assert reader.kept == reader.served
    assert not begun
