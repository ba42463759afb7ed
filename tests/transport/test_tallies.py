"""The request log counts itself: the tallies say what it holds, whoever wrote it, and are taken back with it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from connections.tenancy.scope import tenant_scope
from connections.transport.log import writer
from connections.transport.models import MinuteTally, RequestLogEntry
from tests.roles import acting_as

MINUTE = datetime.now(timezone.utc).replace(second=0, microsecond=0)


def entry(tenant: Any, **values: Any) -> RequestLogEntry:
    return RequestLogEntry(
        **{
            "at": MINUTE, "tenant": tenant, "connection_id": uuid.UUID(int=1), "provider": "procountor",
            "environment": "test", "operation": "invoices.list", "method": "GET", "path_template": "/invoices",
            "outcome": "answered", "duration_ms": 3, **values,
        }
    )  # fmt: skip


def tallied() -> list[tuple[str, str, int]]:
    rows = MinuteTally.objects.order_by("minute", "operation", "outcome")
    return [(each.operation, each.outcome, each.attempts) for each in rows]


def test_entries_of_one_minute_are_one_tally_across_statements(aamu: Any) -> None:
    with acting_as("worker"), tenant_scope(aamu.id):
        writer.write([entry(aamu), entry(aamu, at=MINUTE + timedelta(seconds=59)), entry(aamu, outcome="refused")])
        writer.write([entry(aamu), entry(aamu, operation="company")])
    assert tallied() == [("company", "answered", 1), ("invoices.list", "answered", 3), ("invoices.list", "refused", 1)]


def test_an_attempt_without_a_connection_is_counted_once(aamu: Any) -> None:
    with acting_as("worker"), tenant_scope(aamu.id):
        writer.write([entry(aamu, connection_id=None)])
        writer.write([entry(aamu, connection_id=None)])
    assert tallied() == [("invoices.list", "answered", 2)]


def test_what_is_taken_back_is_not_counted(aamu: Any) -> None:
    with acting_as("worker"), pytest.raises(RuntimeError), tenant_scope(aamu.id):
        writer.write([entry(aamu)])
        raise RuntimeError
    assert tallied() == []


def test_another_tenants_tallies_are_neither_seen_nor_moved(aamu: Any, kaste: Any) -> None:
    with acting_as("worker"):
        with tenant_scope(kaste.id):
            writer.write([entry(kaste)])
        with tenant_scope(aamu.id):
            assert not MinuteTally.objects.exists()
            assert MinuteTally.objects.update(attempts=9) == 0


@pytest.mark.parametrize("role", ["web", "staff"])
def test_only_workers_count(aamu: Any, role: str) -> None:
    with acting_as(role), tenant_scope(aamu.id), pytest.raises(DatabaseError), transaction.atomic():
        MinuteTally(tenant=aamu, minute=MINUTE, attempts=1).save(force_insert=True)
