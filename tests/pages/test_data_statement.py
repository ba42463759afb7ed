"""The data statement says what the declarations, the schedule and the request log say, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from connections.providers import registry
from connections.providers.procountor.rights import right_in_words
from connections.spec.checklist import MarkState, Tells
from connections.sync.models import Schedule, StreamCursor
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.services import mark_healthy
from portal.dashboard.data_statement import connections_for_statement, data_statement
from portal.onboarding.marks import CheckpointResult, marks_of, record
from portal.onboarding.services import begin

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(aamu: Any) -> Any:
    with tenant_scope(aamu.id):
        onboarding = begin(tenant=aamu, provider="procountor", environment="test", actor=SYSTEM)
        mark_healthy(connection=onboarding.connection)
        values = {"user": "Aamu API", "user_id": "77"}
        result = CheckpointResult(MarkState.VERIFIED, "user-meant", values, entry_id=uuid4())
        record(mark=marks_of(onboarding)["technical-user"], result=result)
    return onboarding.connection


def log(connection: Any, operation: str, method: str = "GET", **values: Any) -> None:
    now = values.pop("at", timezone.now())
    place = {"tenant_id": connection.tenant_id, "connection_id": connection.id, "provider": connection.provider}
    kind = {"operation": operation, "method": method, "outcome": values.pop("outcome", Outcome.ANSWERED)}
    RequestLogEntry(**place, **kind, at=now, environment="test", duration_ms=1, **values).save(force_insert=True)


def test_its_counts_are_those_of_the_log(connection: Any) -> None:
    for operation, method in (("invoices.list", "GET"), ("token", "POST"), ("products.delete", "DELETE")):
        log(connection, operation, method)
    log(connection, "invoices.list", outcome=Outcome.REFUSED)
    with tenant_scope(connection.tenant_id):
        statement = data_statement(connections_for_statement().get(id=connection.id))
        entries = RequestLogEntry.objects.filter(at__gt=statement.since)
        logged = Counter(entries.values_list("operation", flat=True))
    assert statement.requests == sum(logged.values()) == 4
    assert sorted(row.requests for row in statement.operations) == sorted(logged.values())
    invoices = statement.operations[0]
    assert (invoices.requests, invoices.answered, invoices.is_write) == (2, 1, False)
    assert [row.is_write for row in statement.operations if row.label == "Open a session"] == [False]
    declared = {operation.name for operation in registry.all_providers()["procountor"].operations}
    assert len(statement.writes) == ("products.delete" in declared)


def test_its_page_names_streams_rights_user_and_master(
    connection: Any, alice: Any, sign_in: Callable[..., Any]
) -> None:
    with tenant_scope(connection.tenant_id):
        Schedule(tenant_id=connection.tenant_id, connection=connection, streams_left_out=["products"]).save(
            force_insert=True
        )
        StreamCursor(
            tenant_id=connection.tenant_id,
            connection=connection,
            stream="invoices",
            records=1234,
            read_at=timezone.now(),
        ).save(force_insert=True)
    page = sign_in(alice).get(f"/t/aamu/c/{connection.id}/data/").content.decode()
    for stream in registry.all_providers()["procountor"].streams:
        assert str(stream.label) in page
        for right in stream.permission.needs if stream.permission else ():
            assert right_in_words(right) in page
            assert right not in page, "in Procountor's own words"
    assert len(re.findall("not read</span>", page)) >= 1
    for words in ("1,234", "Aamu API", "Procountor stays the master", "None: nothing was sent", "Every 6 hours"):
        assert words in page, words
    assert "Procountor has not told us." in page, "nobody has looked at the rights"


def test_what_is_not_read_any_more_is_said_to_be(connection: Any, alice: Any, sign_in: Callable[..., Any]) -> None:
    connection.state, connection.left_at = "disconnected", timezone.now()
    connection.save()
    page = sign_in(alice).get(f"/t/aamu/c/{connection.id}/data/").content.decode()
    assert "Never any more: disconnected" in page
    assert "Every 6 hours" not in page


def test_each_provider_declares_what_its_findings_tell_once_for_each_way() -> None:
    for provider in registry.all_providers().values():
        for grant in provider.grants:
            telling = [each.tells for each in provider.checkpoints(grant.name) if each.tells]
            assert len(telling) == len(set(telling)), provider.slug
    procountor = registry.all_providers()["procountor"]
    told = {each.tells for each in procountor.checkpoints(procountor.grants[0].name) if each.tells}
    assert told == {Tells.USER, Tells.RIGHTS}
