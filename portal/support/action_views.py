"""Presses by which staff set something going: at one row at once, at a set by a plan; and their notes."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from connections.jobs.models import Job
from connections.sync.models import SyncRun
from connections.tenancy import audit
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.members.models import User
from portal.members.permissions import StaffAction
from portal.notices.models import OutgoingMail
from portal.support import planned_actions
from portal.support.action_sets import failed_by, parked
from portal.support.admin_actions import NotAPost
from portal.support.models import ActionPlan, ConnectionNote, PlannedAction

PLAN = "admin:support_actionplan_change"
# What each is done to, and the page of it.
SUBJECTS: dict[str, type[Model]] = {
    PlannedAction.SYNC: Connection,
    PlannedAction.CHECK: Connection,
    PlannedAction.ASK: Connection,
    PlannedAction.CANCEL: SyncRun,
    PlannedAction.MAIL: OutgoingMail,
    PlannedAction.QUEUE: Job,
}


def person_allowed(request: HttpRequest, action: StaffAction) -> User:
    """Who presses, by POST and with a role that allows it. Raises PermissionDenied, NotAPost."""
    user = cast(User, request.user)
    if not user.can(action):
        raise PermissionDenied
    if request.method != "POST":
        raise NotAPost
    return user


def act(request: HttpRequest, action: str, key: UUID) -> HttpResponse:
    """One action at one row, done by a worker at once. Raises Http404, PermissionDenied, NotAPost."""
    model = SUBJECTS.get(action)
    if model is None:
        raise Http404
    user = person_allowed(request, planned_actions.MAY[action])
    columns = ("id",) if model is OutgoingMail else ("id", "tenant_id")
    row = model._default_manager.filter(pk=key).values(*columns).first()
    if row is None:
        raise Http404
    reason = request.POST.get("reason", "")
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    try:
        planned_actions.act_at_once(
            action=PlannedAction(action), tenant_id=row.get("tenant_id"), subject=key, reason=reason, actor=user.actor
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
    else:
        words = {"what": PlannedAction(action).label}
        messages.success(
            request, _("A worker does it now: %(what)s. What came of it stands here in a moment.") % words
        )
    return redirect(page, key)


def plan_set(request: HttpRequest, action: str) -> HttpResponse:
    """Plans an action at all rows that have something in common; its page says which, and starts it. Raises Http404."""
    if action not in (PlannedAction.SYNC, PlannedAction.QUEUE):
        raise Http404
    user = person_allowed(request, planned_actions.MAY[action])
    cause, kind, why = (request.POST.get(name, "") for name in ("cause", "kind", "why"))
    subjects, chosen_by = (failed_by(cause), cause) if action == PlannedAction.SYNC else (parked(kind, why), kind)
    if not subjects:
        messages.warning(request, _("There is none any more."))
        return redirect("admin:index")
    plan = planned_actions.plan_action(
        action=PlannedAction(action), subjects=subjects, chosen_by=chosen_by, actor=user.actor
    )
    return redirect(PLAN, plan.id)


def start_plan(request: HttpRequest, key: UUID) -> HttpResponse:
    """Has a worker do what was planned."""
    plan, user = _plan(request, key)
    return _after(request, plan, lambda: planned_actions.start(
        plan=plan, reason=request.POST.get("reason", ""), actor=user.actor
    ))  # fmt: skip


def stop_plan(request: HttpRequest, key: UUID) -> HttpResponse:
    """What was not done yet is not done."""
    plan, user = _plan(request, key)
    return _after(request, plan, lambda: planned_actions.stop(plan=plan, actor=user.actor))


def _plan(request: HttpRequest, key: UUID) -> tuple[ActionPlan, User]:
    plan = ActionPlan.objects.filter(pk=key).first()
    if plan is None:
        # Nobody learns what is there who may do nothing with it.
        person_allowed(request, StaffAction.ACT_ON_RUNS)
        raise Http404
    return plan, person_allowed(request, planned_actions.MAY[plan.action])


def _after(request: HttpRequest, plan: ActionPlan, change: Any) -> HttpResponse:
    try:
        change()
    except ActionRefused as refused:
        messages.error(request, str(refused))
    return redirect(PLAN, plan.pk)


def write_note(request: HttpRequest, key: UUID) -> HttpResponse:
    """Keeps a note on a connection. Raises Http404, PermissionDenied, NotAPost."""
    user = person_allowed(request, StaffAction.WRITE_NOTES)
    connection = Connection.objects.filter(pk=key).first()
    if connection is None:
        raise Http404
    longest = ConnectionNote._meta.get_field("text").max_length or 0
    text = request.POST.get("text", "").strip()[:longest]
    if text:
        ConnectionNote(tenant_id=connection.tenant_id, connection=connection, text=text, author_name=user.email).save(
            force_insert=True
        )
        audit.record_system(actor=user.actor, action="staff.note_written", subject=str(connection.id))
        messages.success(request, _("The note is kept."))
    else:
        messages.error(request, _("The note is empty."))
    return redirect("admin:vault_connection_change", key)
