"""Asks a provider that behaves as badly as it can, in every way we know, and measures what each way costs.

    python -m tests.drills.hostile --total 5

Client, tokens and sync engine do all they do for real: PostgreSQL, the request log, TLS over loopback; the provider is a
process of its own. Every behaviour must end in its deadline and a second, in 150 MB, with a fault that has words for the
customer and for us. Meanwhile another worker's calls to an honest provider must go on, without a gap of more than a
second, and the next, honest call to this one must be answered. What is measured is one attempt: nothing is retried in
place. `--total` shortens the deadlines, as waiting longer shows nothing new; caps are the default ones. Ends with 1 where
one does not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.drills.house import House
from tests.drills.neighbour import Neighbour
from tests.sandbox_server import REPOSITORY

MEMORY = 150.0  # MB


@dataclass
class Outcome:
    name: str
    group: str
    seconds: float
    grown_mb: float
    gap: float  # seconds, between two good answers that another worker had meanwhile
    error: str = ""
    fault: str = ""
    wrong: str = ""


class Provider:
    """The other side of tests/drills/hostile_provider.py."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.drills.hostile_provider", str(folder)]
        self.child = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        port, self.behaviours = json.loads(self._line())
        self.address, self.ca = f"https://127.0.0.1:{port}", str(folder / "ca.pem")

    def behave(self, name: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{name}\n")
        self.child.stdin.flush()
        assert self._line() == "ok"

    def stop(self) -> None:
        self.child.kill()
        self.child.wait()

    def _line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()


class Drill:
    """Connections to the same bad provider: one that speaks JSON, one XML, one JSON of a dialect of its own."""

    def __init__(self, house: House, provider: Provider, beside: Provider, total: float, grace: float) -> None:
        """`beside` stays honest."""
        self.provider, self.beside, self.total, self.grace = provider, beside, total, grace
        self._prepare()
        self.asking: dict[str, Callable[[], tuple[str, Any]]] = {
            "call": lambda: self._caught(lambda: self._client().send("session")),
            "token": lambda: self._caught(lambda: self._client().new_token()),
            "page": lambda: self._run(self.json),
            "xml": lambda: self._run(self.xml),
            "dialect": lambda: self._run(self.dialect),
        }
        house.act_as_worker()
        for place in self.asking:  # everything is loaded and warm before anything is measured
            self._honest(place)
        self.neighbour = Neighbour(self.other, {"procountor": self._hosts(beside)})
        self.begun_mb = _memory("VmRSS")

    @staticmethod
    def _hosts(provider: Provider) -> Any:
        from portal.env import SandboxHosts

        return SandboxHosts(api=f"{provider.address}/api", ca=provider.ca)

    def _prepare(self) -> None:
        from django.conf import settings

        from connections.jobs import services as jobs
        from connections.jobs.models import Job
        from connections.providers import registry
        from connections.spec.provider import Deadlines
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from connections.transport.limits import retry
        from connections.vault import keys
        from connections.vault import services as vault
        from connections.vault.secret import Secret
        from portal.env import SandboxHosts

        jobs._ring = None  # nobody listens
        retry.LONGEST_RETRY_WAIT_SECONDS = 0.0  # one attempt is measured
        address, ca = self.provider.address, self.provider.ca
        settings.SANDBOX_HOSTS = {
            "procountor": self._hosts(self.provider),
            "pentamic": SandboxHosts(api=address, token=address, ca=ca),
        }
        short = Deadlines(connect=self.total, read=self.total, total=self.total, token_total=self.total)
        for slug, kept in (("procountor", "partners"), ("pentamic", "customers")):
            described = registry.all_providers()[slug]
            stream = replace(described.stream(kept), permission=None, variants=())
            lifted = tuple(replace(quota, calls=10**6) for quota in described.quotas)
            for name, value in {"quotas": lifted, "streams": (stream,), "deadlines": short}.items():
                object.__setattr__(described, name, value)  # frozen, as it should be
        keys.make_system_key()
        vault.register_client(
            provider="procountor", environment="sandbox", client_id="ours", client_secret=Secret("drill-secret")
        )
        tenant = vault.create_tenant(name="Aamu Oy", slug="aamu")
        lease = jobs.claim(Job.objects.get(subject=tenant.id).id)
        assert lease is not None
        keys.make_tenant_key(lease)
        tenant.refresh_from_db()
        typed = {"api_url": address, "auth_url": address, "client_id": "theirs", "scope": "all"}
        with tenant_scope(tenant.id):
            opened = [
                vault.open_connection(tenant=tenant, provider=slug, environment="sandbox", actor=SYSTEM)
                for slug in ("procountor", "procountor", "pentamic", "pentamic")
            ]
            self.json, self.other, self.xml, self.dialect = opened
            vault.store_settings(connection=self.xml, values=typed | {"format": "xml"}, actor=SYSTEM)
            vault.store_settings(connection=self.dialect, values=typed | {"format": "json"}, actor=SYSTEM)
            for connection, name in zip(opened, ("api_key", "api_key", "client_secret", "client_secret"), strict=True):
                vault.store_credential(connection=connection, name=name, secret=Secret("k" * 40), actor=SYSTEM)
                vault.mark_healthy(connection=connection)

    def go(self) -> list[Outcome]:
        outcomes = []
        for name, (place, group) in self.provider.behaviours.items():
            self.provider.behave(name)
            _leave()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            answered, begun = self.neighbour.begin(), time.monotonic()
            error, fault = self.asking[place]()
            seconds, peak = time.monotonic() - begun, _memory("VmHWM")
            gap = self.neighbour.gap(answered, self.total + self.grace)
            outcome = Outcome(name, group, seconds, peak - self.begun_mb, gap, error, fault.code if fault else "")
            outcome.wrong = self._wrong(outcome, fault) or self._honest(place)
            outcomes.append(outcome)
            if outcome.wrong:
                print(f"WRONG {name}: {outcome}", flush=True)
        return outcomes

    def _wrong(self, outcome: Outcome, fault: Any) -> str:
        if fault is None:
            return outcome.error
        if not (str(fault.customer_message).strip() and fault.staff_message.strip()):
            return "a fault without words"
        if outcome.seconds > self.total + self.grace:
            return "too long"
        if outcome.gap > self.grace:
            return "another worker had to wait"
        return "too much memory" if outcome.grown_mb > MEMORY else ""

    def _honest(self, place: str) -> str:
        """What is wrong with an honest call after it, '' for nothing."""
        from connections.tenancy.scope import tenant_scope
        from connections.transport.models import Breaker
        from connections.vault.models import Grant

        # A provider as bad as this one would rightly be left alone for a while; here the next behaviour is wanted.
        Breaker.objects.all().delete()
        with tenant_scope(self.json.tenant_id):  # nor would what it has just refused be sent again at once
            Grant.objects.update(refusals=0, wait_until=None, wait_with="")
        self.provider.behave("honest")
        if place not in ("call", "token"):
            error, fault = self.asking[place]()
            return "" if error == "succeeded" and fault is None else f"then an honest run: {error} {fault}"
        try:
            client = self._client()
            if place == "token":
                client.new_token()
            assert client.send("session").body == {"a": 1}
        except Exception as failed:
            return f"then an honest call: {failed!r}"
        return ""

    # -- asking ----------------------------------------------------------------------------------------------------

    def _client(self) -> Any:
        from connections.transport.client import Client

        return Client(connection=self.json)

    @staticmethod
    def _caught(ask: Callable[[], Any]) -> tuple[str, Any]:
        from connections.spec.errors import CallFailed

        try:
            ask()
        except CallFailed as failed:
            return type(failed).__name__, failed.fault
        except Exception as crash:
            return f"crashed: {crash!r}", None
        return "answered", None

    @staticmethod
    def _run(connection: Any) -> tuple[str, Any]:
        """A whole sync run, as its job does it: how it ended, and its fault."""
        from connections.jobs.models import Job
        from connections.jobs.tasks import work
        from connections.sync import faults
        from connections.sync.models import Trigger
        from connections.sync.services import cancel_run, start_run
        from connections.tenancy.scope import SYSTEM, tenant_scope

        with tenant_scope(connection.tenant_id):
            run = start_run(connection=connection, trigger=Trigger.HAND, actor=SYSTEM)
            job = Job.objects.get(kind="sync.run", subject=run.id)
        work(str(job.id))
        with tenant_scope(connection.tenant_id):
            job.refresh_from_db()
            run.refresh_from_db()
            state, fault = run.state, run.fault
            cancel_run(run=run, actor=SYSTEM)
        if job.failures:
            return f"the job failed: {job.reason}", None
        return state, faults.resolve_fault(provider=connection.provider, code=fault) if fault else None


def _leave() -> None:
    """Connections left open would spare the next behaviour its handshake."""
    from connections.transport.http import session as http_session

    for session in http_session._local.__dict__.pop("sessions", {}).values():
        session.close()


def _memory(line: str) -> float:
    """MB of this process: VmRSS now, VmHWM at its highest."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def table(outcomes: list[Outcome], total: float, seconds: float) -> str:
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.group].append(outcome)
    lines = [f"{'':12}{'behaviours':>11}{'slowest s':>11}{'most MB':>9}{'gap s':>7}  faults"]
    for group, its in groups.items():
        faults = ", ".join(sorted({each.fault for each in its}))
        slowest, most = max(each.seconds for each in its), max(each.grown_mb for each in its)
        gap = max(each.gap for each in its)
        lines.append(f"{group:12}{len(its):11}{slowest:11.2f}{most:9.1f}{gap:7.2f}  {faults}")
    greedy = max(outcomes, key=lambda each: each.grown_mb)
    slow = max(outcomes, key=lambda each: each.seconds)
    lines += [
        f"{len(outcomes)} behaviours, {sum(bool(each.wrong) for each in outcomes)} wrong; deadline {total:g} s",
        f"slowest: {slow.name}, {slow.seconds:.2f} s; most memory: {greedy.name}, {greedy.grown_mb:.1f} MB",
        f"took {seconds:.0f} s",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--total", type=float, default=5.0, help="seconds of every deadline")
    parser.add_argument("--grace", type=float, default=1.0, help="seconds beyond the deadline")
    parser.add_argument("--json", action="store_true", help="print the outcomes as one line of JSON at the end")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    house = House(folder / "var")
    provider, beside = Provider(folder / "provider"), Provider(folder / "beside")
    drill = None
    try:
        house.start_servers()
        house.set_up_django(PORTAL_KEK_FILE=str(house.keys.kek))
        begun = time.monotonic()
        drill = Drill(house, provider, beside, options.total, options.grace)
        outcomes = drill.go()
        print(table(outcomes, options.total, time.monotonic() - begun))
        if options.json:
            print(json.dumps([asdict(each) for each in outcomes]))
    finally:
        if drill is not None:
            drill.neighbour.stop()
        provider.stop()
        beside.stop()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(any(each.wrong for each in outcomes))


if __name__ == "__main__":
    main()
