"""What staff set going with a reason: planned first, then started, done by a worker bit by bit, and to be stopped.

Staff have no right on runs, marks and mails: what they want is written down, and a worker does it in each tenant's scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import Lease, LeaseLost
from connections.jobs.models import Job
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.checklist import Inference
from connections.sync.models import RunState, SyncRun, Trigger
from connections.sync.services import cancel_run, start_run
from connections.tenancy import audit
from connections.tenancy.scope import Actor, tenant_scope
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.incidents import notices
from portal.incidents.kinds import MailKind
from portal.members.permissions import StaffAction
from portal.notices.mail import SEND
from portal.notices.models import MailState, OutgoingMail
from portal.onboarding.marks import checkpoint_of, marks_of
from portal.onboarding.models import Onboarding
from portal.onboarding.progress import progress
from portal.onboarding.services import check
from portal.support import services
from portal.support.models import ActionItem, ActionPlan, ItemState, PlannedAction

CARRY_OUT = "support.carry_out"
MOST_ITEMS = 5000  # of one plan
AT_ONCE = 10  # items, and then a wait, so that nobody else has to
PACE = timedelta(seconds=10)
LONGEST_REASON = 200

# Who may set what going; the roles stand in portal/members/permissions.py.
MAY: Mapping[str, StaffAction] = {
    PlannedAction.SYNC: StaffAction.ACT_ON_RUNS,
    PlannedAction.CHECK: StaffAction.ACT_ON_RUNS,
    PlannedAction.CANCEL: StaffAction.ACT_ON_RUNS,
    PlannedAction.ASK: StaffAction.ASK_CUSTOMERS,
    PlannedAction.QUEUE: StaffAction.QUEUE_JOBS,
    PlannedAction.MAIL: StaffAction.SEND_MAILS,
}

GONE = _("It is not there any more.")
NO_REASON = _("Say why: the reason stands in the audit trail of each customer.")
NOBODY = _("Nobody is there who may act and wants such mail.")
NOTHING_TO_CHECK = _("Nothing of its checklist can be checked.")


class Needless(Exception):
    """What was to be done has been done meanwhile, or is not wanted any more."""


def plan_action(
    *, action: PlannedAction, subjects: Iterable[tuple[UUID | None, UUID]], chosen_by: str = "", actor: Actor
) -> ActionPlan:
    """Write down what is to be done to which rows, each with its tenant; nothing happens yet. Needs the staff's scope.

    Raises ValueError where it is nobody who plans it.
    """
    if actor.id is None:
        message = "somebody plans what staff set going"
        raise ValueError(message)
    plan = ActionPlan(action=action, chosen_by=chosen_by[:120], actor_id=actor.id, actor_name=actor.name)
    with transaction.atomic():
        plan.save(force_insert=True)
        items = [
            ActionItem(plan=plan, tenant_id=tenant_id, subject=subject, place=place)
            for place, (tenant_id, subject) in enumerate(subjects)
            if place < MOST_ITEMS
        ]
        ActionItem.objects.bulk_create(items, batch_size=1000)
        audit.record_system(
            actor=actor, action=f"staff.{action}_planned", subject=str(plan.id), chosen_by=chosen_by, items=len(items)
        )
    return plan


def start(*, plan: ActionPlan, reason: str, actor: Actor) -> None:
    """Have a worker do it. Raises ActionRefused without a reason, and where it was started or stopped before."""
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise ActionRefused(NO_REASON)
    waiting = ActionPlan.objects.filter(id=plan.id, started_at=None, stopped_at=None)
    if not waiting.update(started_at=timezone.now(), reason=reason):
        raise ActionRefused(_("It was started or stopped already."))
    audit.record_system(actor=actor, action=f"staff.{plan.action}_started", subject=str(plan.id), reason=reason)
    enqueue(kind=CARRY_OUT, subject=plan.id, tenant_id=None)


def stop(*, plan: ActionPlan, actor: Actor) -> None:
    """What was not done yet is not done. Raises ActionRefused where nothing is left to stop."""
    going = ActionPlan.objects.filter(id=plan.id, stopped_at=None, ended_at=None)
    if not going.update(stopped_at=timezone.now(), stopped_by=actor.name):
        raise ActionRefused(_("It has ended already."))
    audit.record_system(actor=actor, action=f"staff.{plan.action}_stopped", subject=str(plan.id))


def act_at_once(
    *, action: PlannedAction, tenant_id: UUID | None, subject: UUID, reason: str, actor: Actor
) -> ActionPlan:
    """The same for one row, which needs no plan before it. Raises ActionRefused without a reason."""
    if not reason.strip():
        raise ActionRefused(NO_REASON)
    with transaction.atomic():
        plan = plan_action(action=action, subjects=[(tenant_id, subject)], actor=actor)
        start(plan=plan, reason=reason, actor=actor)
    return plan


def carry_out(lease: Lease) -> Again | None:
    """Job: do some items of a plan, and come back for the next ones, until there are none or somebody stopped it."""
    with lease.scope():
        plan = _going(lease.subject)
        items = list(plan.items.filter(state=ItemState.WAITING).order_by("place")[: AT_ONCE + 1]) if plan else []
    for item in items[:AT_ONCE]:
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))
        with lease.scope():
            plan = _going(lease.subject)
            if plan is None:
                return None
            _do(plan, item)
    if len(items) > AT_ONCE:
        return Again(timezone.now() + PACE, "not all at once")
    if plan is not None:
        with lease.scope():
            ActionPlan.objects.filter(id=plan.id).update(ended_at=timezone.now())
    return None


def _going(plan_id: UUID) -> ActionPlan | None:
    return ActionPlan.objects.filter(id=plan_id, stopped_at=None, ended_at=None).exclude(started_at=None).first()


def _do(plan: ActionPlan, item: ActionItem) -> None:
    """One item, with the customer's own audit event, in the transaction of the caller."""
    actor = Actor(plan.actor_id, plan.actor_name)
    state, answer = ItemState.DONE, ""
    with tenant_scope(item.tenant_id) if item.tenant_id else nullcontext():
        try:
            with transaction.atomic():
                ACTIONS[plan.action](plan, item, actor)
                words = {"action": f"staff.{plan.action}", "subject": str(item.subject), "reason": plan.reason}
                if item.tenant_id:
                    audit.record(tenant_id=item.tenant_id, actor=actor, plan=str(plan.id), **words)
                else:
                    audit.record_system(actor=actor, plan=str(plan.id), **words)
        except ActionRefused as refused:
            state, answer = ItemState.REFUSED, str(refused)[:300]
        except Needless:
            state = ItemState.NEEDLESS
    ActionItem.objects.filter(id=item.id).update(state=state, answer=answer, ended_at=timezone.now())


