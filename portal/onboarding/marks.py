"""Writes the state of a mark and the evidence for it, always together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.checklist import Checkpoint, Inference, LogProbe, MarkState, Probe
from connections.spec.provider import CredentialField, Provider
from connections.transport.oauth import refusal_waits
from connections.vault.models import Connection, Credential
from portal.onboarding.models import Evidence, Handoff, Mark, Onboarding

CHECK = "onboarding.check"
HANDOFF_DONE = "onboarding.handoff_done"


@dataclass(frozen=True)
class CheckpointResult:
    """What a mark is about to say: the state, the sentence by its code, and where it can be looked up."""

    state: MarkState
    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    actor_name: str = ""
    entry_id: UUID | None = None
    provider_request_id: str = ""


def provider_of(connection: Connection) -> Provider:
    """Raises LookupError when the provider's folder is gone."""
    provider = registry.find(connection.provider)
    if provider is None:
        message = f"no provider called {connection.provider}"
        raise LookupError(message)
    return provider


def checkpoint_of(mark: Mark) -> Checkpoint:
    """Raises KeyError for a checkpoint that the provider declares no longer."""
    connection = mark.onboarding.connection
    return provider_of(connection).checkpoint(mark.checkpoint, connection.auth_method)


def marks_of(onboarding: Onboarding, **annotations: Any) -> dict[str, Mark]:
    """The mark of every checkpoint that is declared today, in the order of the list. One query, in the tenant's scope.

    A checkpoint that is newer than the onboarding has no row yet: its mark is open, and stored with the first evidence.
    Stored ones carry the annotations.
    """
    connection = onboarding.connection
    rows = {mark.checkpoint: mark for mark in Mark.objects.filter(onboarding=onboarding).annotate(**annotations)}
    marks = {}
    for checkpoint in provider_of(connection).checkpoints(connection.auth_method):
        new = Mark(tenant_id=onboarding.tenant_id, checkpoint=checkpoint.slug)
        marks[checkpoint.slug] = mark = rows.get(checkpoint.slug, new)
        mark.onboarding = onboarding
    return marks


def keep(mark: Mark) -> None:
    """Store the mark of a checkpoint that is newer than its onboarding, where nobody else has meanwhile."""
    if not mark._state.adding:
        return
    Mark.objects.bulk_create([mark], ignore_conflicts=True)
    mark.id = Mark.objects.values_list("id", flat=True).get(
        onboarding_id=mark.onboarding_id, checkpoint=mark.checkpoint
    )
    mark._state.adding = False


def ask_check(*, mark: Mark) -> None:
    """Queue a probe of this checkpoint; its finding appears on the mark."""
    keep(mark)
    mark.asked_at = timezone.now()
    Mark.objects.filter(id=mark.id).update(asked_at=mark.asked_at)
    enqueue(kind=CHECK, subject=mark.id, tenant_id=mark.tenant_id)


def ask_waiting(*, slug: str, marks: Mapping[str, Mark]) -> None:
    """Whatever waited for this checkpoint can be asked now, where everything it is asked with has been entered.

    A first sync that our log has shown stays what it was, whatever became of later ones.
    """
    connection = marks[slug].onboarding.connection
    for other in provider_of(connection).checkpoints(connection.auth_method):
        is_history = isinstance(other.proof, LogProbe) and marks[other.slug].state == MarkState.VERIFIED
        can_be_asked = isinstance(other.proof, Probe | LogProbe) and not is_history
        if slug in other.needs and can_be_asked and not missing(connection, other):
            ask_check(mark=marks[other.slug])


def complete(marks: Mapping[str, Mark]) -> None:
    """Note when everything has passed for the first time. In a worker, in the tenant's scope."""
    if all(MarkState(mark.state).passes for mark in marks.values()):
        unfinished = Onboarding.objects.filter(marks__in=[mark.id for mark in marks.values()], completed_at=None)
        unfinished.update(completed_at=timezone.now())


