"""After a run that read everything, nothing stays broken, whatever it was that broke it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from connections.jobs.models import Job
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.checklist import MarkState
from connections.sync import faults
from connections.sync.models import RunState
from connections.sync.services import RUN_ENDED
from connections.tenancy.scope import tenant_scope
from connections.transport import faults as transport_faults
from connections.vault.services import mark_broken
from portal.onboarding.marks import CheckpointResult, record
from tests.onboarding.test_engine import DONE, live, walker

__all__ = ["live", "walker"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")


def break_it(live: Any, code: str) -> None:
    with tenant_scope(live.tenant.id):
        mark_broken(connection=live.connection(), fault=code)


def test_every_fault_is_healed_by_a_green_run(live: Any) -> None:
    catalogue = registry.all_providers()["procountor"].faults.all()
    codes = {fault.code for fault in (*catalogue, *transport_faults.ALL)} - faults.COMPANY_FAULTS
    for code in sorted(codes)[::6]:  # the code decides nothing, so some of them will do
        break_it(live, code)
        assert live.sync().state == RunState.SUCCEEDED
        assert (live.connection().state, live.connection().fault) == ("connected", ""), code


def test_every_checkpoint_is_healed_by_a_green_run(live: Any) -> None:
    """Also those that no probe of their own can look at."""
    for checkpoint in DONE:
        with live.inside():
            record(mark=live.mark(checkpoint), result=CheckpointResult(MarkState.FAILING, "usage-forbidden"))
    assert live.sync().state == RunState.SUCCEEDED
    assert "failing" not in live.states().values()
    assert "The last sync has read everything" in live.sentence("m2m-only")


def test_a_company_in_doubt_is_not_proved_by_a_run(live: Any) -> None:
    run = live.sync()
    break_it(live, "company-unproven")
    type(run).objects.filter(id=run.id).update(started_at=F("started_at") + timedelta(hours=1))
    enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=run.tenant_id)
    live.work_off()
    assert (live.connection().state, live.connection().fault) == ("broken", "company-unproven")


def test_what_broke_while_a_run_was_reading_is_not_healed_by_it(live: Any) -> None:
    run = live.sync()
    break_it(live, "access-ended")
    enqueue(kind=RUN_ENDED, subject=run.id, tenant_id=run.tenant_id)
    live.work_off()
    assert live.connection().state == "broken"


@pytest.mark.parametrize(
    ("status", "body"), [(401, "{}"), (403, ""), (403, "<html>"), (404, "<html>"), (400, "<html>")]
)
def test_a_proxy_that_refuses_for_a_moment_breaks_nothing(live: Any, sandbox: Any, status: int, body: str) -> None:
    sandbox.faults([{"path": "/invoices", "status": status, "body": body, "times": 4}])
    run = live.sync()
    assert (run.state, run.fault) == (RunState.WAITING, "turned-away")
    assert (live.connection().state, live.states()) == ("connected", DONE)
    sandbox.faults([])
    type(run).objects.update(waiting_until=F("waiting_until") - timedelta(minutes=2))
    Job.objects.filter(state="queued").update(due_at=F("due_at") - timedelta(minutes=2))
    live.work_off()
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert (live.connection().state, live.states()) == ("connected", DONE)
