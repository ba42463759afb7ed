"""What a home page and a connection's head say: one status per connection, from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Q, Sum

from connections.spec.checklist import Checkpoint, MarkState
from connections.spec.provider import Provider
from connections.sync import faults
from connections.sync.models import RunState, StreamCursor, StreamProgress, SyncRun
from connections.tenancy.models import Tenant
from connections.vault.models import Connection, ConnectionState, Leaving
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Mark
from portal.onboarding.progress import sentence


class Kind(StrEnum):
    """What is going on with a connection, in one word. The templates have a sentence for each."""

    SETUP = "setup"
    BROKEN = "broken"
    READING = "reading"
    WAITING = "waiting"
    CURRENT = "current"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    IDLE = "idle"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"  # a release offers its way no longer
    DISCONNECTED = "disconnected"


@dataclass(frozen=True)
class Card:
    """One connection with everything its status sentence needs."""

    connection: Connection
    provider: Provider
    states: dict[str, MarkState]
    run: SyncRun | None
    seen: int
    expected: int | None
    records: int
    succeeded_at: datetime | None

    @property
    def kind(self) -> Kind:
        if not self.connection.is_disconnected and not self.provider.offers(self.connection.auth_method):
            return Kind.WITHDRAWN
        settled = {
            ConnectionState.SETUP: Kind.SETUP,
            ConnectionState.BROKEN: Kind.BROKEN,
            ConnectionState.PAUSED: Kind.PAUSED,
            ConnectionState.DISCONNECTED: Kind.DISCONNECTED,
        }
        if self.connection.state in settled:
            return settled[ConnectionState(self.connection.state)]
        if self.run is None or self.run.state == RunState.CANCELLED:
            return Kind.CURRENT if self.succeeded_at else Kind.IDLE
        return {
            RunState.QUEUED: Kind.READING,
            RunState.RUNNING: Kind.READING,
            RunState.WAITING: Kind.WAITING,
            RunState.SUCCEEDED: Kind.CURRENT,
            RunState.INCOMPLETE: Kind.INCOMPLETE,
        }.get(RunState(self.run.state), Kind.FAILED)

    @property
    def is_held(self) -> bool:
        """Its access or server was changed, and nothing is read until the company is proved on the checklist."""
        return self.kind is Kind.BROKEN and self.connection.fault in faults.HOLDING

    @property
    def is_setup(self) -> bool:
        """Nothing has been read yet, so leaving it is giving a set-up up."""
        return self.connection.state == ConnectionState.SETUP

    @property
    def is_leaving(self) -> bool:
        """Disconnected, and the access is still being given back."""
        return self.kind is Kind.DISCONNECTED and self.connection.leaving == Leaving.UNDER_WAY

    @property
    def total(self) -> int:
        return len(self.states)

    @property
    def passed(self) -> int:
        return sum(state.passes for state in self.states.values())

    @property
    def failing(self) -> Checkpoint | None:
        """The first checkpoint that must be put right."""
        return next(
            (
                c
                for c in self.provider.checkpoints(self.connection.auth_method)
                if self.states.get(c.slug) is MarkState.FAILING
            ),
            None,
        )

    @property
    def fault(self) -> str:
        """What is wrong, as a sentence for the customer; empty while nothing is."""
        if self.kind is Kind.WITHDRAWN:
            return sentence(self.provider, faults.AUTH_METHOD_WITHDRAWN.code, {})
        code = self.connection.fault or (self.run.fault if self.run is not None else "")
        return sentence(self.provider, code, {}) if code else ""


def cards(connections: Sequence[Connection]) -> list[Card]:
    """Five queries, however many connections. Needs the tenant's scope."""
    ids = [connection.id for connection in connections]
    stored: dict[UUID, dict[str, MarkState]] = {}
    for of, checkpoint, state in Mark.objects.filter(onboarding__connection_id__in=ids).values_list(
        "onboarding__connection_id", "checkpoint", "state"
    ):
        stored.setdefault(of, {})[checkpoint] = MarkState(state)
    runs = {
        run.connection_id: run
        for run in SyncRun.objects.filter(connection_id__in=ids)
        .order_by("connection_id", "-queued_at", "-id")
        .distinct("connection_id")
    }
    succeeded = _by_connection(
        SyncRun.objects.filter(connection_id__in=ids, state=RunState.SUCCEEDED), value=Max("ended_at")
    )
    records = _by_connection(StreamCursor.objects.filter(connection_id__in=ids), value=Sum("records"))
    counts = _counts([run.id for run in runs.values() if run.is_active])
    found = []
    for connection in connections:
        provider, marks = provider_of(connection), stored.get(connection.id)
        run = runs.get(connection.id)
        seen, expected = counts.get(run.id, (0, None)) if run else (0, None)
        found.append(
            Card(
                connection=connection,
                provider=provider,
                # What is declared today counts, whenever the connection was set up.
                states={
                    c.slug: marks.get(c.slug, MarkState.OPEN) for c in provider.checkpoints(connection.auth_method)
                }
                if marks
                else {},
                run=run,
                seen=seen,
                expected=expected,
                records=records.get(connection.id) or 0,
                succeeded_at=succeeded.get(connection.id),
            )
        )
    return found


def cards_of(tenant: Tenant) -> list[Card]:
    """Of what is connected, or was: a set-up that was removed before anything had been read is not shown any more."""
    was_read = Exists(SyncRun.objects.filter(connection_id=OuterRef("id")))
    shown = Connection.objects.filter(~Q(state=ConnectionState.DISCONNECTED) | was_read, tenant=tenant)
    return cards(list(shown))


def _by_connection(rows: Any, *, value: Any) -> dict[UUID, Any]:
    return dict(rows.order_by().values_list("connection_id").annotate(value=value))


def _counts(run_ids: list[UUID]) -> dict[UUID, tuple[int, int | None]]:
    """What is read and what is expected per run; None while a stream's total is not known."""
    found: dict[UUID, list[tuple[int, int | None]]] = {}
    for of, seen, expected in StreamProgress.objects.filter(run_id__in=run_ids).values_list(
        "run_id", "seen", "expected"
    ):
        found.setdefault(of, []).append((seen, expected))
    return {
        of: (
            sum(seen for seen, _ in rows),
            None if any(expected is None for _, expected in rows) else sum(expected or 0 for _, expected in rows),
        )
        for of, rows in found.items()
    }
