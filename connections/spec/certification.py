"""A provider's certification as data: its lines, and what each is measured from. The functions are in measures.py.

A line names a checkpoint of the provider's own programme, what it asks of us, the limit, and a function that reads our own
traffic and says where the line is not kept. Nothing here asks a database: rows come in as the plain classes below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from connections.spec.text import Text

if TYPE_CHECKING:
    from connections.spec.provider import Provider


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One row of the request log, as far as a certification looks at it. `outcome` is the word that the log has."""

    id: UUID
    at: datetime
    connection_id: UUID
    run_id: UUID | None
    operation: str
    method: str
    path: str
    status: int | None
    outcome: str
    fault: str
    attempt: int
    duration_ms: int
    token_age_seconds: int | None
    api_version: str

    @property
    def is_answered(self) -> bool:
        return self.outcome == "answered"

    @property
    def is_server_error(self) -> bool:
        return self.status is not None and self.status >= 500

    @property
    def is_token_request(self) -> bool:
        return self.operation == "token" or self.operation.startswith("token.")


@dataclass(frozen=True, slots=True)
class ListPass:
    """One list that a run read to its end. `is_full`: all of it, and not only what had changed."""

    run_id: UUID
    connection_id: UUID
    stream: str
    started_at: datetime
    is_full: bool
    pages: int
    records: int


@dataclass(frozen=True)
class CertifiedConnection:
    """One connection at the provider's environment, as it was at the end of the span.

    `marks`: the states of its checkpoints by their slugs, of those of which anything was ever found.
    """

    id: UUID
    tenant_id: UUID
    company_id: str
    auth_method: str
    created_at: datetime
    left_at: datetime | None = None
    has_checklist: bool = True
    has_departure: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Traffic:
    """What went over the connections of one tenant to one company, within a span: a provider counts by company.

    `requests` are in time order; `passes` in the order in which they began.
    """

    provider: Provider
    connections: Sequence[CertifiedConnection]
    requests: Sequence[LoggedRequest]
    passes: Sequence[ListPass] = ()

    def by_connection(self) -> Iterator[tuple[CertifiedConnection, list[LoggedRequest]]]:
        """Each connection with its own requests."""
        own: dict[UUID, list[LoggedRequest]] = {connection.id: [] for connection in self.connections}
        for request in self.requests:
            own[request.connection_id].append(request)
        for connection in self.connections:
            yield connection, own[connection.id]

    def live(self) -> Iterator[tuple[CertifiedConnection, list[LoggedRequest]]]:
        """Those that the provider answered at least once."""
        for connection, requests in self.by_connection():
            if any(each.is_answered and not each.is_token_request for each in requests):
                yield connection, requests


class RowKind(StrEnum):
    """What the row behind a breach is."""

    REQUEST = "request"
    RUN = "run"
    CONNECTION = "connection"
    DECLARATION = "declaration"  # no row: what our own code says of the provider


@dataclass(frozen=True)
class Breach:
    """One place where a line is not kept: the row, by its kind and id."""

    kind: RowKind
    row_id: str


class Better(StrEnum):
    """How the figures of several companies become one."""

    LESS = "less"  # the largest stands for all
    MORE = "more"  # the smallest does
    SUM = "sum"


@dataclass(frozen=True)
class Measured:
    """What one function made of some traffic: of how many things, how the worst of them fared, and what breaks the line.

    `figure` is None where there was nothing to measure.
    """

    counted: int = 0
    figure: float | None = None
    breaches: Sequence[Breach] = ()


@dataclass(frozen=True)
class House:
    """What is known of the whole environment once all traffic was read, for lines that are about all customers together."""

    provider: Provider
    client_id: str
    live_tenants: int
    first_tested_at: datetime | None  # when the first connection to the provider's test server had a company
    first_production_at: datetime | None
    first_production_id: UUID | None


@dataclass(frozen=True)
class CertificationLine:
    """One line of a board. `checkpoint` is the number that the provider gives it; `todo` is said where it is not kept.

    Exactly one of `of_traffic` and `of_house` measures it.
    """

    slug: str
    checkpoint: str
    title: Text
    limit: Text
    todo: Text
    of_traffic: Callable[[Traffic], Measured] | None = None
    of_house: Callable[[House], Measured] | None = None
    better: Better = Better.SUM
    environments: tuple[str, ...] = ()  # only at these, by their values; () is for all


@dataclass(frozen=True)
class Certification:
    """A provider's programme: its name, where it is described, and its lines in their order."""

    title: Text
    source: str
    lines: Sequence[CertificationLine]

    def lines_of(self, environment: str) -> list[CertificationLine]:
        return [line for line in self.lines if not line.environments or environment in line.environments]


@dataclass(frozen=True)
class ApiVersion:
    """One version of an API, or a name for whichever is current. Days are None where the provider names none.

    `ends_on`: the first day on which it is not served any more.
    """

    name: str
    source: str
    starts_on: date | None = None
    ends_on: date | None = None

    def is_served(self, day: date) -> bool:
        return (self.starts_on is None or self.starts_on <= day) and (self.ends_on is None or day < self.ends_on)