def missing(connection: Connection, checkpoint: Checkpoint) -> list[CredentialField]:
    """What must be entered here before the checkpoint can be proved, and is not. One query where anything is typed."""
    fields = [provider_of(connection).field(name) for name in checkpoint.fields]
    if not any(not field.optional for field in fields):
        return []
    stored = set(Credential.objects.for_connection(connection).values_list("name", flat=True))
    stored |= {name for name, value in connection.settings.items() if value.strip()}
    return [field for field in fields if not field.optional and field.name not in stored]


def record(*, mark: Mark, result: CheckpointResult) -> None:
    """Append the evidence and move the mark. `since` moves only when the state does.

    Where a check was asked for since `mark` was read, its answer is still awaited: this one knows nothing of it.
    """
    now = timezone.now()
    keep(mark)
    changed = mark.state != result.state.value
    append(mark=mark, result=result)
    mark.state = result.state.value
    mark.checked_at = now
    is_newer = Q(asked_at__gt=mark.asked_at) if mark.asked_at else Q(asked_at__isnull=False)
    checked_at = Case(When(is_newer, then=F("checked_at")), default=Value(now))
    values: dict[str, object] = {"state": mark.state, "checked_at": checked_at}
    if changed:
        mark.since = now
        values["since"] = now
    Mark.objects.filter(id=mark.id).update(**values)
    if changed and result.state.passes:
        ask_at_once(mark)
        _end_handoff(mark)


def _end_handoff(mark: Mark) -> None:
    """It is done, whoever did it: a link that was given for it opens nothing any more, and its giver goes on."""
    for handoff in Handoff.objects.filter(mark_id=mark.id, done_at=None, ended_at=None).only("id", "tenant_id"):
        Handoff.objects.filter(id=handoff.id).update(done_at=timezone.now())
        enqueue(kind=HANDOFF_DONE, subject=handoff.id, tenant_id=handoff.tenant_id)


def ask_at_once(mark: Mark, *, is_typed: bool = False) -> None:
    """Something of this connection was put right, or typed anew: what waits for a refusal to be over waits no longer."""
    if not refusal_waits.ask_at_once(mark.onboarding.connection_id, is_typed=is_typed):
        return
    waiting = Mark.objects.filter(onboarding_id=mark.onboarding_id).filter(
        Q(checked_at=None) | Q(checked_at__lt=F("asked_at")), asked_at__isnull=False
    )
    for mark_id in waiting.values_list("id", flat=True):
        enqueue(kind=CHECK, subject=mark_id, tenant_id=mark.tenant_id)


def append(*, mark: Mark, result: CheckpointResult) -> None:
    """Evidence by itself: the mark stays where it is, and a check that was asked for goes on."""
    keep(mark)
    Evidence(
        tenant_id=mark.tenant_id,
        mark=mark,
        state=result.state.value,
        code=result.code,
        values=dict(result.values),
        actor_name=result.actor_name,
        entry_id=result.entry_id,
        provider_request_id=result.provider_request_id,
    ).save(force_insert=True)


def infer(*, of: Connection, verified: Mark, marks: Mapping[str, Mark], result: CheckpointResult) -> None:
    """Move what the verified mark implies. A person's own word stays on record; the inference is added to it."""
    for slug, code in inferred_from(of, verified.checkpoint).items():
        record(
            mark=marks[slug],
            result=CheckpointResult(
                MarkState.INFERRED,
                code,
                entry_id=result.entry_id,
                provider_request_id=result.provider_request_id,
            ),
        )


def inferred_from(connection: Connection, checkpoint: str) -> dict[str, str]:
    """The checkpoints that have passed if this one has, each with the code of its sentence."""
    return {
        each.slug: each.proof.code
        for each in provider_of(connection).checkpoints(connection.auth_method)
        if isinstance(each.proof, Inference) and each.proof.follows == checkpoint
    }
