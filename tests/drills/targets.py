"""Where a drill's writes go: an operation, a body for a reference, what goes wrong with it, and how often it was done."""

from __future__ import annotations

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from tests.drills.house import House
from tests.transport.hostile import HostileServer, Line

HELD = 8.0  # seconds at most, until whoever waits for the answer is found and killed
PASSED_ON = (b"authorization", b"content-type", b"accept")
LATE = 20.0  # seconds between a lost answer and the deed

# What the other side does with a write, by name. `kill`: whoever sent it dies while it waits for the answer.
FATES = (
    "fine",
    "refused",
    "busy",
    "cut-before",
    "cut-during",
    "cut-after",
    "500-before",
    "500-after",
    "503-before",
    "504-after",
    "late",
    "kill-before",
    "kill-after",
    "kill-late",
)


class Target(Protocol):
    """One provider's write as the drill sees it. Another provider is another one of these."""

    operation: str
    is_looked_up: bool
    hosts: Mapping[str, Mapping[str, str]]  # stand in for the simulators' own
    app: str  # the workers' Celery application

    def connect(self, house: House) -> Sequence[Any]:
        """Connections that stand, to write to in turn. The house runs."""

    def prepare(self, reference: str, fate: str) -> Any:
        """From now on the write with this reference meets this fate, once. Gives its body."""

    def books(self) -> Mapping[str, int]:
        """How often each was really done."""

    def held(self) -> set[str]:
        """Whose sender may be killed now: it waits for the answer."""

    def release(self, reference: str) -> None:
        """Its sender is dead."""

    def forgive(self) -> None:
        """What is written from now on is fine, and so is what has not arrived yet."""

    def owed(self) -> int:
        """How many are still to be done, though their answer was lost long ago."""

    def close(self) -> None: ...


class Wire:
    """A line to the other side, in this very process, that is cut as a write's fate says."""

    # So many connections that none is in such trouble that its own breaker opens; odd, so that each gets good and bad ones.
    fleet = 15

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.server = HostileServer(folder)
        self.server.behave = self._behave
        self._lock = threading.Lock()
        self._fates: dict[str, str] = {}
        self._held: dict[str, threading.Event] = {}
        self._late: list[threading.Timer] = []

    def held(self) -> set[str]:
        with self._lock:
            return {reference for reference, killed in self._held.items() if not killed.is_set()}

    def release(self, reference: str) -> None:
        with self._lock:
            if killed := self._held.get(reference):
                killed.set()

    def forgive(self) -> None:
        with self._lock:
            self._fates.clear()

    def owed(self) -> int:
        return sum(each.is_alive() for each in self._late)

    def close(self) -> None:
        self.server.close()
        for each in self._late:
            each.cancel()

    def meet(self, reference: str, fate: str) -> None:
        with self._lock:
            self._fates[reference] = fate

    def _behave(self, line: Line) -> None:
        raise NotImplementedError

    def _write(self, line: Line, reference: str, do: Callable[[], tuple[int, bytes]]) -> None:
        """`do` does it at the other side and gives what that answers."""
        with self._lock:
            fate = self._fates.pop(reference, "fine")
        what, _dash, when = fate.partition("-")
        if fate == "busy":
            line.answer(429, {})
        elif fate == "late":
            self._late.append(threading.Timer(LATE, do))
            self._late[-1].start()
            line.hang_up()
        elif what == "kill":
            if when == "after":
                do()
            killed = threading.Event()
            with self._lock:
                self._held[reference] = killed
            killed.wait(HELD)
            with self._lock:
                del self._held[reference]
            if when == "late":
                do()
            line.hang_up()
        else:
            answer = do() if when != "before" else None
            if what.isdigit():
                line.answer(int(what), {})
            elif fate == "cut-during":
                line.write(b'HTTP/1.1 201 Whatever\r\nContent-Length: 400\r\n\r\n{"id": ')
                line.hang_up()
            elif what == "cut":
                line.hang_up()
            elif answer is not None:
                line.answer(*answer)


