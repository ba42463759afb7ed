"""A release withdraws a way of connecting while customers use it: every page says so, and no job breaks on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connections.calls import services as calls
from connections.jobs.models import Job
from connections.spec.errors import Unauthorized
from connections.spec.operations import Arguments
from connections.sync.models import RunState, Trigger
from connections.sync.schedule import SCHEDULED
from connections.sync.services import start_run
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.vault.models import Connection, Credential, Grant
from connections.vault.services import ActionRefused
from portal.dashboard.summaries import ConnectionStatus, summary_of
from portal.onboarding import marks, server_move
from portal.support.connections import needed_by, progress_of
from tests.contract.customers import AINO, Customer
from tests.roles import acting_as

OF_LAST_YEAR = "a-way-of-last-year"
SAID = "is no longer offered"


def withdraw(customer: Customer) -> None:
    """The connection was opened in a way whose name no grant has today."""
    with acting_as("owner"):
        Connection.objects.filter(id=customer.connection.id).update(auth_method=OF_LAST_YEAR)
    customer.connection.refresh_from_db()


def address(customer: Customer, rest: str = "") -> str:
    return f"/t/{customer.tenant.slug}/c/{customer.connection.id}/{rest}"


def every_page(customer: Customer, client: Any) -> dict[str, str]:
    """Each page that opens a connection, with what it says; none of them breaks."""
    slug = customer.provider.checkpoints(customer.auth_method.grant)[0].slug
    rest = ["", "poll/", "checklist/", "checklist-poll/", f"checklist/{slug}/", "disconnect/", "recording/", "try/"]
    found = {}
    for place in rest:
        answer = client.get(address(customer, place), follow=True)
        assert answer.status_code == 200, place
        found[place] = answer.content.decode()
    found["home"] = client.get(f"/t/{customer.tenant.slug}/").content.decode()
    return found


def presses(customer: Customer, client: Any) -> None:
    """What a page from before the release still offers: refused, and nothing breaks."""
    slug = customer.provider.checkpoints(customer.auth_method.grant)[0].slug
    for place in ("attest", "check", "confirm", "fields"):
        assert client.post(address(customer, f"checklist/{slug}/{place}/")).status_code == 404
    for place, data in (("sync/", {}), ("schedule/change/", {"kind": "interval"})):
        assert client.post(address(customer, place), data, follow=True).status_code == 200


def test_a_connection_whose_way_is_gone(
    first: Customer, sign_in: Callable[..., Any], alice: Any, bob: Any, settings: Any
) -> None:
    assert first.sync().state == RunState.SUCCEEDED
    with first.here():
        queued = start_run(connection=first.connection, trigger=Trigger.HAND, actor=AINO)
        for mark in marks.marks_of(first.onboarding).values():
            marks.ask_check(mark=mark)
    withdraw(first)
    owner, operator = sign_in(alice), sign_in(bob)
    pages = every_page(first, owner)
    for place in ("", "poll/", "checklist/", "checklist-poll/", "home"):
        assert SAID in pages[place], place
        assert "You are live" not in pages[place]
    assert pages[""].count('id="to-disconnect"') == 1
    assert f'<a class="btn btn-go" href="{address(first)}">' in pages["home"]
    assert f'href="/t/{first.tenant.slug}/connect/{first.auth_method.slug}/"' in pages[""], "the way out"
    assert 'id="sync-now"' not in pages[""]
    presses(first, owner)
    assert SAID in operator.get(address(first)).content.decode()

    # What was under way ends with the reason, and what comes later is not begun.
    first.work_off()
    queued.refresh_from_db()
    assert (queued.state, queued.fault) == (RunState.FAILED, "way-withdrawn")
    assert SAID in owner.get(address(first, f"runs/{queued.id}/")).content.decode()
    slot = Job.objects.filter(kind=SCHEDULED, subject=first.connection.id, state="queued")
    slot.update(due_at=queued.queued_at)
    first.work_off()
    assert first.connection.runs.count() == 2
    ended = ["succeeded", "queued", "cancelled"]
    assert list(Job.objects.exclude(state__in=ended).values_list("kind", "state", "reason")) == []
    assert not Job.objects.filter(failures__gt=0).exists(), "no job broke on it"
    assert slot.get().due_at > queued.queued_at, "there for the day on which the way is offered again"
    with pytest.raises(ActionRefused, match=SAID), first.here():
        start_run(connection=first.connection, trigger=Trigger.HAND, actor=AINO)
    with pytest.raises(Unauthorized), acting_as("worker"):
        Client(connection=first.connection).new_token()
    reads = next(each for each in first.provider.operations if not each.is_write)
    with pytest.raises(ActionRefused), first.here():
        calls._store(first.connection, reads, Arguments(), AINO)

    # The staff's page and figures, and moving a server.
    with tenant_scope(first.tenant.id):
        shown = progress_of(first.connection)
        summary = summary_of(first.connection)
        assert needed_by(first.connection) == set()
        assert not server_move.can_move(first.connection)
    assert shown is not None
    assert shown.is_withdrawn
    assert summary.status is ConnectionStatus.WITHDRAWN

    # It is left as any other, and everything stored goes.
    assert owner.post(address(first, "disconnect/"), follow=True).status_code == 200
    first.work_off()
    first.connection.refresh_from_db()
    assert first.connection.state == "disconnected"
    assert first.connection.leaving in ("failed", "nothing")
    assert not Credential.objects.exists()
    assert not Grant.objects.exclude(access_ciphertext=None, refresh_ciphertext=None).exists()
    assert not Job.objects.filter(failures__gt=0).exists()
    every_page(first, owner)
    assert SAID not in owner.get(address(first, "checklist/")).content.decode(), "it is over"


def test_a_set_up_whose_way_is_gone(arrive: Any, first_way: Any, sign_in: Callable[..., Any], alice: Any) -> None:
    newcomer: Customer = arrive(first_way)
    withdraw(newcomer)
    owner = sign_in(alice)
    pages = every_page(newcomer, owner)
    assert SAID in pages["checklist/"]
    assert "Remove this set-up" in pages[""]
    assert "Remove this set-up" in pages["disconnect/"]
    presses(newcomer, owner)
    owner.post(address(newcomer, "disconnect/"))
    newcomer.work_off()
    assert newcomer.connection.id not in [
        summary.connection.id for summary in owner.get("/t/aamu/").context["home"].summaries
    ]


def test_a_login_that_comes_back_after_its_way_is_gone(arrive: Any, login_way: Any) -> None:
    """The code is not traded, and the job ends with the reason."""
    newcomer: Customer = arrive(login_way)
    newcomer.set_up()
    newcomer.type_in()
    work_off, newcomer.work_off = newcomer.work_off, lambda: 0
    attempt = newcomer.sign_in()
    assert attempt.state == "received"
    withdraw(newcomer)
    work_off()
    attempt.refresh_from_db()
    assert (attempt.state, attempt.reason_code) == ("failed", "way-withdrawn")
    assert not Job.objects.filter(failures__gt=0).exists()
