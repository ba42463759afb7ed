"""A connection and its runs as a member meets them: reading, cancelling, scheduling, and what a refusal says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from connections.sync.models import Record, StreamProgress, SyncRun
from connections.transport.models import RequestLogEntry

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def place(connected: Any) -> str:
    return f"/t/aamu/c/{connected.id}/"


@pytest.fixture
def client(sign_in: Callable[..., Any], alice: Any) -> Any:
    return sign_in(alice)


ENTRY = re.compile(r'<code id="copy-e-([0-9a-f-]+)"')


def polls(page: str) -> str:
    found = re.search(r'hx-get="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else ""


def earlier(page: str, label: str = "Earlier requests") -> str:
    found = re.search(rf'rel="next" href="([^"#]+)#[^"]*">{label}', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_a_sync_by_hand_is_watched_to_its_end(client: Any, place: str, work_off: Callable[..., int]) -> None:
    answer = client.post(f"{place}sync/", follow=True)
    run = SyncRun.objects.get()
    assert answer.redirect_chain[-1][0] == f"{place}runs/{run.id}/"
    waiting = answer.content.decode()
    assert "By hand, alice@aamu.example" in waiting
    assert "Cancel this run" in waiting
    news = polls(waiting)
    assert client.get(news).status_code == 204
    work_off()
    ended = client.get(news).content.decode()
    assert "succeeded" in ended
    assert polls(ended) == ""
    assert "Cancel this run" not in ended
    assert "Finished: everything was read." in ended
    assert "List: fiscal years" in ended
    assert "Open a session" not in ended  # it was the first one, and the newest are shown
    page, entries = client.get(f"{place}runs/{run.id}/").content.decode(), []
    while True:
        entries += ENTRY.findall(page)
        if not earlier(page):
            break
        page = client.get(f"{place}runs/{run.id}/{earlier(page)}").content.decode()
        assert polls(page) == ""
    assert "Open a session" in page
    assert "The newest" in page
    expected = RequestLogEntry.objects.filter(run_id=run.id).order_by("-at", "-id").values_list("id", flat=True)
    assert entries == [str(each) for each in expected]
    records = Record.objects.count()
    assert records > 0
    home = client.get("/t/aamu/").content.decode()
    assert f"{records:,} records" in home
    page = client.get(place).content.decode()
    assert "Business partners" in page
    assert "valid until" in page


def test_pressing_twice_starts_one_run(client: Any, place: str) -> None:
    client.post(f"{place}sync/")
    client.post(f"{place}sync/")
    assert SyncRun.objects.count() == 1


def test_a_run_can_be_cancelled(client: Any, place: str, work_off: Callable[..., int]) -> None:
    client.post(f"{place}sync/")
    run = SyncRun.objects.get()
    page = client.post(f"{place}runs/{run.id}/cancel/", follow=True).content.decode()
    assert "Cancelled by alice@aamu.example" in page
    work_off()
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert not Record.objects.exists()


def test_a_connection_that_does_not_stand_says_so(client: Any, connection: Any) -> None:
    page = client.post(f"/t/aamu/c/{connection.id}/sync/", follow=True).content.decode()
    assert "does not stand yet" in page
    assert not SyncRun.objects.exists()


def test_a_refused_stream_is_never_green(
    client: Any, place: str, sandbox: Any, connected: Any, work_off: Callable[..., int]
) -> None:
    sandbox.faults([{"path": "/invoices", "status": 403, "times": 50}])
    page = client.post(f"{place}sync/", follow=True)
    work_off()
    run = SyncRun.objects.get()
    page = client.get(f"{place}runs/{run.id}/").content.decode()
    assert run.state != "succeeded"
    assert "may not read “" in page
    assert "mark-good" not in page
    assert "Up to date" not in client.get("/t/aamu/").content.decode()


def test_trouble_that_passes_waits_and_says_until_when(
    client: Any, place: str, sandbox: Any, work_off: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(f"{place}sync/")
    from datetime import timedelta

    from django.utils import timezone

    SyncRun.objects.update(
        state="waiting", waiting_until=timezone.now() + timedelta(minutes=5), fault="provider-trouble"
    )
    page = client.get(f"{place}runs/{SyncRun.objects.get().id}/").content.decode()
    assert "It goes on by itself on" in page
    assert "Procountor has trouble at the moment" in page
    assert "Waiting until" in client.get(place).content.decode()


def test_trouble_of_the_provider_is_said_on_both_pages_and_ends(
    client: Any, place: str, connected: Any, work_off: Callable[..., int]
) -> None:
    from connections.providers import registry
    from connections.transport.limits import circuit_breaker
    from connections.transport.limits.circuit_breaker import CircuitBreaker
    from connections.transport.models import Breaker
    from connections.transport.request_context import RequestContext
    from portal.onboarding.models import Mark, Onboarding

    onboarding = Onboarding.objects.create(tenant=connected.tenant, connection=connected)
    for checkpoint in registry.all_providers()["procountor"].checkpoints(connected.auth_method):
        Mark.objects.create(tenant=connected.tenant, onboarding=onboarding, checkpoint=checkpoint.slug)
    caller = RequestContext(connected, registry.all_providers()["procountor"])
    pages = (place, f"{place}checklist/")
    assert not any("is having trouble" in client.get(page).content.decode() for page in pages)
    for _ in range(circuit_breaker.OPENING_FAILURES):
        CircuitBreaker(connected).note(caller.hosts.api, is_good=False)
    for page in pages:
        shown = client.get(page).content.decode()
        assert "Procountor is having trouble since <time" in shown
        assert "Nothing is wrong with your connection" in shown
    Breaker.objects.update(healed_at=circuit_breaker.Clock())
    assert not any("is having trouble" in client.get(page).content.decode() for page in pages)


def test_records_that_could_not_be_kept_are_counted_where_one_looks(client: Any, place: str) -> None:
    client.post(f"{place}sync/")
    run = SyncRun.objects.get()
    StreamProgress.objects.filter(run=run, stream="partners").update(skipped=2, state="done")
    SyncRun.objects.update(state="incomplete", fault="records-skipped", ended_at=timezone.now())
    page = client.get(place).content.decode()
    assert "2 records were not kept." in page
    assert f"{place}runs/{run.id}/#log" in page
    assert "Have them mended at the provider" in page
    page = client.get(f"{place}runs/{run.id}/").content.decode()
    assert "2 not kept" in page
    assert "2 records could not be kept; all others were." in page
    assert "Have them mended in Procountor" in page
    assert 'id="log"' in page