class Double(Wire):
    """A ledger of made-up things, which can be looked for by their reference."""

    operation = "things.create"
    is_looked_up = True
    app = "tests.drills.doubled"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hosts = {"procountor": {"api": f"{self.server.address}/api", "ca": self.server.ca}}
        self._done: Counter[str] = Counter()

    def connect(self, house: House) -> Sequence[Any]:
        from tests.drills.doubled import stand_in

        stand_in()
        return [house.connected(f"Fleet {number} Oy", f"fleet-{number}") for number in range(self.fleet)]

    def prepare(self, reference: str, fate: str) -> Any:
        self.meet(reference, fate)
        return {"reference": reference, "amount": 1}

    def books(self) -> Mapping[str, int]:
        with self._lock:
            return Counter(self._done)

    def _behave(self, line: Line) -> None:
        method, address = line.asked.split(" ")
        if address.endswith("/oauth/token"):
            line.answer(200, {"access_token": "tok-1", "expires_in": 3600})
        elif method == "POST":
            reference = json.loads(line.body)["reference"]
            if self._fates.get(reference) == "refused":
                line.answer(400, {})
            else:
                self._write(line, reference, lambda: self._do(reference))
        else:
            [reference] = parse_qs(urlsplit(address).query)["reference"]
            line.answer(200, {"things": [{"reference": reference}] * self.books()[reference]})

    def _do(self, reference: str) -> tuple[int, bytes]:
        with self._lock:
            self._done[reference] += 1
        return 201, b'{"reference": "kept"}'


class Orders(Wire):
    """Simutek's sales orders, which nothing finds again: the simulator does them, behind a line that is ours to cut."""

    operation = "orders.create"
    is_looked_up = False
    app = "portal"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hosts = {
            "simutek": {
                "api": self.server.address,
                "token": f"{self.server.address}/connect/token",
                "ca": self.server.ca,
            }
        }

    def connect(self, house: House) -> Sequence[Any]:
        self._sandbox = house.sandbox
        self._sandbox.simulator = "simutek"
        own = self._sandbox.hosts["simutek"]
        self._far = urlsplit(own["api"]).netloc
        self._trusts = ssl.create_default_context(cafile=own["ca"])
        self._customer = self._sandbox.control("records", stream="customers")["records"][0]["number"]
        return [self._connected(house, number) for number in range(self.fleet)]

    def _connected(self, house: House, number: int) -> Any:
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from connections.vault import services as vault
        from connections.vault.models import Connection
        from connections.vault.secret import Secret

        tenant = house.tenant(f"Fleet {number} AB", f"fleet-{number}")
        given = self._sandbox.control("setup", {})["credentials"]
        with tenant_scope(tenant.id):
            made = vault.open_connection(tenant=tenant, provider="simutek", environment="sandbox", actor=SYSTEM)
            settings = {"api_url": self.server.address, "client_id": given["client_id"]}
            vault.store_settings(connection=made, values=settings, actor=SYSTEM)
            secret = Secret(given["client_secret"])
            vault.store_credential(connection=made, name="client_secret", secret=secret, actor=SYSTEM)
            vault.bind_company(connection=made, company_id="", company_name=tenant.name)
            vault.mark_healthy(connection=made)
        return Connection.objects.select_related("tenant").get(id=made.id)

    def prepare(self, reference: str, fate: str) -> Any:
        """A refusal is the simulator's own: the order is of a customer that it does not know."""
        self.meet(reference, "fine" if fate == "refused" else fate)
        return {
            "customerNumber": "NOBODY" if fate == "refused" else self._customer,
            "name": "Pilotage",
            "purchaseOrderNumber": reference,
            "preferredLanguage": "sv",
            "currency": "SEK",
            "customerComment": "",
            "rows": [{"specification": "Exempel", "quantity": 1, "unitPrice": 10.0}],
        }

    def books(self) -> Mapping[str, int]:
        return Counter(order["purchaseOrderNumber"] for order in self._sandbox.control("orders")["orders"])

    def _behave(self, line: Line) -> None:
        if line.asked.startswith("POST /api/"):
            self._write(line, json.loads(line.body)["purchaseOrderNumber"], lambda: self._pass_on(line))
        else:
            line.answer(*self._pass_on(line))

    def _pass_on(self, line: Line) -> tuple[int, bytes]:
        method, address = line.asked.split(" ")
        told = [each.split(b": ", 1) for each in line.head.split(b"\r\n")[1:]]
        headers = {name.decode(): value.decode() for name, value in told if name.lower() in PASSED_ON}
        link = HTTPSConnection(self._far, timeout=30, context=self._trusts)
        try:
            link.request(method, address, line.body, headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()


TARGETS: Mapping[str, Callable[[Path], Target]] = {"double": Double, "orders": Orders}
