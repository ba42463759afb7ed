"""How a connection is doing, for the home page and for its own: one status each, from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from connections.spec.checklist import Checkpoint, MarkState
from connections.spec.provider import Provider
from connections.sync import faults
from connections.sync.counts import runs_with_counts
from connections.sync.models import RunState, StreamCursor, SyncRun
from connections.transport.models import Departure
from connections.vault.models import Connection, ConnectionState, Leaving
from portal.incidents.models import Incident
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Mark
from portal.onboarding.progress import sentence


class ConnectionStatus(StrEnum):
    """What is going on with a connection, in one word. The templates have a sentence for each."""

    SETUP = "setup"
    BROKEN = "broken"
    READING = "reading"
    WAITING = "waiting"
    CURRENT = "current"
    REOPENED = "reopened"  # it was read, and a checkpoint does not pass any more
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    IDLE = "idle"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"  # a release offers its auth method no longer
    DISCONNECTED = "disconnected"


@dataclass(frozen=True)
class Summary:
    """One connection with everything its status sentence needs."""

    connection: Connection
    provider: Provider
    states: dict[str, MarkState]  # of its checkpoints, by slug; empty where it never had a checklist
    run: SyncRun | None  # the latest
    records: int
    succeeded_at: datetime | None
    incident_checkpoint: str = ""  # of the oldest incident that is open
    has_namesake: bool = False  # another one at the same place is called the same
    has_twin: bool = False  # another one of these is of the same company, as far as is known

    @property
    def shows_company_id(self) -> bool:
        """Its title needs the company's number to be told from another."""
        return self.has_namesake and bool(self.connection.company_name) and self.provider.tells_company

    @property
    def shows_opened_at(self) -> bool:
        """Its title needs the time at which it was opened."""
        return self.has_twin or (self.has_namesake and not self.shows_company_id)

    @property
    def seen(self) -> int:
        """Records that the latest run has read."""
        return self.run.seen if self.run is not None else 0

    @property
    def expected(self) -> int | None:
        """Records that the latest run will read; None while that is not known of every stream."""
        return self.run.expected if self.run is not None else None

    @property
    def status(self) -> ConnectionStatus:
        """What a person is told about the connection: its own state, and where that is *connected*, its newest run's."""
        if not self.connection.is_disconnected and not self.provider.offers(self.connection.auth_method):
            return ConnectionStatus.WITHDRAWN
        by_state = {
            ConnectionState.SETUP: ConnectionStatus.SETUP,
            ConnectionState.BROKEN: ConnectionStatus.BROKEN,
            ConnectionState.PAUSED: ConnectionStatus.PAUSED,
            ConnectionState.DISCONNECTED: ConnectionStatus.DISCONNECTED,
        }
        if self.connection.state in by_state:
            return by_state[ConnectionState(self.connection.state)]
        current = ConnectionStatus.CURRENT if self.reopened is None else ConnectionStatus.REOPENED
        if self.run is None or self.run.state == RunState.CANCELLED:
            return current if self.succeeded_at else ConnectionStatus.IDLE
        return {
            RunState.QUEUED: ConnectionStatus.READING,
            RunState.RUNNING: ConnectionStatus.READING,
            RunState.WAITING: ConnectionStatus.WAITING,
            RunState.SUCCEEDED: current,
            RunState.INCOMPLETE: ConnectionStatus.INCOMPLETE,
        }.get(RunState(self.run.state), ConnectionStatus.FAILED)

    @property
    def is_held(self) -> bool:
        """Its access or server was changed, and nothing is read until the company is proved on the checklist."""
        return self.status is ConnectionStatus.BROKEN and self.connection.fault in faults.COMPANY_FAULTS

    @property
    def is_setup(self) -> bool:
        """Nothing has been read yet, so leaving it is giving a set-up up."""
        return self.connection.state == ConnectionState.SETUP

    @property
    def departure(self) -> Departure | None:
        """How it was left; None while it stands, for a set-up that was removed, and for what was left in an older release."""
        departure: Departure | None = getattr(self.connection, "departure", None)
        return departure if self.status is ConnectionStatus.DISCONNECTED else None

    @property
    def is_disconnecting(self) -> bool:
        """Disconnected, and a worker still gives the access back, tries it for the last time, or destroys what is stored."""
        if self.status is not ConnectionStatus.DISCONNECTED or self.connection.leaving == Leaving.UNDER_WAY:
            return self.status is ConnectionStatus.DISCONNECTED
        return self.departure is not None and (self.departure.is_probing or self.departure.is_ending)

    @property
    def keeps_secret(self) -> bool:
        """Disconnected, and a secret is kept to prove that it is dead: somebody has to remove it at the provider."""
        return not self.is_disconnecting and self.departure is not None and self.departure.waits_for_removal

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
    def reopened(self) -> Checkpoint | None:
        """The first checkpoint that must be put right, or else one that had passed and waits for a person's word."""
        if self.failing is not None:
            return self.failing
        slug = self.incident_checkpoint
        is_open = self.states.get(slug) is MarkState.UNCONFIRMED
        return self.provider.checkpoint(slug, self.connection.auth_method) if is_open else None

    @property
    def fault(self) -> str:
        """What is wrong, as a sentence for the customer; empty while nothing is."""
        if self.status is ConnectionStatus.WITHDRAWN:
            return sentence(self.provider, faults.AUTH_METHOD_WITHDRAWN.code, {})
        code = self.connection.fault or (self.run.fault if self.run is not None else "")
        return sentence(self.provider, code, {}) if code else ""