def _connection_of(item: ActionItem) -> Connection:
    connection = Connection.objects.select_related("tenant").filter(id=item.subject).first()
    if connection is None:
        raise ActionRefused(GONE)
    return connection


def _sync(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    connection = _connection_of(item)
    newest = SyncRun.objects.for_connection(connection).order_by("-queued_at", "-id").first()
    if newest is not None and not newest.has_ended:
        raise Needless
    if plan.chosen_by and newest is not None and newest.state == RunState.SUCCEEDED:
        raise Needless
    start_run(connection=connection, trigger=Trigger.HAND, actor=actor)


def _check(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    """What fails or is open, where it can be asked; where all has passed, everything that can be asked."""
    connection = _connection_of(item)
    onboarding = Onboarding.objects.select_related("connection").filter(connection=connection).first()
    provider = registry.find(connection.provider)
    if onboarding is None or provider is None:
        raise ActionRefused(GONE)
    askable = [step for step in progress(onboarding, provider).steps if step.can_check]
    steps = [step for step in askable if not step.is_done] or askable
    if not steps:
        raise ActionRefused(NOTHING_TO_CHECK)
    marks = marks_of(onboarding)
    for step in steps:
        mark = marks[step.checkpoint.slug]
        proof = checkpoint_of(mark).proof
        check(mark=marks[proof.follows] if isinstance(proof, Inference) else mark)


def _cancel(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    run = SyncRun.objects.select_related("connection").filter(id=item.subject).first()
    if run is None:
        raise ActionRefused(GONE)
    if not cancel_run(run=run, actor=actor):
        raise Needless


def _ask(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    connection = _connection_of(item)
    if not notices.tell(connection=connection, kind=MailKind.ASKED, about=uuid5(connection.id, str(plan.id))):
        raise ActionRefused(NOBODY)


def _queue(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    job = Job.objects.filter(id=item.subject).first()
    if job is None:
        raise ActionRefused(GONE)
    if services.queue_again(job=job, actor=actor) is None:
        raise Needless


def _mail(plan: ActionPlan, item: ActionItem, actor: Actor) -> None:
    unsent = OutgoingMail.objects.filter(id=item.subject, state__in=(MailState.FAILED, MailState.REFUSED))
    if not unsent.update(state=MailState.QUEUED):
        raise Needless
    enqueue(kind=SEND, subject=item.subject, tenant_id=None)


ACTIONS: Mapping[str, Callable[[ActionPlan, ActionItem, Actor], None]] = {
    PlannedAction.SYNC: _sync,
    PlannedAction.CHECK: _check,
    PlannedAction.CANCEL: _cancel,
    PlannedAction.ASK: _ask,
    PlannedAction.QUEUE: _queue,
    PlannedAction.MAIL: _mail,
}
