"""The checklist of a connection that is paused, and of one that reads some of its streams: nothing is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from connections.providers import registry
from connections.sync import pausing
from connections.sync.models import Record, RunState, ScheduleKind, SyncRun, Trigger
from connections.sync.schedule import ScheduleChoice, set_schedule
from connections.sync.services import start_run
from connections.vault.services import ActionRefused
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.services import store_credentials
from tests.onboarding.test_engine import AINO, DONE, live, walker

__all__ = ["live", "walker"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")

STREAMS = [stream.name for stream in registry.all_providers()["procountor"].streams]


def pause(live: Any) -> None:
    with live.inside():
        pausing.pause(connection=live.connection(), reason="The year is being closed.", actor=AINO)


def resume(live: Any) -> None:
    with live.inside():
        pausing.resume(connection=live.connection(), actor=AINO)
    live.work_off()


def test_rights_of_what_is_not_read_are_not_asked_for(live: Any, sandbox: Any) -> None:
    lost = {"sales.salesInvoiceSearch": "NO_ACCESS", "purchases.purchaseInvoiceSearch": "NO_ACCESS"}
    sandbox.change_user(live.setup["user_id"], rights=lost)
    live.check("rights")
    assert live.states()["rights"] == "failing"
    chosen = [name for name in STREAMS if name != "invoices"]
    with live.inside():
        choice = ScheduleChoice(ScheduleKind.HAND, streams=chosen)
        set_schedule(connection=live.connection(), choice=choice, actor=AINO)
    live.check("rights")
    assert live.states() == DONE
    assert "InvoiceSearch" not in live.sentence("rights")
    assert live.sync().state == RunState.SUCCEEDED


def test_a_key_of_another_company_that_comes_in_a_pause_reads_nothing_after_it(live: Any, sandbox: Any) -> None:
    records, runs = Record.objects.count(), SyncRun.objects.count()
    other = sandbox.setup_company(10452)
    pause(live)
    live.give(other["api_key"])
    assert (live.connection().state, live.connection().fault) == ("paused", "other-company")
    resume(live)
    assert (live.connection().state, live.connection().fault) == ("broken", "other-company")
    with pytest.raises(ActionRefused):
        live.sync()
    assert (Record.objects.count(), SyncRun.objects.count()) == (records, runs)


def test_another_key_that_is_stored_in_a_pause_holds_reading_at_once(live: Any, sandbox: Any) -> None:
    """Also where no check ever says whose it is; and a run that was paused does not go on with it."""
    with live.inside():
        run = start_run(connection=live.connection(), trigger=Trigger.HAND, actor=AINO)
    pause(live)
    with live.inside():
        values = {"api_key": sandbox.new_key(live.setup["user_id"])}
        store_credentials(credentials=clean_credentials(mark=live.mark("api-key"), values=values), actor=AINO)
    assert (live.connection().state, live.connection().fault) == ("paused", "company-unproven")
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    with live.inside():
        pausing.resume(connection=live.connection(), actor=AINO)
    assert live.connection().state == "broken"


def test_what_is_mended_in_a_pause_stays_paused_and_stands_after_it(live: Any, sandbox: Any) -> None:
    runs = SyncRun.objects.count()
    sandbox.revoke(live.setup["api_key"])
    live.check("api-key")
    pause(live)
    live.give(sandbox.new_key(live.setup["user_id"]))
    assert live.states() == DONE
    assert (live.connection().state, live.connection().fault) == ("paused", "")
    assert SyncRun.objects.count() == runs
    resume(live)
    assert live.connection().state == "connected"
    assert live.sync().state == RunState.SUCCEEDED
