"""The house of the canary sweep: with pages, with passwords that look different in every encoding, and a tap on the broker."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from portal.devserver.children import Child
from portal.operations import roles
from tests.drills.house import House, until
from tests.sandbox_server import REPOSITORY, SandboxServer

ODD = """/+=&%"\\'<>~?#-_"""  # what every encoding writes in its own way
ADMIN_MAIL = "vahti@pilotage.example"
WHOLE = 60  # characters up to which a secret is looked for as a whole
PART = 40


def odd(*, ascii_only: bool = True, length: int = 24) -> str:
    """A secret with all of these characters in it, and no quotation mark or blank at its ends."""
    words = [secrets.token_hex(length // 4) for _ in range(3)]
    return f"k{words[0]}{ODD}{words[1]}{'' if ascii_only else 'äß€'}{words[2]}"


class Needles:
    """What must not be found: {what it is: text or bytes}, of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str | bytes, str] = {}

    def add(self, what: str, secret: str | bytes) -> None:
        with self._lock:
            self._known.setdefault(secret, what)

    def __len__(self) -> int:
        return len(self._known)

    def names(self) -> list[str]:
        """What each is."""
        with self._lock:
            return list(self._known.values())

    def named(self, begins: str) -> list[str]:
        """Texts of what is called so."""
        with self._lock:
            return [each for each, what in self._known.items() if what.startswith(begins) and isinstance(each, str)]

    def whole(self) -> list[tuple[str, str | bytes]]:
        """(what it is, the secret)"""
        with self._lock:
            return [(what, secret) for secret, what in self._known.items()]

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        """Of a long one its middle and its end: one that is written down in part gives itself away, too."""
        for what, secret in self.whole():
            if len(secret) <= WHOLE:
                yield what, secret
                continue
            middle = len(secret) // 2 - PART // 2
            yield f"{what} (its middle)", secret[middle : middle + PART]
            yield f"{what} (its end)", secret[-PART:]


class CanaryHouse(House):
    """Everything runs, the demo's people are there, and our registrations are stored with odd secrets."""

    def __init__(self, state: Path, needles: Needles) -> None:
        super().__init__(state, lease_seconds=10, sweep_seconds=1)
        self.needles = needles
        self.timing["PORTAL_ADMINS"] = ADMIN_MAIL

    def start(self) -> None:
        self.folders.make()
        self._choose_passwords()
        self.sandbox = SandboxServer(self.folders.state / "sandbox", records="small")
        self.start_servers()
        self.sandbox.start()
        clients = {slug: self._choose_client(slug, client) for slug, client in self.sandbox.clients.items()}
        port = _free_port()
        self.origin = f"http://localhost:{port}"
        self.plan = replace(self.plan, port=port, sandbox_hosts=json.dumps(self.sandbox.hosts))
        self.set_up_django(**self.plan.kek)
        self.tap = Tap(unquote(urlsplit(self.plan.broker_url).path), self.folders.state / "log" / "broker-tap.log")
        for child in (
            self._worker("interactive"),
            self._worker("sync"),
            self._worker("mail"),
            self.plan.beat(),
            self.plan.web(),
        ):
            self.run(child)
        self._demo_data(clients)
        self._know_the_keys()
        until(self._answers, "the pages")

    def run(self, child: Child) -> None:
        """Celery writes its title over what it was started with, unless it is asked not to."""
        child.environment = {**child.environment, "SPT_NOENV": "1"}
        super().run(child)

    def stop(self) -> None:
        if hasattr(self, "tap"):
            self.tap.close()
        super().stop()

    # -- secrets -----------------------------------------------------------------------------------------------------

    def _choose_passwords(self) -> None:
        """A file that is there is kept, whatever it holds."""
        folder = self.folders.state / "keys"
        folder.mkdir(mode=0o700)
        for name in (*roles.LOGINS, "postgres"):
            secret = odd()
            self.needles.add(f"database password of {name}", secret)
            path = folder / f"{name}.password"
            path.touch(0o600)
            path.write_text(secret)

    def _choose_client(self, slug: str, client: dict[str, str]) -> dict[str, str]:
        """Our registration's secret at a simulator, changed in its books."""
        if not client.get("client_id"):
            return client
        secret = odd(ascii_only=False)
        self.needles.add(f"our client secret at {slug}", secret)
        self.needles.add(f"our first client secret at {slug}", client["client_secret"])
        self.in_books(slug, "UPDATE clients SET secret = ? WHERE id = ?", secret, client["client_id"])
        return {**client, "client_secret": secret}

    def in_books(self, slug: str, statement: str, *values: Any) -> None:
        """Change one row of what a simulator keeps: it lets nobody choose a secret."""
        with sqlite3.connect(self.sandbox.state_dir / f"{slug}.sqlite3", timeout=30) as books:
            changed = books.execute(statement, values).rowcount
        books.close()
        if changed != 1:
            message = f"{slug}: {changed} rows instead of one"
            raise AssertionError(message)

    def choose_secret(self, slug: str, told: str, client_id: str) -> str:
        """In place of what the simulator handed out to a customer; known by it from now on."""
        secret = odd()
        if slug == "procountor":
            digests = (sha256(secret.encode()).hexdigest(), sha256(told.encode()).hexdigest())
            self.in_books(slug, "UPDATE api_keys SET digest = ? WHERE digest = ?", *digests)
        elif slug == "simutek":
            digest = sha256(secret.encode()).hexdigest()
            self.in_books(slug, "UPDATE clients SET digest = ? WHERE id = ?", digest, client_id)
        else:
            self.in_books(slug, "UPDATE clients SET secret = ? WHERE id = ?", secret, client_id)
        return secret

    def _know_the_keys(self) -> None:
        self.needles.add("Django's secret key", self.keys.secret_key.read_text().strip())
        for name, path in (("KEK", self.keys.kek), ("web keyset", self.keys.web_keyset)):
            for key in json.loads(path.read_text())["key"]:
                value = key["keyData"]["value"]
                self.needles.add(f"{name}, as its file has it", value)
                self.needles.add(f"{name}, its bytes", base64.b64decode(value)[-32:])

    # -- processes ---------------------------------------------------------------------------------------------------

    def _demo_data(self, clients: dict[str, dict[str, str]]) -> None:
        chosen = self.folders.state / "sandbox" / "chosen.json"
        chosen.touch(0o600)
        chosen.write_text(json.dumps({"clients": clients, "hosts": self.sandbox.hosts}))
        child = self.plan.command("demo_data", "demo_data", "--sandbox", str(chosen))
        child.start(self.folders, REPOSITORY)
        assert child.process is not None
        assert child.process.wait(120) == 0, self.log("demo_data")
        told = json.loads((self.folders.state / "demo.json").read_text())["sign_ins"]
        self.sign_ins = {each["email"]: each["password"] for each in told}
        from connections.tenancy.models import Tenant, TenantState

        until(lambda: Tenant.objects.filter(slug="aamu", state=TenantState.ACTIVE).exists(), "the tenant's keys")

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.plan.port), timeout=2).close()
        except OSError:
            return False
        return True


class Tap:
    """Writes down every command that the broker is given, published messages among them, which are kept nowhere."""

    def __init__(self, address: str, path: Path) -> None:
        self.path = path
        self._link = socket.socket(socket.AF_UNIX)
        self._link.connect(address)
        self._link.sendall(b"MONITOR\r\n")
        assert self._link.recv(5) == b"+OK\r\n"
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        with self.path.open("wb") as file:
            while data := self._link.recv(1 << 16):
                file.write(data)
                file.flush()

    def close(self) -> None:
        self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._link.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """A process and all that came of it."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents.setdefault(int(fields[1]), []).append(int(each.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += parents.get(found[-1], [])
    return found
