"""What one bad record, one list of several, or one page that is too large may spoil: itself, and nothing beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from connections.jobs.models import Job
from connections.sync import faults, services
from connections.sync.models import ListedPage, ProgressState, Record, RunState, StreamCursor
from connections.transport.models import Breaker
from tests.sync.list_server import DIALECTS, paging_of

EVERY = sorted(DIALECTS)
PAGED = [slug for slug in EVERY if DIALECTS[slug].paging != "whole"]


# -- bad records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", EVERY)
def test_one_bad_record_stops_none_of_the_others(reading, slug):
    reader = reading(slug)
    reader.server.fill(50)
    bad = {reader.server.dialect.key: None, "name": "no number"}
    reader.server.rows.insert(6, bad)
    if reader.server.dialect.paging == "after":
        reader.server.shown = lambda query: [] if "previousId" in query else reader.server.rows
    run = reader.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "records-skipped")
    assert len(reader.kept) == 50
    progress = reader.progress(run)
    assert (progress.state, progress.seen - progress.added, progress.skipped) == (ProgressState.DONE, 1, 1)
    [told] = [said for said in reader.said(run) if "could not be kept" in said]
    assert "record 7 on page 1" in told
    reader.server.rows.remove(bad)
    assert reader.run().state == RunState.SUCCEEDED


@pytest.mark.parametrize("slug", [slug for slug in EVERY if slug != "pentamic"])
@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_what_is_no_number_spoils_its_own_record_alone(reading, slug, number):
    reader = reading(slug)
    reader.server.fill(50)
    bad = {**reader.server.rows[6], reader.server.dialect.key: 7000, "balance": number}
    reader.server.rows.append(bad)
    if reader.server.dialect.paging == "after":
        reader.server.shown = lambda query: [] if "previousId" in query else reader.server.rows
    run = reader.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "records-skipped")
    assert len(reader.kept) == 50
    assert any("record 51 on page 1" in said for said in reader.said(run))
    reader.server.rows.remove(bad)
    assert reader.run().state == RunState.SUCCEEDED


def test_ids_beyond_64_bits_are_asked_with_as_they_are(reading):
    reader = reading("procountor", "invoices")
    first = 12345678901234567890123
    reader.server.fill(400)
    for number, row in enumerate(reader.server.rows):
        row["id"] = first + number
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert reader.kept == {str(first + number) for number in range(400)}


def test_the_log_names_a_few_of_many(reading):
    reader = reading("simutek")
    reader.server.fill(3)
    reader.server.rows += [{"number": None}] * 70
    run = reader.run()
    assert reader.progress(run).skipped == 70
    told = [said for said in reader.said(run) if "could not be kept" in said]
    assert len(told) == 21
    assert "50" in told[-1]


def test_a_record_that_was_not_kept_is_asked_for_again(reading):
    """A list of what changed would not show it a second time."""
    reader = reading("procountor", "invoices")
    reader.server.fill(3)
    for row in reader.server.rows:
        row["version"] = "2026-01-01T10:00:00"
    reader.server.rows[1]["id"], kept = 10**130, reader.server.rows[1]["id"]
    reader.server.shown = lambda query: [] if "previousId" in query else reader.server.rows
    for _ in range(2):
        run = reader.run()
        assert (run.fault, reader.progress(run).since) == ("records-skipped", "")
    assert StreamCursor.objects.get(stream="invoices").newest == ""
    reader.server.rows[1]["id"] = kept
    assert reader.run().state == RunState.SUCCEEDED
    assert StreamCursor.objects.get(stream="invoices").newest != ""


# -- lists of several -------------------------------------------------------------------------------------------------

STATEMENTS = ("bank_accounts", "bank_statements")


@pytest.fixture
def accounts(reading):
    """Six bank accounts, each with two statements; `answers` says what else is told of an account's."""
    reader = reading("procountor", *STATEMENTS)
    answers, asked = {}, []
    listed = [{"id": each, "accountNumber": f"FI{each}", "status": "ACTIVE"} for each in range(1, 7)]

    def page(rows, line):
        rows = [] if "previousId=" in line.asked else rows
        return 200, json.dumps({"results": rows, "meta": {"totalCount": len(rows)}}).encode()

    def statements(line):
        rows = [row.decode().partition(": ") for row in line.head.split(b"\r\n")]
        number = next(value for name, _, value in rows if name.lower() == "accountnumber")
        asked.append(number)
        each = int(number.removeprefix("FI"))
        return answers.get(number) or page([{"id": 10 * each}, {"id": 10 * each + 1}], line)

    reader.server.others = {"/bankaccounts": lambda line: page(listed, line), "/bankstatements": statements}
    reader.listed, reader.answers, reader.asked_for = listed, answers, asked
    return reader


# In the provider's words: a bare 403 may come from a machine on the way, and is asked again first.
NO_RIGHTS = b'{"errors": [{"status": 403, "message": "NO_RIGHTS"}]}'


