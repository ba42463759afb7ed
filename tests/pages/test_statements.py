"""Every page asks a bounded number of statements of the database, the same for few rows and for many."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from connections.calls.models import Call
from connections.spec.checklist import MarkState
from connections.sync.models import (
    Record,
    RecordVersion,
    RunLogLine,
    RunState,
    StreamCursor,
    StreamProgress,
    SyncRun,
    Trigger,
)
from connections.tenancy.models import Tenant
from connections.tenancy.scope import tenant_scope
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import Connection
from portal.members.permissions import Role
from portal.members.services import invite
from portal.onboarding.models import Evidence, Mark
from tests.conftest import PASSWORD, joined, person
from tests.pages.crowd import ADDRESSES, settle
from tests.pages.statements import Statements, statements

pytestmark = pytest.mark.usefixtures("committed_db", "every_button")

MOST = 12 + 3  # three of them for the scope
# Pages that may ask more, but no more for many rows either.
DEARER = {
    "admin:search": 17,  # looks in the tables of everything that a word may name
    "mfa_activate_totp": 20,  # allauth's: each factor is asked for by itself
    "mfa_generate_recovery_codes": 17,  # so is this
}


def pages_without_arguments() -> list[tuple[str, str]]:
    """(name, address) of every page outside of tenants that needs nothing but somebody who is signed in."""
    found = []
    for group in get_resolver().url_patterns:
        for pattern in _patterns(group):
            if "<" not in str(pattern.pattern) and getattr(pattern.callback, "needs_sign_in", False):
                found.append((str(pattern.name), reverse(str(pattern.name))))
    return found


def _patterns(group: Any) -> list[URLPattern]:
    if isinstance(group, URLPattern):
        return [group]
    if getattr(group, "namespace", None) == "admin":
        return []
    return [each for inner in group.url_patterns for each in _patterns(inner)]


def staff_pages() -> list[tuple[str, str]]:
    """(name, address) of the lists and the search."""
    lists = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry]
    names = ["admin:index", *lists]
    return [*((name, reverse(name)) for name in names), ("admin:search", f"{reverse('admin:search')}?q=aamu")]


def measured(clients: dict[str, Any], ids: dict[str, Any]) -> dict[str, Statements]:
    inside = [(address.name, address.url("aamu", ids)) for address in ADDRESSES if address.method == "get"]
    pages = [*inside, *pages_without_arguments()]
    found = {name: statements(clients["owner"], address) for name, address in pages}
    return found | {name: statements(clients["staff"], address) for name, address in staff_pages()}


def fill(tenant: Tenant, ids: dict[str, Any], owner: Any, numbers: range) -> None:
    """So many of everything that a page lists; of log lines and requests six times as many."""
    now = timezone.now()
    connection = Connection.objects.get(id=ids["connection"])
    with tenant_scope(tenant.id):
        for number in numbers:
            old = now - timedelta(days=1, minutes=number)
            run = SyncRun(connection=connection, tenant=tenant, trigger=Trigger.HAND, queued_at=old, ended_at=old)
            run.state = (RunState.SUCCEEDED, RunState.INCOMPLETE, RunState.FAILED)[number % 3]
            run.save(force_insert=True)
            for run_id in (run.id, ids["run"]):
                part = StreamProgress(tenant=tenant, run_id=run_id, stream=f"stream-{number}", order=number, skipped=1)
                part.save(force_insert=True)
            StreamCursor(tenant=tenant, connection=connection, stream=f"stream-{number}").save(force_insert=True)
            of_record = {"tenant": tenant, "connection": connection, "stream": "invoices"}
            content: dict[str, Any] = {"body": {"n": number}, "changed_at": old, "entry_id": uuid.uuid4()}
            one = Record(**of_record, **content, external_id=f"{number}", change_number=number + 2, added_at=old)
            one.save(force_insert=True)
            version = {**content, "external_id": ids["record"], "change_number": -number, "replaced_at": old}
            RecordVersion(**of_record, **version).save(force_insert=True)
            other = Connection(tenant=tenant, provider="procountor", environment="test")
            other.auth_method = connection.auth_method
            other.save(force_insert=True)
            joined(person(f"more{number}@aamu.example"), tenant, "viewer")
            invite(
                tenant=tenant, email=f"x{number}@aamu.example", role=Role.VIEWER, actor=owner.actor, up_to=Role.OWNER
            )
        for number in [*numbers] * 6:
            RunLogLine(tenant=tenant, run_id=ids["run"], code="started").save(force_insert=True)
            entry = RequestLogEntry(id=uuid.uuid4(), at=now, tenant=tenant, connection=connection, duration_ms=1)
            entry.run_id, entry.operation, entry.fault = ids["run"], f"operation-{number}", "timeout"
            entry.outcome = Outcome.UNREACHABLE
            entry.save(force_insert=True)
        for mark in Mark.objects.filter(onboarding__connection=connection):
            for _ in numbers:
                Evidence(tenant=tenant, mark=mark, state=MarkState.FAILING.value, code="check-gave-up").save(
                    force_insert=True
                )
        Mark.objects.filter(onboarding__connection=connection).update(state=MarkState.FAILING.value)
        call = Call.objects.get(id=ids["call"])
        for _ in numbers:
            call.id = uuid.uuid4()
            call.save(force_insert=True)


@pytest.fixture
def clients(client: Any, sign_in: Callable[..., Any], alice: Any, ada: Any) -> dict[str, Any]:
    client.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    return {"owner": client, "staff": sign_in(ada)}


def test_every_page_asks_few_statements_and_no_more_for_many_rows(
    clients: dict[str, Any], sign_in: Callable[..., Any], aamu: Any, alice: Any
) -> None:
    joined(person("olga@aamu.example"), aamu, "owner")  # so that another owner may go
    ids = settle(aamu, alice)
    fill(aamu, ids, alice, range(1))
    few = measured(clients, ids)
    assert len(few) > 40
    fill(aamu, ids, alice, range(1, 22))
    for _ in range(5):
        sign_in(alice).get("/t/aamu/")
    many = measured(clients, ids)
    dear = [f"{name}: {each.count}\n{each}" for name, each in many.items() if each.count > DEARER.get(name, MOST)]
    assert dear == [], "\n\n".join(dear)
    grown = [
        f"{name}: {few[name].count}\n{few[name]}\n{each}"
        for name, each in many.items()
        if each.count != few[name].count
    ]
    assert grown == [], "\n\n".join(grown)
