"""What the tests of calls share: a provider that can be written to, answering over a line that can be cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models import F

from connections.calls import reconciliation, services
from connections.calls.models import Call
from connections.jobs.models import Job
from connections.providers import registry
from connections.spec.operations import Arguments
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.limits import retry
from connections.transport.models import Breaker
from connections.vault.models import Connection
from connections.vault.services import mark_healthy
from tests.calls.doubled import doubled
from tests.roles import acting_as
from tests.transport.conftest import hostile, hostile_process, uncanny  # noqa: F401  (fixtures)
from tests.transport.hostile import Line

ALICE = Actor(7, "alice@aamu.example")


@pytest.fixture
def writable(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every part of the engine meets the provider with the made-up operations."""
    provider = doubled()
    providers = {**registry.all_providers(), provider.slug: provider}
    monkeypatch.setattr(registry, "all_providers", lambda: providers)
    monkeypatch.setattr(retry, "STEPS_SECONDS", (0.01, 0.02, 0.04))
    monkeypatch.setattr(retry, "LONGEST_RETRY_WAIT_SECONDS", 0.1)
    return provider


@dataclass
class Ledger:
    """The other side: keeps what was created, and answers the next calls as it is told (`fates`), else politely."""

    things: list[dict[str, Any]] = field(default_factory=list)
    fates: list[Callable[[Line, Ledger], None]] = field(default_factory=list)
    results: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    token_status: int = 200

    def behave(self, line: Line) -> None:
        method, address = line.asked.split(" ")
        if address.endswith("/oauth/token"):
            line.answer(self.token_status, {"access_token": "tok-1", "expires_in": 3600})
            return
        self.asked.append(line.asked)
        self.bodies.append(line.body)
        if self.fates:
            self.fates.pop(0)(line, self)
        elif method == "POST":
            self.keep(line)
            line.answer(201, {"id": len(self.things)}, X_Request_Id="req-1")
        elif "/results/" in address:
            status, body = self.results.pop(0) if len(self.results) > 1 else self.results[0]
            line.answer(status, body)
        else:
            line.answer(200, {"things": self.matching(address)})

    def matching(self, address: str) -> list[dict[str, Any]]:
        wanted = parse_qs(urlsplit(address).query).get("reference")
        return [thing for thing in self.things if wanted is None or thing["reference"] == wanted[0]]

    def keep(self, line: Line) -> None:
        self.things.append(json.loads(line.body))

    def writes(self) -> int:
        return sum(asked.startswith("POST") for asked in self.asked)

    def looks(self) -> int:
        return sum("/things?reference" in asked for asked in self.asked)


@dataclass
class Calling:
    """One connection's calls, asked for as the web does and done as a worker does."""

    connection: Connection
    ledger: Ledger
    work_off: Callable[..., int]

    def ask(self, operation: str = "things.create", body: Any = None, **given: Any) -> Call:
        if body is None and operation in ("things.create", "things.pay"):
            body = {"reference": "R-1", "amount": 1}
        with acting_as("web"), tenant_scope(self.connection.tenant_id):
            return services.ask(
                connection=self.connection,
                operation=operation,
                arguments=Arguments(**given, body=body),
                actor=ALICE,
            )

    def run(self, *args: Any, **given: Any) -> Call:
        """To its end, or to where it waits."""
        call = self.ask(*args, **given)
        return self.go_on(call)

    def go_on(self, call: Call, *, later: timedelta | None = None) -> Call:
        if later:
            self.let_pass(call, later)
        self.work_off()
        call.refresh_from_db()
        return call

    def let_pass(self, call: Call, time: timedelta) -> None:
        """Nobody sleeps here: what is due later, and what has been waited for, move into the past."""
        Job.objects.filter(subject=call.id, state="queued").update(due_at=F("due_at") - time)
        Call.objects.filter(id=call.id).update(
            next_at=F("next_at") - time, sent_at=F("sent_at") - time, asked_at=F("asked_at") - time
        )
        Breaker.objects.update(next_at=F("next_at") - time)

    def look_to_the_end(self, call: Call) -> Call:
        for _ in reconciliation.LOOK_UP_WAITS:
            self.go_on(call, later=timedelta(minutes=2))
        return call


@pytest.fixture
def ledger(hostile: Any) -> Ledger:  # noqa: F811
    kept = Ledger()
    hostile.behave = kept.behave
    return kept


@pytest.fixture
def calling(committed_db: None, writable: Any, uncanny: Connection, ledger: Ledger, work_off: Any) -> Calling:  # noqa: F811
    with tenant_scope(uncanny.tenant_id):
        mark_healthy(connection=uncanny)
        services.switch_writes(connection=uncanny, on=True, actor=ALICE)
    return Calling(Connection.objects.select_related("tenant").get(id=uncanny.id), ledger, work_off)


# -- fates -------------------------------------------------------------------------------------------------------------


def cut_before(line: Line, ledger: Ledger) -> None:
    line.hang_up()


def cut_after(line: Line, ledger: Ledger) -> None:
    ledger.keep(line)
    line.hang_up()


def cut_during(line: Line, ledger: Ledger) -> None:
    ledger.keep(line)
    line.write(b'HTTP/1.1 201 Whatever\r\nContent-Length: 400\r\n\r\n{"id": ')
    line.hang_up()


def says(status: int, body: Any = b"", *, done: bool = False, **headers: str) -> Callable[[Line, Ledger], None]:
    def fate(line: Line, ledger: Ledger) -> None:
        if done:
            ledger.keep(line)
        line.answer(status, body, **headers)

    return fate
