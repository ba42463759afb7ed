"""What staff set going is planned, started with a reason, done by a worker bit by bit, and stopped by a press."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail as outbox
from django.urls import reverse
from django.utils import timezone

from connections.jobs.models import Job, JobState
from connections.jobs.tasks import work
from connections.sync.models import RunState, SyncRun, Trigger
from connections.tenancy.models import AuditEvent, SystemAuditEvent
from portal.incidents.models import Notice
from portal.notices.models import MailState, OutgoingMail
from portal.onboarding.models import Mark
from portal.support import planned_actions
from portal.support.models import ActionItem, ActionPlan, ConnectionNote, ItemState
from tests.roles import acting_as
from tests.support.conftest import House
from tests.support.pages import Page

WHY = "the customer called, case 4711"


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    return sign_in(dana)


def press(browser: Any, action: str, key: Any, reason: str = WHY) -> Any:
    return browser.post(reverse("admin:act", args=[action, key]), {"reason": reason}, follow=True)


def carry_out(kind: str = planned_actions.CARRY_OUT) -> None:
    """Jobs of this kind that are due, as the worker; what they queue stays queued."""
    due = Job.objects.filter(kind=kind, state=JobState.QUEUED, due_at__lte=timezone.now())
    for job_id in list(due.values_list("id", flat=True)):
        with acting_as("worker"):
            work(str(job_id))


def test_a_connection_is_synced_again_by_support_in_their_name(house: House, dana: Any, support: Any) -> None:
    assert "A worker does it now" in press(support, "sync", house.connection.id).content.decode()
    carry_out()
    run = SyncRun.objects.get(state=RunState.QUEUED)
    assert (run.connection_id, run.asked_by) == (house.connection.id, dana.email)
    event = AuditEvent.objects.get(action="staff.sync")
    assert (event.actor_name, event.details["reason"]) == (dana.email, WHY)
    assert SystemAuditEvent.objects.filter(action="staff.sync_started", actor_id=dana.pk).count() == 1
    assert ActionItem.objects.get().state == ItemState.DONE
    press(support, "sync", house.connection.id)
    carry_out()
    assert SyncRun.objects.count() == 2, "one is under way already"


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_done_without_a_reason(house: House, support: Any, reason: str) -> None:
    assert "Say why" in press(support, "sync", house.connection.id, reason).content.decode()
    assert not ActionPlan.objects.exists()


def test_checks_are_asked_again(house: House, support: Any) -> None:
    press(support, "check", house.connection.id)
    carry_out()
    assert Mark.objects.exclude(asked_at=None).filter(onboarding__connection=house.connection).exists()
    assert AuditEvent.objects.filter(action="staff.check").count() == 1


def test_a_run_is_cancelled(house: House, support: Any) -> None:
    SyncRun.objects.filter(id=house.run.id).update(state=RunState.WAITING, ended_at=None)
    page = support.get(reverse("admin:sync_syncrun_change", args=[house.run.id])).content.decode()
    assert "act-cancel" in page
    press(support, "cancel", house.run.id)
    carry_out()
    house.run.refresh_from_db()
    assert house.run.state == RunState.CANCELLED


def test_the_customer_is_mailed_a_link_to_where_it_is_mended(
    house: House, support: Any, alice: Any, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    press(support, "ask", house.connection.id)
    carry_out()
    notice = Notice.objects.get()
    assert (notice.kind, notice.user_id) == ("asked", alice.pk)
    carry_out("incidents.mail_person")
    message = outbox.outbox[-1]
    assert message.recipients() == [alice.email]
    assert reverse("checklist", args=[house.tenant.slug, house.connection.id]) in str(message.body)
    assert "support" in message.subject


def test_a_mail_that_failed_is_sent_again(house: House, support: Any) -> None:
    OutgoingMail.objects.filter(id=house.mail.id).update(state=MailState.REFUSED, trouble="SMTPRecipientsRefused 550")
    page = support.get(reverse("admin:notices_outgoingmail_change", args=[house.mail.id])).content.decode()
    assert "act-mail" in page
    Job.objects.filter(kind="notices.send_mail").delete()
    press(support, "mail", house.mail.id)
    carry_out()
    house.mail.refresh_from_db()
    assert house.mail.state == MailState.QUEUED
    assert Job.objects.get(kind="notices.send_mail").subject == house.mail.id
    assert SystemAuditEvent.objects.get(action="staff.mail").details["reason"] == WHY


def failed_runs(house: House, count: int) -> None:
    for _ in range(count):
        SyncRun(
            tenant=house.tenant, connection=house.connection, trigger=Trigger.HAND, state=RunState.FAILED,
            ended_at=timezone.now(), fault="quota",
        ).save(force_insert=True)  # fmt: skip


def test_all_that_failed_alike_are_planned_started_and_synced_once_each(house: House, support: Any) -> None:
    failed_runs(house, 3)
    assert "plan-sync" in support.get(reverse("admin:fault", args=["quota"])).content.decode()
    answer = support.post(reverse("admin:plan_set", args=["sync"]), {"cause": "quota"})
    plan = ActionPlan.objects.get()
    assert answer["Location"] == reverse("admin:support_actionplan_change", args=[plan.id])
    page = Page(support.get(answer["Location"]).content)
    assert "0 of 1 row" in page.text
    carry_out()
    assert not SyncRun.objects.filter(state=RunState.QUEUED).exists(), "it is only planned"
    support.post(reverse("admin:start_plan", args=[plan.id]), {"reason": WHY})
    carry_out()
    assert SyncRun.objects.filter(state=RunState.QUEUED).count() == 1
    plan.refresh_from_db()
    assert plan.ended_at is not None
    assert "1 of 1 row" in Page(support.get(answer["Location"]).content).text


def test_who_has_succeeded_since_is_left_out(house: House, support: Any) -> None:
    failed_runs(house, 1)
    SyncRun(
        tenant=house.tenant, connection=house.connection, trigger=Trigger.HAND, state=RunState.SUCCEEDED,
        ended_at=timezone.now(),
    ).save(force_insert=True)  # fmt: skip
    answer = support.post(reverse("admin:plan_set", args=["sync"]), {"cause": "quota"}, follow=True)
    assert "There is none any more" in answer.content.decode()
    assert not ActionPlan.objects.exists()


def test_parked_jobs_are_queued_again_some_at_a_time_and_the_rest_is_stopped(
    house: House, ada: Any, sign_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_actions, "AT_ONCE", 2)
    for _ in range(4):
        Job(
            tenant=house.tenant, kind="sync.run_ended", subject=house.run.id, queue="sync", state=JobState.PARKED, reason="x"
        ).save(force_insert=True)  # fmt: skip
    browser = sign_in(ada)
    assert "Queue again…" in browser.get(reverse("admin:index")).content.decode()
    browser.post(reverse("admin:plan_set", args=["queue"]), {"kind": "sync.run_ended", "why": "x"})
    plan = ActionPlan.objects.get()
    assert plan.items.count() == 4
    browser.post(reverse("admin:start_plan", args=[plan.id]), {"reason": WHY})
    carry_out()
    assert Job.objects.filter(state=JobState.PARKED, reason="x").count() == 2, "not all at once"
    browser.post(reverse("admin:stop_plan", args=[plan.id]))
    Job.objects.filter(kind=planned_actions.CARRY_OUT).update(due_at=timezone.now())
    carry_out()
    assert Job.objects.filter(state=JobState.PARKED, reason="x").count() == 2, "it was stopped"
    plan.refresh_from_db()
    assert plan.stopped_by == ada.email


def test_support_queues_no_jobs(house: House, support: Any) -> None:
    answer = support.post(reverse("admin:plan_set", args=["queue"]), {"kind": "sync.run", "why": "failed 8 times"})
    assert answer.status_code == 403
    assert press(support, "queue", house.job.id).status_code == 403
    assert not ActionPlan.objects.exists()


def test_a_note_is_kept_for_staff_alone(
    house: House, support: Any, dana: Any, alice: Any, sign_in: Callable[..., Any]
) -> None:
    support.post(reverse("admin:write_note", args=[house.connection.id]), {"text": "canary-note: call before noon"})
    assert ConnectionNote.objects.get().author_name == dana.email
    page = support.get(reverse("admin:vault_connection_change", args=[house.connection.id])).content.decode()
    assert "canary-note" in page
    assert reverse("connection", args=[house.tenant.slug, house.connection.id]) in page, "the link for the customer"
    seen = sign_in(alice).get(reverse("connection", args=[house.tenant.slug, house.connection.id]))
    assert "canary-note" not in seen.content.decode()
