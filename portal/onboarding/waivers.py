"""Waiving a checkpoint: an owner's word, with a reason, that it is not needed here. It is shown as such and proves nothing."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from connections.spec.checklist import Checkpoint, LogProbe, MarkState, Tells
from connections.tenancy import audit
from connections.tenancy.scope import Actor
from connections.vault.services import ActionRefused, refuse_disconnected
from portal.incidents.models import Incident
from portal.onboarding.marks import CheckpointResult, ask_check, ask_waiting, checkpoint_of, marks_of, record
from portal.onboarding.models import Mark
from portal.onboarding.services import look_whether_complete

LONGEST_REASON = 300  # characters


def can_be_waived(checkpoint: Checkpoint) -> bool:
    """Never what gives access, whose company or certificate it is, as whom we read, or that everything was read: without these
    nothing works, or something else is read than is meant.
    """
    is_ours_to_know = not checkpoint.may_hand_off or checkpoint.pins or checkpoint.tells is Tells.USER
    return not (checkpoint.opens or is_ours_to_know or isinstance(checkpoint.proof, LogProbe))


def waive(*, mark: Mark, reason: str, actor: Actor) -> None:
    """The caller has checked who says so. Needs the tenant's scope. Raises ActionRefused.

    What a check finds wrong afterwards changes nothing; what proves the checkpoint, and a list that is refused while it is
    read, does.
    """
    refuse_disconnected(mark.onboarding.connection)
    reason = " ".join(reason.split())
    if not can_be_waived(checkpoint_of(mark)):
        raise ActionRefused(
            _("This step cannot be left out: without it we could not read, or would read something else.")
        )
    if not reason or len(reason) > LONGEST_REASON:
        raise ActionRefused(_("Say in a sentence why it is not needed."))
    if MarkState(mark.state).passes:
        raise ActionRefused(_("This step is done already."))
    values = {"who": actor.name, "reason": reason}
    with transaction.atomic():
        record(mark=mark, result=CheckpointResult(MarkState.WAIVED, "waived", values, actor_name=actor.name))
        _audit(mark, actor, "checkpoint.waived", reason=reason)
        ask_waiting(slug=mark.checkpoint, marks=marks_of(mark.onboarding))
        open_incidents = Incident.objects.filter(connection=mark.onboarding.connection, closed_at=None)
        if open_incidents.filter(checkpoint=mark.checkpoint).exists():
            ask_check(mark=mark)  # only workers close incidents: one that sees that it is waived does
        look_whether_complete(mark)


def end_waiver(*, mark: Mark, actor: Actor) -> None:
    """It is needed after all. Needs the tenant's scope."""
    refuse_disconnected(mark.onboarding.connection)
    if mark.state != MarkState.WAIVED:
        return
    with transaction.atomic():
        record(mark=mark, result=CheckpointResult(MarkState.OPEN, "waiver-ended", {"who": actor.name}))
        _audit(mark, actor, "checkpoint.waiver_ended")


def _audit(mark: Mark, actor: Actor, action: str, **detail: str) -> None:
    audit.record(
        tenant_id=mark.tenant_id,
        actor=actor,
        action=action,
        subject=str(mark.onboarding.connection_id),
        checkpoint=mark.checkpoint,
        **detail,
    )
