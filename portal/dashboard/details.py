"""What the pages of one connection and of one run show, each with a fixed number of queries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from connections.calls.models import Call
from connections.calls.services import undecided
from connections.spec.provider import CredentialField, Provider
from connections.spec.text import Text
from connections.sync.models import ProgressState, RunState, StreamCursor, StreamProgress, SyncRun
from connections.sync.services import lines, next_slot
from connections.transport.log import recording
from connections.transport.models import Recording, RequestLogEntry
from connections.vault.models import Connection, Credential, Grant
from connections.vault.services import exemptions_of
from portal.dashboard.cards import Card, Kind, cards
from portal.onboarding.credentials import address_fields
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Onboarding
from portal.onboarding.progress import Progress, progress, sentence

# How transport names the requests that no provider declares as an operation.
UNDECLARED = {
    "token": _("Open a session"),
    "token.code": _("Open the first session after a sign-in"),
    "credential.code": _("Fetch the key after a sign-in"),
}
RUNS_SHOWN = 10
REQUESTS_SHOWN = 10
REQUESTS_OF_RUN = 100


@dataclass(frozen=True)
class StreamRow:
    label: Text
    cursor: StreamCursor | None


@dataclass(frozen=True)
class CredentialRow:
    """A thing that was typed in, as far as anybody may see it: a secret only by whether it is set, its end, who and when."""

    label: Text
    stored: Credential | None
    value: str  # of what is no secret


@dataclass(frozen=True)
class RequestRow:
    """One entry of the request log with its operation in words."""

    entry: RequestLogEntry
    label: Text
    fault: str

    @property
    def is_good(self) -> bool:
        return self.entry.outcome == "answered"


@dataclass(frozen=True)
class Detail:
    """One connection."""

    card: Card
    progress: Progress | None
    streams: list[StreamRow]
    credentials: list[CredentialRow]
    grant: Grant | None
    runs: list[SyncRun]
    requests: list[RequestRow]
    next_at: datetime | None
    undecided: list[Call]
    recording: Recording | None  # under way
    skipped: int  # records that the latest run could not keep
    is_plain_http: bool  # by an admin's leave, shown as a warning for as long as it stands

    @property
    def is_reading(self) -> bool:
        return self.card.run is not None and self.card.run.is_active

    @property
    def is_watched(self) -> bool:
        """Something is under way, or its consequences are."""
        if self.card.kind is Kind.DISCONNECTED:
            return self.is_leaving
        return self.card.run is not None and self.card.run.is_moving

    @property
    def is_leaving(self) -> bool:
        return self.card.is_leaving

    @property
    def auth_method(self) -> Text:
        provider, auth_method = self.card.provider, self.card.connection.auth_method
        return provider.grant(auth_method).label if provider.offers(auth_method) else _("no longer offered")

    @property
    def fingerprint(self) -> str:
        run = self.card.run
        return _digest(
            self.card.connection.state,
            self.card.connection.leaving,
            self.is_reading,
            self.is_watched,
            run and run.id,
            run and run.state,
            self.card.seen,
            [step.checkpoint.slug for step in self.progress.failing] if self.progress else "",
            len(self.requests),
            len(self.undecided),
            self.recording and self.recording.id,
        )


def detail(connection: Connection) -> Detail:
    """Needs the tenant's scope."""
    provider = provider_of(connection)
    onboarding = Onboarding.objects.select_related("connection").filter(connection=connection).first()
    cursors = {cursor.stream: cursor for cursor in StreamCursor.objects.for_connection(connection)}
    stored = {
        row.name: row
        for row in Credential.objects.for_connection(connection).only(
            "id", "tenant_id", "connection_id", "name", "hint", "changed_at", "changed_by"
        )
    }
    typed = {name for checkpoint in provider.checkpoints(connection.auth_method) for name in checkpoint.fields}
    grant = Grant.objects.for_connection(connection).only("id", "issued_at", "expires_at").first()
    entries = RequestLogEntry.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id)
    card = cards([connection])[0]
    return Detail(
        card=card,
        progress=progress(onboarding, provider) if onboarding is not None else None,
        streams=[StreamRow(stream.label, cursors.get(stream.name)) for stream in provider.streams],
        credentials=[
            CredentialRow(field.label, stored.get(field.name), _chosen(field, connection.settings))
            for field in provider.credentials
            if field.name in typed or field.name in stored
        ],
        grant=grant if grant is not None and grant.expires_at else None,
        runs=list(SyncRun.objects.for_connection(connection)[:RUNS_SHOWN]),
        requests=_rows(provider, entries.order_by("-at", "-id")[:REQUESTS_SHOWN]),
        next_at=next_slot(connection),
        undecided=undecided(connection),
        recording=recording.live(connection),
        skipped=_skipped(card),
        is_plain_http=bool(address_fields(connection)) and exemptions_of(connection).plain_http,
    )