def summaries(connections: Sequence[Connection]) -> list[Summary]:
    """Two queries, however many connections. Needs the tenant's scope, and connections `connections_with_totals`."""
    ids = [connection.id for connection in connections]
    states: dict[UUID, dict[str, MarkState]] = {}
    for connection_id, checkpoint, state in Mark.objects.filter(onboarding__connection_id__in=ids).values_list(
        "onboarding__connection_id", "checkpoint", "state"
    ):
        states.setdefault(connection_id, {})[checkpoint] = MarkState(state)
    latest = [run_id for connection in connections if (run_id := _totals(connection).latest_run_id)]
    runs = {run.connection_id: run for run in runs_with_counts().filter(id__in=latest)}
    return [
        summary(connection, states=states.get(connection.id, {}), run=runs.get(connection.id))
        for connection in connections
    ]


def summary_of(connection: Connection) -> Summary:
    """Of one, in three queries. Needs the tenant's scope."""
    [found] = summaries(list(connections_with_totals().filter(id=connection.id)))
    return found


def summary(connection: Connection, *, states: Mapping[str, MarkState], run: SyncRun | None) -> Summary:
    """No query: of one of `connections_with_totals`, the states of its marks by checkpoint, and its latest run, one of
    `runs_with_counts`.
    """
    provider = provider_of(connection)
    # What is declared today counts, whenever the connection was set up.
    declared = provider.checkpoints(connection.auth_method) if states else ()
    totals = _totals(connection)
    return Summary(
        connection=connection,
        provider=provider,
        states={each.slug: states.get(each.slug, MarkState.OPEN) for each in declared},
        run=run,
        records=totals.record_count,
        succeeded_at=totals.succeeded_at,
        incident_checkpoint=totals.incident_checkpoint or "",
        has_namesake=totals.has_namesake,
        has_twin=totals.has_twin,
    )


@cache
def connections_with_totals() -> QuerySet[Connection]:
    """Every one, to be filtered, with `record_count`, how many are kept of it, `latest_run_id` (None before the first one),
    `succeeded_at`, when it was last read as a whole (None: never), and `incident_checkpoint`, where its oldest open incident is
    mended (None: there is none). Built once: that costs a page more than asking it.
    `has_namesake`: whether another of the tenant's is called the same; `has_twin`: whether another is of the same company.
    """
    same_place = {
        "tenant": OuterRef("tenant"),
        "provider": OuterRef("provider"),
        "environment": OuterRef("environment"),
    }
    others = Connection.objects.filter(**same_place).exclude(id=OuterRef("id"))
    others = others.exclude(state=ConnectionState.DISCONNECTED, company_id="").order_by()
    namesakes = others.filter(company_name=OuterRef("company_name"))
    incidents = Incident.objects.filter(connection=OuterRef("id"), closed_at=None).order_by("opened_at")
    cursors = StreamCursor.objects.filter(connection=OuterRef("id")).order_by()
    runs = SyncRun.objects.filter(connection=OuterRef("id")).order_by("-queued_at", "-id")
    return Connection.objects.select_related("departure").annotate(
        record_count=Coalesce(Subquery(cursors.values("connection").annotate(sum=Sum("records")).values("sum")), 0),
        latest_run_id=Subquery(runs.values("id")[:1]),
        succeeded_at=Subquery(runs.filter(state=RunState.SUCCEEDED).values("ended_at")[:1]),
        incident_checkpoint=Subquery(incidents.values("checkpoint")[:1]),
        has_namesake=Exists(namesakes),
        has_twin=Exists(namesakes.filter(company_id=OuterRef("company_id"))),
    )


def _totals(connection: Connection) -> Any:
    """The same row, whose annotations types know nothing of."""
    return connection
