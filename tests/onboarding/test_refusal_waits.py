"""A key that was just refused: pressing again sends nothing, the page says until when, what is mended is asked at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from connections.jobs.models import Job
from connections.spec.checklist import MarkState
from connections.sync.models import RunState, SyncRun, Trigger
from connections.sync.services import start_run
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection, Grant
from portal.onboarding import services
from portal.onboarding.models import Evidence
from tests.onboarding.test_checklist_pages import Visitor, visitor
from tests.onboarding.test_checklist_pages import live as live_pages
from tests.onboarding.test_engine import AINO, DONE, live, walker
from tests.roles import acting_as

__all__ = ["live", "live_pages", "visitor", "walker"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")


def count_calls() -> int:
    return RequestLogEntry.objects.count()


def pass_time(seconds: float) -> None:
    """The wait and the jobs that wait for its end come nearer."""
    Grant.objects.update(wait_until=F("wait_until") - timedelta(seconds=seconds))
    Job.objects.filter(state="queued").update(due_at=F("due_at") - timedelta(seconds=seconds))


def test_many_presses_are_a_handful_of_calls(live: Any, sandbox: Any) -> None:
    sandbox.revoke(live.setup["api_key"])
    before = count_calls()
    waits = []
    for _ in range(7):
        for _press in range(6):
            live.check("api-key")
        row = Grant.objects.get()
        waits.append(round((row.wait_until - timezone.now()).total_seconds(), -1))
        pass_time(waits[-1] + 1)
        live.work_off()  # what was pressed meanwhile is one check
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert count_calls() - before == 8
    assert Evidence.objects.filter(code="api-key-refused").count() == 8


def test_the_page_says_when_it_is_asked_again_and_why_it_failed(live_pages: Visitor, sandbox: Any) -> None:
    sandbox.revoke(live_pages.setup["api_key"])  # type: ignore[attr-defined]
    live_pages.press("api-key", "check")
    live_pages.work_off()
    assert "We ask again" not in live_pages.page("api-key")  # nobody wants it yet
    live_pages.press("api-key", "check")
    live_pages.work_off()
    before = count_calls()
    page = live_pages.page("api-key")
    assert "refused this a moment ago" in page
    assert "We ask again" in page
    assert 'id="check"' not in page
    assert 'hx-trigger="every 5s"' in page
    news = live_pages.polls(page)
    assert live_pages.client.get(news).status_code == 204
    pass_time(11)
    assert live_pages.client.get(news).status_code == 200
    assert "We ask again" not in live_pages.page("api-key")
    live_pages.work_off()
    assert count_calls() == before + 1
    assert live_pages.marks(live_pages.page("api-key"))["api-key"] == "failing"


def test_what_is_typed_is_asked_at_once(live: Any, sandbox: Any) -> None:
    sandbox.revoke(live.setup["api_key"])
    for _ in range(3):
        live.check("api-key")
    live.give(sandbox.new_key(live.setup["user_id"]))
    assert live.states() == DONE
    assert Grant.objects.get().refusals == 0  # an answer ends the count


def test_what_a_person_says_is_put_right_is_asked_at_once_and_once(live: Any, sandbox: Any) -> None:
    sandbox.allow_usage(False)
    live.check("api-key")
    assert live.states()["usage-settings"] == MarkState.FAILING
    live.check("api-key")
    before = count_calls()
    live.attest("usage-settings")
    live.work_off()
    assert count_calls() == before + 1
    assert Grant.objects.get().refusals == 2
    # A word that proves wrong again and again is no way around the wait.
    for _ in range(6):
        live.check("api-key")
        live.attest("usage-settings")
        live.work_off()
    assert count_calls() <= before + 3
    assert Grant.objects.get().wait_until > timezone.now()
    sandbox.allow_usage(True)
    pass_time(400)
    live.work_off()
    assert live.states() == DONE


def test_syncing_again_and_again_sends_nothing_either(live: Any, sandbox: Any) -> None:
    """A token is given, and a list refused all the same; what is answered is still read."""
    paths = ("/businesspartners", "/products", "/invoices", "/sessioninfo")
    sandbox.faults([{"path": path, "status": 401, "times": 1000} for path in paths])
    refused = RequestLogEntry.objects.filter(status=401)
    for number in range(6):
        with live.inside():
            connection = Connection.objects.get()
            run = start_run(connection=connection, trigger=Trigger.HAND, actor=AINO)
        live.work_off()
        run.refresh_from_db()
        # The first one waits for a minute: a new session that is refused may be a whim.
        assert run.state == RunState.FAILED if number else RunState.WAITING
        assert refused.count() == (4 if number else 2)  # with the token that was there, and with a new one
        if not number:
            assert (run.fault, live.connection().state) == ("turned-away", "connected")
            with acting_as("owner"):
                RequestLogEntry.objects.update(at=F("at") - timedelta(minutes=11))
            SyncRun.objects.update(waiting_until=F("waiting_until") - timedelta(seconds=61))
            pass_time(61)
            live.work_off()
            run.refresh_from_db()
            assert (run.state, run.fault) == (RunState.FAILED, "token-refused")
            assert (live.connection().state, live.connection().fault) == ("broken", "token-refused")


def test_two_connections_do_not_wait_for_each_other(live: Any, sandbox: Any, tmp_path: Any) -> None:
    sandbox.revoke(live.setup["api_key"])
    for _ in range(3):
        live.check("api-key")
    with live.inside():
        other = services.begin(tenant=live.tenant, provider="procountor", environment="sandbox", actor=AINO)
    live.onboarding = other
    live.attest("usage-settings", "technical-user", "rights", "m2m-only")
    live.give(sandbox.new_key(live.setup["user_id"]))
    assert live.states()["api-key"] == MarkState.VERIFIED
