"""An honest month of traffic, in which every line of the certification is kept and measured; tests plant breaches in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from connections.providers.procountor.provider import PROVIDER
from connections.spec.certification import CertifiedConnection, ListPass, LoggedRequest, Traffic
from connections.spec.provider import Provider
from portal.certification.board import Board, measured_board
from portal.certification.traffic import TenantTraffic

BEGINS_AT = datetime(2026, 10, 1, tzinfo=timezone.utc)
TESTED_AT = BEGINS_AT - timedelta(days=90)
CONNECTED_AT = BEGINS_AT - timedelta(days=30)
MARKS = {
    "usage-settings": "inferred",
    "technical-user": "verified",
    "rights": "verified",
    "m2m-only": "attested",
    "api-key": "verified",
    "company": "verified",
}
PATHS = {operation.name: (operation.method, operation.path) for operation in PROVIDER.operations}
STREAMS = {"invoices": 450, "partners": 30, "products": 0}
DAYS = 28
FIRST_RUN_AT = timedelta(hours=3)


def number(value: int) -> UUID:
    return UUID(int=value)


@dataclass
class Office:
    """One tenant with one connection; `requests` are put into time order when they are read."""

    tenant: int
    connection: CertifiedConnection
    requests: list[LoggedRequest] = field(default_factory=list)
    passes: list[ListPass] = field(default_factory=list)
    first_connected_at: datetime = CONNECTED_AT

    def add(self, at: datetime, operation: str, **values: Any) -> LoggedRequest:
        """One request, answered unless `values` say otherwise."""
        method, path = PATHS.get(operation, ("POST", "/oauth/token"))
        request = LoggedRequest(
            **{
                "id": number(self.tenant * 1_000_000 + len(self.requests)),
                "at": at,
                "connection_id": self.connection.id,
                "run_id": None,
                "operation": operation,
                "method": method,
                "path": path,
                "status": 200,
                "outcome": "answered",
                "fault": "",
                "attempt": 1,
                "duration_ms": 120,
                "token_age_seconds": None if operation.startswith("token") else 60,
                "api_version": "latest",
                **values,
            }
        )
        self.requests.append(request)
        return request

    def change(self, index: int, **values: Any) -> None:
        self.requests[index] = replace(self.requests[index], **values)

    def change_connection(self, **values: Any) -> None:
        self.connection = replace(self.connection, **values)

    def traffic(self, provider: Provider) -> TenantTraffic:
        requests = sorted(self.requests, key=lambda each: (each.at, each.id))
        passes = sorted(self.passes, key=lambda each: each.started_at)
        company = Traffic(provider, [self.connection], requests, passes)
        return TenantTraffic(number(self.tenant), [company], (self.first_connected_at, self.connection.id), TESTED_AT)


def office(tenant: int, **values: Any) -> Office:
    """A month of it: a run each night with a token, changed records of three lists, and a full reading once a week."""
    connection = CertifiedConnection(
        id=number(tenant), tenant_id=number(tenant), company_id=str(4700 + tenant), auth_method="m2m",
        created_at=CONNECTED_AT, marks=MARKS,
    )  # fmt: skip
    own = Office(tenant, replace(connection, **values))
    for day in range(DAYS):
        _run(own, day, BEGINS_AT + timedelta(days=day) + FIRST_RUN_AT)
    return own


def _run(own: Office, day: int, at: datetime) -> None:
    run_id = number(own.tenant * 1000 + day + 500)
    is_full = day % 7 == 0
    own.add(at, "token", run_id=run_id)
    own.add(at + timedelta(seconds=1), "session", run_id=run_id)
    moment = at + timedelta(seconds=2)
    for stream, records in STREAMS.items():
        seen = records if is_full else records // 10
        pages = -(-seen // 200) + 1
        for _page in range(pages):
            own.add(moment, f"{stream}.list", run_id=run_id)
            moment += timedelta(milliseconds=400)
        own.passes.append(ListPass(run_id, own.connection.id, stream, moment, is_full, pages, seen))


def month() -> list[Office]:
    """Three offices: one with trouble that was met as it should be, one that confirms payments, and one that has left."""
    troubled, signing, left = office(1), office(2, auth_method="sign-in"), office(3)
    _meet_trouble(troubled)
    _confirm_payments(signing)
    left.change_connection(left_at=BEGINS_AT + timedelta(days=29), has_departure=True)
    return [troubled, signing, left]


def _meet_trouble(own: Office) -> None:
    """A server error that goes away, one that is waited for, a refused token, a refusal, and some single invoices."""
    at = BEGINS_AT + timedelta(days=2, hours=12)
    own.add(at - timedelta(seconds=30), "token")
    failed = {"status": 503, "outcome": "troubled", "fault": "trouble"}
    for attempt, second in ((1, 0.0), (2, 1.3), (3, 3.6)):
        own.add(at + timedelta(seconds=second), "company", attempt=attempt, **(failed if attempt < 3 else {}))
    own.add(at + timedelta(minutes=1), "invoices.get", status=404, outcome="refused", fault="not-found")
    own.add(at + timedelta(minutes=2), "rights", status=401, outcome="refused", fault="api-key-refused")
    own.add(at + timedelta(minutes=2, seconds=1), "token")
    own.add(at + timedelta(minutes=2, seconds=2), "rights", attempt=2)
    own.add(at + timedelta(minutes=3), "rights", status=429, outcome="refused", fault="too-many")
    own.add(at + timedelta(minutes=3, seconds=2), "rights", attempt=2)
    for second in range(10):
        own.add(at + timedelta(minutes=4, seconds=second), "invoices.get")


def _confirm_payments(own: Office) -> None:
    at = BEGINS_AT + timedelta(days=4, hours=12)
    own.add(at, "token")
    own.add(at + timedelta(seconds=1), "payments.create", status=202)
    for poll in range(12):
        own.add(at + timedelta(seconds=4 + 3 * poll), "mfa.result")


def board_of(
    offices: Sequence[Office], *, provider: Provider = PROVIDER, client_id: str = "pilotage", tested: bool = True
) -> Board:
    """The board of these offices, in production."""
    tenants = [own.traffic(provider) for own in offices]
    if not tested:
        tenants = [replace(each, first_tested_at=None) for each in tenants]
    assert provider.certification is not None
    return measured_board(provider, provider.certification, "production", tenants, client_id)


def short_lines(board: Board) -> dict[str, int]:
    """The lines that are not kept, with the number of their breaches."""
    return {total.line.slug: total.breaches for total in board.totals if total.breaches}
