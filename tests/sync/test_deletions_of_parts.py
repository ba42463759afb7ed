"""What is gone of streams that are made of several lists, and what somebody with the web's login can make of a pass."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F

from connections.providers import registry
from connections.sync import services
from connections.sync.models import ProgressState, Record, RunState, StreamCursor, StreamProgress, Trigger
from connections.tenancy.scope import tenant_scope
from tests.roles import acting_as
from tests.sync.conftest import ALICE, every_provider


def gone(stream):
    rows = Record.objects.filter(stream=stream).exclude(gone_at=None)
    return sorted(rows.values_list("external_id", flat=True))


def page(rows):
    return 200, json.dumps({"results": rows}).encode()


@pytest.fixture
def partners(reading, monkeypatch):
    """Two lists, of active and of inactive partners; `lists` is what they hold."""
    reader = reading("procountor", "partners")
    slug, provider = "procountor", every_provider()["procountor"]
    known = {slug: replace(provider, streams=(replace(provider.stream("partners"), since=None),))}
    monkeypatch.setattr(registry, "all_providers", lambda: known)
    monkeypatch.setattr(registry, "find", known.get)
    reader.server.dialect = replace(reader.server.dialect, path="/businesspartners", stream="partners")
    lists = {"true": list(range(1, 21)), "false": list(range(21, 31))}

    def instead(number, query, path):
        rows = [each for each in sorted(lists[query["active"]]) if each > int(query.get("previousId", 0))]
        return page([{"id": each} for each in rows])

    reader.server.instead, reader.lists = instead, lists
    assert reader.run().state == RunState.SUCCEEDED
    reader.server.asked.clear()
    return reader


def test_a_record_that_goes_over_between_two_lists_is_not_gone(partners):
    """From the list that is read last to the one that was read first, in between."""

    def go_over(number):
        if number == 3:  # the active ones are read
            partners.lists["false"].remove(25)
            partners.lists["true"].append(25)

    partners.server.before = go_over
    run = partners.run()
    assert (run.state, gone("partners")) == (RunState.SUCCEEDED, [])
    assert partners.progress(run).seen == 29
    assert [each["active"] for each in partners.server.asked] == ["true", "true", "false", "false", "true", "true"]


def test_what_is_in_neither_list_is_gone_after_a_second_look(partners):
    partners.lists["true"].remove(3)
    partners.lists["false"].remove(22)
    run = partners.run()
    assert gone("partners") == ["22", "3"]
    assert (partners.progress(run).seen, StreamCursor.objects.get().records) == (28, 28)
    partners.server.asked.clear()
    partners.run()
    assert len(partners.server.asked) == 4  # nothing was missing, so nothing was looked at twice


def test_a_second_look_that_is_refused_calls_nothing_gone(partners):
    partners.lists["true"].remove(3)
    instead = partners.server.instead
    partners.server.instead = lambda number, query, path: (422, b"{}") if number > 4 else instead(number, query, path)
    assert partners.run().state == RunState.FAILED
    assert gone("partners") == []


# -- a list for each record of another stream -------------------------------------------------------------------------


@pytest.fixture
def customers(reading):
    """Pentamic's customers and their invoices, whose ids are unique below a customer alone."""
    reader = reading("pentamic", "customers", "invoices")
    reader.server.fill(12)
    invoices = {str(number): [1, 2, 3] for number in range(1, 13)}
    asked, answers = [], {}

    def listed(line):
        customer = line.asked.split()[1].split("?")[0].split("/")[-2]
        asked.append(customer)
        rows = [{"id": each} for each in invoices[customer]]
        return answers.get(customer) or (200, json.dumps(rows).encode())

    reader.server.others = {"/invoices": listed}
    reader.invoices, reader.asked_for, reader.answers = invoices, asked, answers
    assert reader.run().state == RunState.SUCCEEDED
    asked.clear()
    return reader


def test_records_below_one_that_is_gone_are_not_asked_for_and_gone(customers):
    customers.server.drop(5)
    customers.invoices["7"] = [1, 3]
    run = customers.run()
    assert run.state == RunState.SUCCEEDED
    assert gone("customers") == ["5"]
    assert gone("invoices") == ["5/1", "5/2", "5/3", "7/2"]
    assert "5" not in customers.asked_for
    customers.server.fill(12)
    customers.invoices["7"] = [1, 2, 3]
    customers.run()
    assert gone("customers") == gone("invoices") == []
    assert StreamCursor.objects.get(stream="invoices").records == 36


def test_a_list_that_was_not_shown_leaves_its_records_alone_and_no_others(customers):
    """The customer goes after the list of customers was read: what became of the invoices is seen by the next pass."""
    customers.answers["5"] = (404, json.dumps({"code": "ID_NOT_FOUND", "message": "ID_NOT_FOUND"}).encode())
    customers.invoices["7"] = [1, 3]
    run = customers.run()
    if run.state == RunState.SUCCEEDED:
        assert gone("invoices") == ["7/2"]
    else:
        assert gone("invoices") == []
    assert gone("customers") == []


def test_customers_that_are_only_suspected_to_be_gone_keep_their_invoices(customers):
    rows, customers.server.rows = customers.server.rows, customers.server.rows[:1]
    run = customers.run()
    assert (run.state, gone("customers"), gone("invoices")) == (RunState.SUCCEEDED, [], [])
    StreamCursor.objects.update(suspected_at=F("suspected_at") - timedelta(hours=2))
    Record.objects.update(added_at=F("added_at") - timedelta(hours=2))
    customers.run()
    assert len(gone("customers")) == 11
    customers.server.rows = rows
    customers.run()
    assert gone("customers") == gone("invoices") == []


# -- the web process's login --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        {"state": ProgressState.READING, "position": {"after": 10**9}},
        {"state": ProgressState.READING, "position": {"checking": True}},
        {"state": ProgressState.PENDING, "position": {"after": 10**9}},
        {
            "state": ProgressState.PENDING,
            "position": {"checking": True},
            "pages": 4,
            "seen": 130,
            "newest": "2026-12-01",
        },
    ],
)
def test_a_pass_that_somebody_pretends_to_have_begun_calls_nothing_gone(reading, forged, monkeypatch):
    reader = reading("procountor")
    reader.server.fill(30)
    assert reader.run().state == RunState.SUCCEEDED
    monkeypatch.setattr("connections.sync.deletions.FEW_RECORDS", 1000)
    monkeypatch.setattr("connections.sync.deletions.EMPTY_WAIT", timedelta(0))
    with acting_as("web"), tenant_scope(reader.connection.tenant_id):
        monkeypatch.setattr(StreamProgress.objects, "bulk_create", lambda rows: None)
        run = services.start_run(connection=reader.connection, trigger=Trigger.HAND, actor=ALICE)
        StreamProgress.objects.create(
            tenant_id=run.tenant_id, run=run, stream="invoices", order=0, started_at=run.queued_at, **forged
        )
    run = reader.go_on(run)
    assert run.state == RunState.SUCCEEDED
    assert (gone("invoices"), StreamCursor.objects.get().newest) == ([], "")
