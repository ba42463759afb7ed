"""From a fault to the one checkpoint to fix: what a run's end or a refused call does to the checklist."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from connections.jobs.lease import TenantLease
from connections.spec.checklist import Attestation, Inference, LogProbe, MarkState, Probe
from connections.spec.errors import CallFailed
from connections.spec.faults import Fault, Responsible
from connections.sync import faults
from connections.sync.models import RunState, StreamProgress, SyncRun
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import mark_broken, mark_healthy
from portal.incidents import advance_warnings, lasting, notices
from portal.incidents.kinds import MailKind
from portal.incidents.lifecycle import Cause, Sighting, close_by_run, note_trouble
from portal.incidents.models import Evident
from portal.onboarding import watch_plan
from portal.onboarding.marks import CheckpointResult, ask_check, checkpoint_of, complete, marks_of, provider_of, record
from portal.onboarding.models import Mark, Onboarding


def fail_mark(*, mark: Mark, failed: CallFailed) -> None:
    """Reopen a checkpoint for the fault of a refused call."""
    values = {"operation": failed.operation} if failed.fault.names and failed.operation else {}
    fail(mark, failed.fault, failed.entry_id, failed.provider_request_id, values=values)


def fail(
    mark: Mark,
    fault: Fault,
    entry_id: UUID | None,
    provider_request_id: str = "",
    *,
    sighting: Sighting | None = None,
    values: Mapping[str, str] | None = None,
) -> None:
    """Reopen a checkpoint for a fault. A connection whose company is in doubt stays in doubt.

    `sighting`: what showed it, where it was not a check; `values`: what it is about, as connections/sync/faults.py names it.
    """
    about = dict(values or {})
    record(
        mark=mark,
        result=CheckpointResult(
            MarkState.FAILING, fault.code, about, entry_id=entry_id, provider_request_id=provider_request_id
        ),
    )
    connection = mark.onboarding.connection
    is_held = Connection.objects.filter(id=connection.id, fault__in=faults.COMPANY_FAULTS).exists()
    if fault.responsible is Responsible.CUSTOMER and not is_held:
        mark_broken(connection=connection, fault=fault.code)
    note_trouble(
        connection=connection,
        cause=Cause(fault.code, fault.responsible, mark.checkpoint, about),
        sighting=sighting or Sighting(Evident.CHECK, entry_id=entry_id),
    )


def run_ended(lease: TenantLease) -> None:
    """Job: a sync run ended. Its faults reopen their checkpoints; every other mark is left alone."""
    with lease.scope():
        run = SyncRun.objects.select_related("connection").filter(id=lease.subject).first()
        onboarding = run and Onboarding.objects.select_related("connection").filter(connection=run.connection).first()
        if run is None or not onboarding or run.connection.is_disconnected:
            return
        marks = marks_of(onboarding)
        provider = provider_of(run.connection)
        for code, streams in _faults_of(run).items():
            fault = faults.resolve_fault(provider=provider.slug, code=code)
            if fault is not None:
                _draw_conclusion(run, marks.get(fault.checkpoint), fault, streams)
        if run.state == RunState.SUCCEEDED:
            _heal(run)
            close_by_run(
                connection=run.connection, run_id=run.id, started_at=run.started_at, unproved=_unproved(marks)
            )
            _tell_of_first(run)
        for slug in _to_ask(marks, is_green=run.state == RunState.SUCCEEDED):
            ask_check(mark=marks[slug])
        if run.state == RunState.SUCCEEDED:
            for mark in marks.values():
                # Nobody but a person can say so, and a green run shows that what reopened it has passed.
                if mark.state == MarkState.FAILING and isinstance(checkpoint_of(mark).proof, Attestation):
                    record(mark=mark, result=CheckpointResult(MarkState.INFERRED, "sync-read-all"))
        complete(marks)
        watch_plan.ensure_watched(run.connection)
        advance_warnings.ensure_warned(run.connection)


def _unproved(marks: Mapping[str, Mark]) -> list[str]:
    """The checkpoints that are proved by asking the provider, and do not pass."""
    return [
        slug
        for slug, mark in marks.items()
        if not MarkState(mark.state).passes and isinstance(checkpoint_of(mark).proof, Probe)
    ]


def _faults_of(run: SyncRun) -> dict[str, str]:
    """What went wrong in it, the run's own fault first, each with the names of the streams that it kept from being read."""
    streams: dict[str, list[str]] = {run.fault: []} if run.fault else {}
    rows = StreamProgress.objects.filter(run=run).exclude(fault="").order_by("order")
    for stream, fault in rows.values_list("stream", "fault"):
        streams.setdefault(fault, []).append(stream)
    return {fault: " ".join(names) for fault, names in streams.items()}


def _draw_conclusion(run: SyncRun, mark: Mark | None, fault: Fault, streams: str) -> None:
    """One fault of a run: its checkpoint is reopened, where it has one, and an incident opened, or looked for in a day."""
    entry_id = run.entry_id if fault.code == run.fault else None
    sighting = Sighting(Evident.RUN, entry_id=entry_id, run_id=run.id)
    if lasting.passes_by_itself(fault):
        lasting.watch(run.connection)
        return
    values = {"streams": streams} if streams else {}
    if mark is not None and fault.responsible is Responsible.CUSTOMER:
        # What was checked after the run ended is newer than what the run knew.
        if mark.checked_at and run.ended_at and mark.checked_at > run.ended_at:
            return
        if mark.state != MarkState.FAILING:
            fail(mark, fault, entry_id, sighting=sighting, values=values)
            return
    checkpoint = mark.checkpoint if mark is not None else ""
    cause = Cause(fault.code, fault.responsible, checkpoint, values)
    note_trouble(connection=run.connection, cause=cause, sighting=sighting)


def _tell_of_first(run: SyncRun) -> None:
    """A connection that was never read before is live: whoever began it hears of it."""
    green = SyncRun.objects.filter(connection_id=run.connection_id, state=RunState.SUCCEEDED)
    if not green.exclude(id=run.id).exists():
        notices.tell(connection=run.connection, kind=MailKind.LIVE, about=run.connection_id)


def _to_ask(marks: Mapping[str, Mark], *, is_green: bool) -> list[str]:
    """What a run's end may have changed: the look at the log, and after a green one also what failed or was never asked.

    A checkpoint that a release brought after the connection was set up is asked in this way, and nobody need press.
    """
    slugs: list[str] = []
    for slug, mark in marks.items():
        proof = checkpoint_of(mark).proof
        was_never_asked = mark.state == MarkState.OPEN and mark.checked_at is None
        is_new = mark._state.adding or (was_never_asked and mark.onboarding.completed_at is not None)
        if isinstance(proof, LogProbe):
            slugs += [slug] if mark.state != MarkState.VERIFIED else []
        elif is_green and isinstance(proof, Probe):
            slugs += [slug] if is_new or mark.state == MarkState.FAILING else []
        elif is_green and isinstance(proof, Inference):
            slugs += [proof.follows] if is_new or mark.state == MarkState.FAILING else []
    return list(dict.fromkeys(slugs))


def _heal(run: SyncRun) -> None:
    """Everything was read: a connection that was found broken before the run began stands again, whatever broke it.

    Where it is in doubt whose books these are, a run proves nothing.
    """
    connection = Connection.objects.get(id=run.connection_id)
    is_older = connection.fault_at is None or (run.started_at is not None and connection.fault_at < run.started_at)
    if connection.state == ConnectionState.BROKEN and connection.fault not in faults.COMPANY_FAULTS and is_older:
        mark_healthy(connection=connection)
