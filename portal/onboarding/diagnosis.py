"""From a fault to the one checkpoint to fix: what a run's end or a refused call does to the checklist."""

from __future__ import annotations

from uuid import UUID

from connections.jobs.lease import Lease
from connections.spec.checklist import LedgerProbe, MarkState, Probe
from connections.spec.errors import CallFailed
from connections.spec.faults import Acts, Fault
from connections.sync import faults
from connections.sync.models import RunState, StreamProgress, SyncRun
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import mark_broken
from portal.onboarding.marks import Proof, provider_of, record
from portal.onboarding.models import Mark, Onboarding
from portal.onboarding.services import ask_check


def fail_mark(*, mark: Mark, failed: CallFailed) -> None:
    """Reopen a checkpoint for the fault of a refused call."""
    fail(mark, failed.fault, failed.entry_id, failed.provider_request_id)


def fail(mark: Mark, fault: Fault, entry_id: UUID | None, provider_request_id: str = "") -> None:
    """Reopen a checkpoint for a fault. A connection whose company is in doubt stays in doubt."""
    record(
        mark=mark,
        proof=Proof(MarkState.FAILING, fault.code, entry_id=entry_id, provider_request_id=provider_request_id),
    )
    connection = mark.onboarding.connection
    is_held = Connection.objects.filter(id=connection.id, fault__in=faults.HOLDING).exists()
    if fault.acts is Acts.CUSTOMER and not is_held:
        mark_broken(connection=connection, fault=fault.code)


def run_ended(lease: Lease) -> None:
    """Job: a sync run ended. Its faults reopen their checkpoints; every other mark is left alone."""
    with tenant_scope(lease.tenant_id):
        run = SyncRun.objects.select_related("connection").filter(id=lease.subject).first()
        onboarding = run and Onboarding.objects.filter(connection_id=run.connection_id).first()
        if run is None or not onboarding or run.connection.state == ConnectionState.DISCONNECTED:
            return
        lease.check()
        marks = {
            mark.checkpoint: mark
            for mark in Mark.objects.select_related("onboarding__connection").filter(onboarding=onboarding)
        }
        provider = provider_of(run.connection)
        codes = [(run.fault, run.entry_id)] if run.fault else []
        codes += [
            (fault, None)
            for fault in StreamProgress.objects.filter(run=run).exclude(fault="").values_list("fault", flat=True)
            if fault != run.fault
        ]
        for code, entry_id in codes:
            fault = faults.find(provider=provider.slug, code=code)
            if fault is not None and fault.acts is Acts.CUSTOMER and fault.checkpoint in marks:
                mark = marks[fault.checkpoint]
                # What was checked after the run ended is newer than what the run knew.
                is_outdated = mark.checked_at and run.ended_at and mark.checked_at > run.ended_at
                if mark.state != MarkState.FAILING and not is_outdated:
                    fail(mark, fault, entry_id)
        if run.state == RunState.SUCCEEDED:
            for checkpoint in provider.checkpoints(run.connection.way):
                mark = marks[checkpoint.slug]
                is_open = isinstance(checkpoint.proof, LedgerProbe) and mark.state != MarkState.VERIFIED
                # A green run says that what failed may have passed.
                is_doubted = isinstance(checkpoint.proof, Probe) and mark.state == MarkState.FAILING
                if is_open or is_doubted:
                    ask_check(mark=mark)