def _skipped(card: Card) -> int:
    if card.run is None or card.kind is not Kind.INCOMPLETE:
        return 0
    skipped = StreamProgress.objects.filter(run=card.run).aggregate(skipped=Sum("skipped"))["skipped"]
    return int(skipped or 0)


@dataclass(frozen=True)
class StreamPart:
    """How far one run is with one stream."""

    label: Text
    progress: StreamProgress
    fault: str

    @property
    def is_reading(self) -> bool:
        return self.progress.state == ProgressState.READING

    @property
    def is_done(self) -> bool:
        return self.progress.state == ProgressState.DONE


@dataclass(frozen=True)
class RunDetail:
    """One run: progress per stream, log lines, requests."""

    run: SyncRun
    provider: Provider
    parts: list[StreamPart]
    lines: Sequence[Any]
    requests: list[RequestRow]
    fault: str

    @property
    def is_active(self) -> bool:
        return self.run.is_active

    @property
    def went_well(self) -> bool:
        return self.run.state == RunState.SUCCEEDED

    @property
    def fingerprint(self) -> str:
        return _digest(
            self.run.state,
            self.run.waiting_until,
            len(self.lines),
            len(self.requests),
            *(part.progress.seen for part in self.parts),
            *(part.progress.skipped for part in self.parts),
            *(part.progress.state for part in self.parts),
        )


def run_detail(run: SyncRun) -> RunDetail:
    """Needs the tenant's scope."""
    provider = provider_of(run.connection)
    labels = {stream.name: stream.label for stream in provider.streams}
    entries = RequestLogEntry.objects.filter(tenant_id=run.tenant_id, run_id=run.id).order_by("-at", "-id")
    return RunDetail(
        run=run,
        provider=provider,
        parts=[
            StreamPart(labels.get(row.stream, row.stream), row, sentence(provider, row.fault, {}) if row.fault else "")
            for row in StreamProgress.objects.filter(run=run)
        ],
        lines=lines(run),
        requests=_rows(provider, entries[:REQUESTS_OF_RUN]),
        fault=sentence(provider, run.fault, {}) if run.fault else "",
    )


def labels_of(provider: Provider) -> dict[str, Text]:
    """What every operation that the request log may name is called."""
    return {**UNDECLARED, **{operation.name: operation.label for operation in provider.operations}}


def _rows(provider: Provider, entries: Any) -> list[RequestRow]:
    labels = labels_of(provider)
    return [
        RequestRow(
            entry,
            labels.get(entry.operation, entry.operation),
            sentence(provider, entry.fault, {}) if entry.fault else "",
        )
        for entry in entries
    ]


def _chosen(field: CredentialField, settings: Mapping[str, str]) -> str:
    """What stands open of a field, a choice by its label."""
    value = "" if field.secret else settings.get(field.name, "")
    return str(dict(field.choices).get(value, value))


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()[:16]
