"""A provider that does not answer a check: it is asked again for a while, the page says why, and nobody is blamed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.jobs.models import Job
from connections.spec.checklist import MarkState
from connections.spec.errors import QuotaExhausted, Rejected, Unauthorized, Unavailable
from connections.transport import faults
from connections.transport.models import Breaker
from connections.vault.services import ActionRefused
from portal.onboarding import marks, probing, services
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.marks import CheckpointResult, provider_of, record
from portal.onboarding.models import Evidence, Mark
from portal.onboarding.progress import progress
from tests.onboarding.test_engine import AINO, DONE, live, walker

__all__ = ["live", "walker"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")


def pending(walker, checkpoint):
    with walker.inside():
        steps = progress(walker.onboarding, provider_of(walker.connection())).steps
    return next(step for step in steps if step.checkpoint.slug == checkpoint)


def later(walker, checkpoint):
    """The waiting check is due."""
    Job.objects.filter(kind=marks.CHECK, subject=walker.mark(checkpoint).id, state="queued").update(
        due_at=timezone.now()
    )
    Breaker.objects.all().delete()
    walker.work_off()


def test_a_provider_that_does_not_answer_is_asked_again_and_says_so_meanwhile(live, sandbox, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    before = Evidence.objects.count()
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 2}])
    for _ in range(2):
        live.check("company") if Evidence.objects.count() == before else later(live, "company")
        step = pending(live, "company")
        assert step.is_pending
        assert "trouble" in step.obstacle
        assert Evidence.objects.count() == before + 1  # said once
    job = Job.objects.get(kind=marks.CHECK, state="queued")
    assert job.due_at > timezone.now() + timedelta(seconds=3)
    later(live, "company")
    step = pending(live, "company")
    assert (step.is_pending, step.obstacle, step.state) == (False, "", MarkState.VERIFIED)
    assert "trouble" not in step.sentence


def test_after_a_while_the_answer_is_that_there_is_none(live, sandbox, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 50}])
    live.check("company")
    Mark.objects.filter(checkpoint="company").update(asked_at=timezone.now() - probing.PATIENCE)
    later(live, "company")
    step = pending(live, "company")
    assert (step.is_pending, step.state) == (False, MarkState.VERIFIED)
    assert "Procountor has trouble at the moment" in step.sentence
    assert not Job.objects.filter(kind=marks.CHECK, state="queued").exists()
    assert live.connection().state == "connected"


def test_that_nobody_answered_is_no_finding(live, sandbox, monkeypatch):
    """The nightly watch compares with what was found, and not with the name of a trouble."""
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    finding = Evidence.objects.filter(mark__checkpoint="company").with_findings().first()
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 50}])
    live.check("company")
    Mark.objects.filter(checkpoint="company").update(asked_at=timezone.now() - probing.PATIENCE)
    later(live, "company")
    evidence = Evidence.objects.filter(mark__checkpoint="company")
    assert (evidence.first().code, evidence.first().values) == ("no-word-now", {"cause": "provider-trouble"})
    assert evidence.with_findings().first() == finding


def test_what_a_person_types_meanwhile_is_checked_at_once(live, sandbox, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 1}])
    live.check("api-key")
    assert pending(live, "api-key").is_pending
    live.give(sandbox.new_key(live.setup["user_id"]))
    assert not pending(live, "api-key").is_pending
    assert live.states() == DONE


def test_trouble_at_the_provider_blames_nobody(live, sandbox, monkeypatch):
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 50}])
    live.check("company")
    assert live.states() == DONE
    assert live.connection().state == "connected"


def test_a_company_that_was_found_is_confirmed_although_the_last_check_went_wrong(walker, sandbox, monkeypatch):
    setup = sandbox.setup_company()
    walker.attest("usage-settings", "technical-user", "rights", "m2m-only")
    walker.give(setup["api_key"])
    assert pending(walker, "company").can_confirm
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 50}])
    walker.check("company")
    assert not pending(walker, "company").can_confirm  # the page names no company beside the button
    Mark.objects.filter(checkpoint="company").update(asked_at=timezone.now() - probing.PATIENCE)
    later(walker, "company")
    assert not pending(walker, "company").can_confirm
    sandbox.faults([])
    walker.confirm()  # from a page that was open before
    assert walker.connection().company_id == str(setup["company_id"])


def test_a_check_that_may_not_be_made_any_more_says_so(live, sandbox, monkeypatch):
    """The credential is found wrong while the check that needs it waits to be asked again."""
    monkeypatch.setattr("connections.transport.limits.retry.LONGEST_RETRY_WAIT_SECONDS", 0.0)
    sandbox.faults([{"path": "/sessioninfo", "status": 503, "times": 1}])
    live.check("company")
    Mark.objects.filter(checkpoint="api-key").update(state=MarkState.FAILING)
    later(live, "company")
    step = pending(live, "company")
    assert not step.is_pending
    assert "could not answer this at the moment" in step.sentence


def test_a_check_that_may_not_be_made_hides_no_finding(live):
    """What was found of the checkpoint since the check was asked for stays its last word."""
    with live.inside():
        marks.ask_check(mark=live.mark("company"))
        record(mark=live.mark("company"), result=CheckpointResult(MarkState.FAILING, faults.OTHER_COMPANY.code))
        Mark.objects.filter(checkpoint="api-key").update(state=MarkState.FAILING)
    live.work_off()
    assert "another company" in pending(live, "company").sentence


@pytest.mark.parametrize(
    ("error", "fault", "wait", "asked_before", "expected"),
    [
        (Unavailable, faults.NO_ANSWER, 0, 0, 20),
        (Unavailable, faults.TROUBLE, 30, 0, 30),
        (Unavailable, faults.TROUBLE, 30, 100, None),
        (QuotaExhausted, faults.QUOTA, 3600, 0, None),
        (Unavailable, faults.NO_SERVER, 0, 0, None),  # somebody must look how it is written
        (Rejected, faults.REDIRECTED, 0, 0, None),
    ],
)
def test_what_is_asked_again_and_when(error, fault, wait, asked_before, expected):
    now = timezone.now()
    mark = Mark(asked_at=now - timedelta(seconds=asked_before))
    more = {"retry_at": now + timedelta(seconds=wait)} if issubclass(error, Unavailable) else {}
    again = probing._again(mark, error(fault, **more))
    if expected is None:
        assert again is None
    else:
        assert abs((again.due_at - now).total_seconds() - expected) < 1


def test_an_answer_to_an_earlier_question_does_not_end_the_waiting_for_the_newest(walker, sandbox, monkeypatch):
    """Somebody hands over the key while a check that began with another one is under way."""
    setup = sandbox.setup_company()
    walker.attest("usage-settings", "technical-user", "rights", "m2m-only")
    with walker.inside():
        services.store_credentials(
            credentials=clean_credentials(mark=walker.mark("api-key"), values={"api_key": "a-key-that-was-mistyped"}),
            actor=AINO,
        )
    askers = []

    def fresh_token(asker):
        if not askers:
            askers.append(asker)
            with walker.inside():
                services.store_credentials(
                    credentials=clean_credentials(mark=walker.mark("api-key"), values={"api_key": setup["api_key"]}),
                    actor=AINO,
                )
            raise Unauthorized(faults.NO_CREDENTIAL)
        asker.client.new_token()

    monkeypatch.setattr(probing.ConnectionAsker, "fresh_token", fresh_token)
    steps = []
    monkeypatch.setattr(probing, "record", lambda **what: record(**what) or steps.append(pending(walker, "api-key")))
    walker.check("api-key")
    assert steps[0].is_pending
    step = pending(walker, "api-key")
    assert (step.is_pending, step.state) == (False, MarkState.VERIFIED)


def test_what_nobody_asked_for_is_not_waited_for(live):
    Mark.objects.filter(checkpoint="company").update(asked_at=None, checked_at=None)
    with live.inside():
        record(mark=live.mark("company"), result=CheckpointResult(MarkState.VERIFIED, "same-company"))
    assert live.mark("company").checked_at is not None


def test_nobody_confirms_what_was_never_found(walker):
    with pytest.raises(ActionRefused):
        services.confirm(mark=walker.mark("company"), actor=AINO)
