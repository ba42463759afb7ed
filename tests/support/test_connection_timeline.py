"""What happened to a connection stands on one axis, narrowed by span and kind, each thing with a way to its page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.sync.models import RunLogLine
from connections.tenancy import audit
from portal.incidents.models import Incident, Notice
from portal.onboarding.models import Evidence, Mark
from portal.support import connection_timeline
from tests.pages.statements import statements
from tests.support.conftest import House, log_entry
from tests.support.pages import Page

MOST_STATEMENTS = 12  # beside those that enter a scope and leave it


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def address_of(house: House, **query: str) -> str:
    return f"{reverse('admin:connection_timeline', args=[house.connection.id])}?{urlencode(query)}"


def happen(house: House, alice: Any) -> None:
    """One of each kind, beside the request, the run and the changes that the house has."""
    now = timezone.now()
    values = {"until": now.isoformat(), "fault": "quota"}
    RunLogLine(tenant=house.tenant, run=house.run, code="waiting", values=values).save(force_insert=True)
    mark = Mark.objects.filter(onboarding__connection=house.connection).first()
    assert mark is not None
    Evidence(tenant=house.tenant, mark=mark, state="failing", code="no-word-now").save(force_insert=True)
    Incident(
        tenant=house.tenant, connection=house.connection, cause="api-key-refused", responsible="customer", opened_at=now,
        opened_by="run", last_seen_at=now, closed_at=now, closed_by="run",
    ).save(force_insert=True)  # fmt: skip
    Notice(
        tenant=house.tenant, user=alice, kind="incident", about=house.run.id, connection_id=house.connection.id,
        created_at=now, due_at=now, ended_at=now, outcome="mailed",
    ).save(force_insert=True)  # fmt: skip
    audit.record(
        tenant_id=house.tenant.id,
        actor=alice.actor,
        action="connection.paused",
        subject=str(house.connection.id),
        reason="the books are closed",
    )


def test_every_kind_stands_on_it_with_its_page(house: House, alice: Any, support: Any) -> None:
    happen(house, alice)
    page_statements = statements(support, address_of(house))
    kinds = page_statements.kinds
    assert page_statements.count - kinds["transaction"] - kinds["scope"] <= MOST_STATEMENTS, page_statements
    page = Page(support.get(address_of(house)).content)
    for words, leads_to in (
        ("GET /invoices", house.entry.id),
        ("by hand", house.run.id),
        ("Waiting until", house.run.id),
        ("An incident was over", None),
        ("connection.paused", None),
    ):
        rows = [row for row in page.rows if words in row]
        assert len(rows) == 1, words
        if leads_to:
            assert [each for each in page.addresses if str(leads_to) in each], words
    assert [row for row in page.rows if "the books are closed" in row and alice.email in row]
    assert [row for row in page.rows if row.count(alice.email) and "mail" in row]
    assert [row for row in page.rows if "finding" in row and "Failing" in row]


@pytest.mark.parametrize("kind", [name for name in connection_timeline.KINDS if name != "logins"])
def test_one_kind_is_shown_alone(house: House, alice: Any, support: Any, kind: str) -> None:
    happen(house, alice)
    rows = Page(support.get(address_of(house, kind=kind)).content).rows[1:]
    assert rows
    assert all(str(connection_timeline.KINDS[kind][0]) in row for row in rows)


def test_pages_of_it_follow_each_other_without_losing_or_repeating_one(
    house: House, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_timeline, "SHOWN", 5)
    at = timezone.now()
    for number in range(12):
        # Two and two in the same instant.
        log_entry(
            house.tenant, house.connection, at=at - timedelta(seconds=number // 2), path_template=f"/m{number:02}"
        )
    address, seen = address_of(house, kind="requests"), []
    for _page in range(9):
        page = Page(support.get(address).content)
        seen += [row[row.index("/m") :][:4] for row in page.rows if "/m" in row]
        if "Earlier" not in page.links:
            break
        address = page.links["Earlier"]
    assert sorted(seen) == [f"/m{number:02}" for number in range(12)]


def test_a_span_narrows_it_and_another_connection_has_one_of_its_own(house: House, support: Any) -> None:
    log_entry(house.tenant, house.connection, at=timezone.now() - timedelta(days=2), path_template="/long-ago")
    assert "/long-ago" in Page(support.get(address_of(house)).content).text
    answer = support.get(address_of(house, since="1h"))
    assert answer.status_code == 302, "a link that is kept shows the same tomorrow"
    assert "/long-ago" not in Page(support.get(answer["Location"]).content).text
    missing = reverse("admin:connection_timeline", args=[house.run.id])
    assert support.get(missing).status_code == 404