def statements_kept():
    return sorted(
        int(key) for key in Record.objects.filter(stream="bank_statements").values_list("external_id", flat=True)
    )


def test_one_list_that_is_refused_does_not_stop_the_others(accounts):
    # Refused in the provider's words, or with a status alone, which is nobody's here to mend.
    for status, fault in (
        (403, "parts-missed"),
        (400, "parts-unreadable"),
        (404, "parts-unreadable"),
        (410, "parts-unreadable"),
    ):
        accounts.answers["FI3"] = (status, NO_RIGHTS if status == 403 else b"")
        run = accounts.run()
        assert (run.state, run.fault) == (RunState.INCOMPLETE, fault), status
        assert statements_kept() == [10, 11, 20, 21, 40, 41, 50, 51, 60, 61]
        progress = accounts.progress(run, "bank_statements")
        assert (progress.state, progress.fault) == (ProgressState.FAILED, fault)
        assert any("Bank accounts 3 could not be read" in said for said in accounts.said(run))
        assert not any("FI3" in said for said in accounts.said(run))
    assert faults.PARTS_MISSED.checkpoint == ""  # so that no checkpoint fails, and the connection stands
    del accounts.answers["FI3"]
    assert accounts.run().state == RunState.SUCCEEDED


def test_an_account_that_says_it_is_closed_has_no_statements(accounts):
    accounts.listed[2]["status"] = "PASSIVE"
    for status in (400, 404, 410):
        accounts.answers["FI3"] = (status, NO_RIGHTS)
        run = accounts.run()
        assert (run.state, run.fault) == (RunState.SUCCEEDED, ""), status
        assert any("closed or gone" in said for said in accounts.said(run))


def test_an_answer_that_cannot_be_read_is_one_list_missed(accounts):
    accounts.answers["FI1"] = (200, b'{"nothing": 1}')
    run = accounts.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "parts-unreadable")
    assert statements_kept() == [20, 21, 30, 31, 40, 41, 50, 51, 60, 61]


def test_where_all_are_refused_the_right_is_missing(accounts):
    accounts.answers.update({f"FI{each}": (403, NO_RIGHTS) for each in range(1, 7)})
    run = accounts.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "right-missing")
    assert accounts.progress(run, "bank_statements").state == ProgressState.REFUSED


def test_parents_that_are_no_longer_listed_are_not_asked(accounts):
    assert accounts.run().state == RunState.SUCCEEDED
    accounts.answers["FI3"] = (404, b"{}")
    accounts.listed.pop(2)
    accounts.asked_for.clear()
    assert accounts.run().state == RunState.SUCCEEDED
    assert "FI3" not in accounts.asked_for
    assert Record.objects.filter(stream="bank_accounts", external_id="3").exists()
    assert not ListedPage.objects.exists()


def test_travel_products_are_asked_for(reading):
    reader = reading("procountor", "products")
    reader.server.dialect = replace(reader.server.dialect, path="/products", stream="products")
    kinds = {"": [{"id": 1}, {"id": 2}], "TRAVEL": [{"id": 3}]}

    def instead(number, query, path):
        rows = [] if "previousId" in query else kinds[query.get("type", "")]
        return 200, json.dumps({"results": rows}).encode()

    reader.server.instead = instead
    assert reader.run().state == RunState.SUCCEEDED
    assert reader.kept == {"1", "2", "3"}
    # Whoever may not see them is not cut off from the others.
    reader.server.instead = lambda number, query, path: (
        (403, NO_RIGHTS) if "type" in query else instead(number, query, path)
    )
    assert reader.run().fault == "parts-missed"


# -- pages that are too large -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", PAGED)
def test_a_page_that_the_server_never_manages_is_asked_for_in_halves(reading, slug, monkeypatch, let_time_pass):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    reader = reading(slug)
    reader.server.fill(410)
    size = paging_of(slug).size
    names = ("size", "limit", "pageSize")

    def asked(query):
        return next(int(query[name]) for name in names if name in query)

    # From the second page on, whatever holds more than a quarter of a full page takes too long.
    reader.server.instead = lambda number, query, path: (504, b"") if number > 1 and asked(query) > size // 4 else None
    run = reader.run()
    for _ in range(12):
        if run.state != RunState.WAITING:
            break
        Breaker.objects.all().delete()
        type(run).objects.update(waiting_until=None)
        let_time_pass()
        run = reader.go_on(run)
    assert (run.state, run.fault) == (RunState.SUCCEEDED, "")
    assert reader.kept == reader.served
    progress = reader.progress(run)
    assert progress.seen == progress.added == 410
    assert min(asked(query) for query in reader.server.asked) == size // 4
    assert any(f"going on with {size // 4} records" in said for said in reader.said(run))
    reader.server.instead = lambda number, query, path: None
    reader.server.asked.clear()
    assert reader.run().state == RunState.SUCCEEDED
    assert asked(reader.server.asked[0]) == size
    assert not Job.objects.filter(kind=services.RUN, state="queued").exists()
