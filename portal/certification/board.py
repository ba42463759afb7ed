"""Adds up what a certification's lines measure, tenant by tenant, and writes the report: the same bytes from the same rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import translation

from connections.spec.certification import Better, Breach, Certification, CertificationLine, House, Measured, Traffic
from connections.spec.provider import Provider
from portal.certification.traffic import TenantTraffic

SCHEMA = "pilotage-certification-1"
MOST_ROWS = 20  # of a line, named in the report; how many there are is told anyway


class LineState(StrEnum):
    KEPT = "kept"
    SHORT = "short"
    NOTHING = "nothing"  # there was nothing to measure


@dataclass
class LineTotal:
    """One line, over all that was measured so far."""

    line: CertificationLine
    counted: int = 0
    figure: float | None = None
    breaches: int = 0
    rows: list[Breach] = field(default_factory=list)

    def add(self, measured: Measured) -> None:
        """Of several figures the worst stays, or their sum, as the line says."""
        self.counted += measured.counted
        self.breaches += len(measured.breaches)
        self.rows += measured.breaches[: MOST_ROWS - len(self.rows)]
        if measured.figure is None:
            return
        if self.figure is None:
            self.figure = measured.figure
            return
        combine: dict[Better, Callable[[float, float], float]] = {
            Better.LESS: max,
            Better.MORE: min,
            Better.SUM: lambda one, other: one + other,
        }
        self.figure = combine[self.line.better](self.figure, measured.figure)

    @property
    def state(self) -> LineState:
        if self.breaches:
            return LineState.SHORT
        return LineState.KEPT if self.counted else LineState.NOTHING


@dataclass
class Board:
    """All lines of one provider's environment, while tenants are added one after the other."""

    provider: Provider
    certification: Certification
    environment: str
    totals: list[LineTotal] = field(init=False)
    requests: int = 0
    connections: int = 0
    live_tenants: set[UUID] = field(default_factory=set)
    firsts: list[tuple[Any, UUID]] = field(default_factory=list)
    tested: list[Any] = field(default_factory=list)
    rows_hash: Any = field(default_factory=hashlib.sha256)  # of every request that was read

    def __post_init__(self) -> None:
        self.totals = [LineTotal(line) for line in self.certification.lines_of(self.environment)]

    def add(self, tenant: TenantTraffic) -> None:
        for traffic in tenant.companies:
            self._add_company(tenant.tenant_id, traffic)
        if tenant.first_connected is not None:
            self.firsts.append(tenant.first_connected)
        if tenant.first_tested_at is not None:
            self.tested.append(tenant.first_tested_at)

    def _add_company(self, tenant_id: UUID, traffic: Traffic) -> None:
        live = sum(1 for _connection in traffic.live())
        self.connections += live
        self.requests += len(traffic.requests)
        if live:
            self.live_tenants.add(tenant_id)
        for request in traffic.requests:
            self.rows_hash.update(repr(tuple(map(str, astuple(request)))).encode())
        for total in self.totals:
            if total.line.of_traffic is not None:
                total.add(total.line.of_traffic(traffic))

    def finish(self, client_id: str) -> None:
        """Measure what is about all customers together. Once, at the end."""
        first = min(self.firsts, default=None)
        house = House(
            provider=self.provider,
            client_id=client_id,
            live_tenants=len(self.live_tenants),
            first_tested_at=min(self.tested, default=None),
            first_production_at=first[0] if first else None,
            first_production_id=first[1] if first else None,
        )
        for total in self.totals:
            if total.line.of_house is not None:
                total.add(total.line.of_house(house))

    def report(self, first_day: date, last_day: date, **more: Any) -> str:
        """The report as JSON. English, whatever the reader's language: the bytes are compared."""
        with translation.override("en"):
            content = {
                "schema": SCHEMA,
                "programme": str(self.certification.title),
                "source": self.certification.source,
                "provider": self.provider.slug,
                "environment": self.environment,
                "first_day": first_day.isoformat(),
                "last_day": last_day.isoformat(),
                "customers": len(self.live_tenants),
                "connections": self.connections,
                "requests": self.requests,
                "requests_sha256": self.rows_hash.hexdigest(),
                "lines": [_line(total) for total in self.totals],
                **more,
            }
            return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _line(total: LineTotal) -> dict[str, Any]:
    line = total.line
    return {
        "slug": line.slug,
        "checkpoint": line.checkpoint,
        "title": str(line.title),
        "limit": str(line.limit),
        "todo": str(line.todo),
        "state": total.state.value,
        "counted": total.counted,
        "figure": total.figure,
        "breaches": total.breaches,
        "rows": [{"kind": row.kind.value, "id": row.row_id} for row in total.rows],
    }


def measured_board(
    provider: Provider,
    certification: Certification,
    environment: str,
    tenants: Iterable[TenantTraffic],
    client_id: str,
) -> Board:
    """The board of these tenants, finished."""
    board = Board(provider, certification, environment)
    for tenant in tenants:
        board.add(tenant)
    board.finish(client_id)
    return board
