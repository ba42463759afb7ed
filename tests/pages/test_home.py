"""The home page of a company with many connections: problems first, looked for by name, system and state, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from connections.providers import registry
from connections.spec.checklist import MarkState
from connections.sync.models import RunState, SyncRun, Trigger
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection, ConnectionState
from portal.dashboard.forms import Group
from portal.dashboard.home_page import CONNECTIONS_SHOWN, listed
from portal.dashboard.summaries import ConnectionStatus, summary_of
from portal.onboarding.models import Mark, Onboarding

pytestmark = pytest.mark.django_db

CARD = re.compile(r'<a class="quiet-link" href="/t/aamu/c/([0-9a-f-]+)/">')
NEXT = re.compile(r'rel="next" href="(\?[^"]+)"')
# How a connection stands, by what its status sentence says and where the list has it.
STANDING: list[tuple[ConnectionState, RunState | None, ConnectionStatus, Group]] = [
    (ConnectionState.SETUP, None, ConnectionStatus.SETUP, Group.SETUP),
    (ConnectionState.BROKEN, RunState.FAILED, ConnectionStatus.BROKEN, Group.PROBLEM),
    (ConnectionState.PAUSED, RunState.SUCCEEDED, ConnectionStatus.PAUSED, Group.PAUSED),
    (ConnectionState.DISCONNECTED, RunState.SUCCEEDED, ConnectionStatus.DISCONNECTED, Group.DISCONNECTED),
    (ConnectionState.CONNECTED, None, ConnectionStatus.IDLE, Group.IN_ORDER),
    (ConnectionState.CONNECTED, RunState.SUCCEEDED, ConnectionStatus.CURRENT, Group.IN_ORDER),
    (ConnectionState.CONNECTED, RunState.RUNNING, ConnectionStatus.READING, Group.READING),
    (ConnectionState.CONNECTED, RunState.WAITING, ConnectionStatus.WAITING, Group.READING),
    (ConnectionState.CONNECTED, RunState.INCOMPLETE, ConnectionStatus.INCOMPLETE, Group.PROBLEM),
    (ConnectionState.CONNECTED, RunState.FAILED, ConnectionStatus.FAILED, Group.PROBLEM),
]


def connected(tenant: Any, name: str = "", *, state: str = ConnectionState.CONNECTED, run: str | None = None) -> Any:
    """A connection with a run in that state. In the tenant's scope."""
    auth_method = registry.all_providers()["procountor"].grants[0].name
    row = Connection(tenant=tenant, provider="procountor", environment="test", auth_method=auth_method, state=state)
    row.company_name = name
    row.save(force_insert=True)
    if run is not None:
        sync = SyncRun(tenant=tenant, connection=row, trigger=Trigger.HAND, state=run, queued_at=timezone.now())
        sync.save(force_insert=True)
    return row


def pages(client: Any, query: str = "") -> list[list[str]]:
    """The ids on every page of the list."""
    found = []
    while True:
        html = client.get(f"/t/aamu/{query}").content.decode()
        found.append(CARD.findall(html))
        following = NEXT.search(html)
        if following is None:
            return found
        query = unescape(following[1])


@pytest.mark.parametrize(("state", "run", "status", "group"), STANDING)
def test_the_list_and_the_sentence_agree_on_how_a_connection_is_doing(
    state: ConnectionState, run: RunState | None, status: ConnectionStatus, group: Group, aamu: Any
) -> None:
    with tenant_scope(aamu.id):
        row = connected(aamu, state=state, run=run)
        assert summary_of(row).status is status
        assert [each.group for each in listed(aamu)] == [group]


def test_what_must_be_put_right_is_a_problem(aamu: Any) -> None:
    with tenant_scope(aamu.id):
        row = connected(aamu, run=RunState.SUCCEEDED)
        onboarding = Onboarding(tenant=aamu, connection=row)
        onboarding.save(force_insert=True)
        mark = Mark(tenant=aamu, onboarding=onboarding, checkpoint="api-key", state=MarkState.FAILING.value)
        mark.save(force_insert=True)
        withdrawn = connected(aamu)
        Connection.objects.filter(id=withdrawn.id).update(auth_method="of another time")
        assert {each.group for each in listed(aamu)} == {Group.PROBLEM}


def test_a_set_up_that_was_removed_before_anything_was_read_is_not_listed(aamu: Any) -> None:
    with tenant_scope(aamu.id):
        connected(aamu, state=ConnectionState.DISCONNECTED)
        assert list(listed(aamu)) == []


def test_many_connections_come_page_by_page_problems_first(sign_in: Callable[..., Any], aamu: Any, alice: Any) -> None:
    with tenant_scope(aamu.id):
        fine = [str(connected(aamu, run=RunState.SUCCEEDED).id) for _ in range(2 * CONNECTIONS_SHOWN)]
        wrong = [str(connected(aamu, state=ConnectionState.BROKEN).id) for _ in range(3)]
    found = pages(sign_in(alice))
    assert [len(page) for page in found] == [CONNECTIONS_SHOWN, CONNECTIONS_SHOWN, 3]
    assert [each for page in found for each in page] == [*wrong, *fine]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?name=kirjat", ["Aamun Kirjat", "Kaikki kirjat"]),
        ("?state=0", ["Rikki Oy"]),
        ("?state=0&name=kirjat", []),
        ("?provider=hesabit", []),
        ("?provider=procountor&name=rikki", ["Rikki Oy"]),
        ("?state=none&provider=x&after=y", ["Rikki Oy", "Aamun Kirjat", "Kaikki kirjat", "Muu", "Viides", "Kuudes"]),
    ],
)
def test_connections_are_looked_for_by_name_system_and_state(
    query: str, expected: list[str], sign_in: Callable[..., Any], aamu: Any, alice: Any
) -> None:
    with tenant_scope(aamu.id):
        rows = [connected(aamu, name) for name in ("Aamun Kirjat", "Kaikki kirjat", "Muu", "Viides", "Kuudes")]
        rows.append(connected(aamu, "Rikki Oy", state=ConnectionState.BROKEN))
    names = {str(row.id): row.company_name for row in rows}
    assert [[names[each] for each in page] for page in pages(sign_in(alice), query)] == [expected]


def test_the_next_page_looks_for_the_same(sign_in: Callable[..., Any], aamu: Any, alice: Any) -> None:
    with tenant_scope(aamu.id):
        rows = [str(connected(aamu, f"Kirjat {number}").id) for number in range(CONNECTIONS_SHOWN + 5)]
        connected(aamu, "Muu")
    first, second = pages(sign_in(alice), "?name=kirjat")
    assert [*first, *second] == rows


def test_few_connections_need_no_filter(sign_in: Callable[..., Any], aamu: Any, alice: Any) -> None:
    with tenant_scope(aamu.id):
        connected(aamu)
    page = sign_in(alice).get("/t/aamu/").content.decode()
    assert 'role="search"' not in page
    assert 'class="pages"' not in page
