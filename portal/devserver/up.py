"""`manage.py up`: the whole portal from one command, for the demo and for small installations.

Runs before Django's settings are read, because it starts the database they need. Exit codes: 0 stopped on request,
1 something failed to start, or ended again and again, 2 an unusable environment, 3 already running here, 4 a port is taken.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence

from portal import env
from portal.devserver.banner import ready_text
from portal.devserver.children import Plan, owner_environment, sandbox
from portal.devserver.locks import check_port, lock_state_folder
from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders, state_folder
from portal.devserver.stop_signals import StopRequested, StopSignals
from portal.devserver.supervisor import ChildEnded, Supervisor
from portal.devserver.valkey import Valkey
from portal.operations import roles
from portal.operations.keys import ensure_keys
from portal.operations.refusal import Refused


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start everything the portal needs, and the portal."
    )
    parser.add_argument("--port", help="the portal's port; the simulator takes the next ones (PORT, 8000)")
    parser.add_argument("--no-demo", action="store_true", help="no simulator and no demo data")
    options = parser.parse_args(arguments)
    stop_signals = StopSignals()
    try:
        start = Start(port=options.port, demo=not options.no_demo, stop_signals=stop_signals)
    except (Refused, env.BadEnvironment) as refusal:
        return _refused(refusal)
    code = 0
    try:
        start.everything()
        _say(start.ready_text(seconds=time.monotonic() - started))
        start.supervisor.run()
    except StopRequested:
        _say("Stopping ...")
    except Refused as refusal:
        code = _refused(refusal)
    except ChildEnded as end:
        print(f"up: {end}", file=sys.stderr)
        code = 1
    finally:
        owner_environment(start.folders.state).unlink(missing_ok=True)
        start.supervisor.stop()
        start.lock.truncate(0)
        start.lock.close()
    _say("Stopped.")
    return code


SIMULATOR_PORTS = 10  # its pages take the port after ours; the ports of each simulator follow


class Start:
    """One start. Making it checks everything that can be checked before a process runs. Raises Refused, BadEnvironment."""

    def __init__(self, *, port: str | None, demo: bool, stop_signals: StopSignals) -> None:
        self.mode = env.choice("PORTAL_MODE", env.MODES, "demo")
        if port is not None:
            os.environ["PORT"] = port
        self.port = env.number("PORT", 8000)
        if not 0 < self.port < 65530:
            message = "PORT must be between 1 and 65529."
            raise env.BadEnvironment(message)
        _check_environment()
        self.demo = demo and self.mode == "demo"
        self.own_sandbox = self.demo and not os.environ.get("PORTAL_SANDBOX_HOSTS")
        if self.mode == "production" and not env.text("DATABASE_URL"):
            message = (
                "the embedded database is for the demo; in production set DATABASE_URL to a PostgreSQL of your own"
            )
            raise Refused(message)
        if self.mode == "production" and env.text("PORTAL_SANDBOX_HOSTS"):
            message = "PORTAL_SANDBOX_HOSTS is for the demo; remove it where real customers connect"
            raise Refused(message)
        self.folders = Folders(state_folder())
        self.folders.make()
        self.postgres = None if env.text("DATABASE_URL") else Postgres(self.folders)
        if self.postgres:
            self.postgres.check_version()
        self.valkey = None if env.text("BROKER_URL") else Valkey(self.folders)
        self.lock, was_killed = lock_state_folder(self.folders)
        try:
            self._claim_ports(wait_seconds=3.0 if was_killed else 0.0)
            self.folders.clear_run()
            in_use = self.postgres is not None and self.postgres.exists
            self.keys = ensure_keys(self.folders.state / "keys", in_use=in_use)
        except Refused:
            self.lock.truncate(0)
            self.lock.close()
            raise
        self.supervisor = Supervisor(folders=self.folders, cwd=env.BASE_DIR, stop_signals=stop_signals)
        self.addresses = self.folders.state / "sandbox" / "addresses.json"
        self.notes = self.folders.state / "demo.json"

    def _claim_ports(self, *, wait_seconds: float) -> None:
        """What a killed run's children still hold is given a moment. Raises Refused."""
        for port in range(self.port, self.port + (2 + SIMULATOR_PORTS if self.own_sandbox else 1)):
            check_port(port, self.port, wait_seconds=wait_seconds)

    def everything(self) -> None:
        """Raises Refused, ChildEnded, StopRequested."""
        supervisor = self.supervisor
        if self.postgres:
            _say("Starting PostgreSQL ..." if self.postgres.exists else "Making a new PostgreSQL cluster ...")
            self.postgres.superuser_password = self.keys.password("postgres")
            supervisor.serve(self.postgres)
            if self.postgres.first_start:
                self.notes.unlink(missing_ok=True)
        if self.valkey:
            supervisor.serve(self.valkey)
        plan = self._plan(*self._databases())
        if self.own_sandbox:
            self.addresses.parent.mkdir(exist_ok=True)
            supervisor.start(sandbox(self.addresses.parent, self.port))
        _say("Bringing the database up to date ...")
        supervisor.finish(plan.command("migrate", "migrate", "--no-input"), seconds=600)
        if self.mode == "production":
            supervisor.finish(plan.command("collectstatic", "collectstatic", "--no-input"), seconds=120)
        if self.own_sandbox:
            supervisor.until(self.addresses.exists, seconds=60, what="the sandbox")
            hosts = json.loads(self.addresses.read_text(encoding="utf-8"))["hosts"]
            plan = self._plan(plan.owner_url, plan.web_url, plan.worker_url, hosts=json.dumps(hosts))
        _say("Starting the portal ...")
        for child in plan.processes():
            supervisor.start(child)
        if self.demo and not self.notes.exists():
            sandbox_option = ("--sandbox", str(self.addresses)) if self.own_sandbox else ()
            # The workers make the keys that its secrets are sealed with, so it runs beside them.
            supervisor.finish(plan.command("demo_data", "demo_data", *sandbox_option), seconds=120)
        supervisor.until(self._portal_answers, seconds=60, what="the portal")
        plan.write_owner_environment()

    def _databases(self) -> tuple[str, str, str]:
        """The URLs of owner, web and worker. Raises Refused."""
        passwords = {role: self.keys.password(role) for role in roles.LOGINS}
        if self.postgres:
            roles.ensure_database(self.postgres.admin_address(), "portal")
            roles.ensure_roles(self.postgres.admin_address("portal"), passwords, reset_passwords=True)
            owner, web, worker = (self.postgres.address(role, passwords[role]) for role in roles.LOGINS)
            return owner, web, worker
        owner_url = env.text("DATABASE_URL")
        web, worker = env.text("DATABASE_URL_WEB"), env.text("DATABASE_URL_WORKER")
        if web and worker:
            return owner_url, web, worker
        roles.ensure_roles(owner_url, passwords)
        owner, web, worker = (roles.address_as(owner_url, role, passwords[role]) for role in roles.LOGINS)
        for address in (owner, web, worker):
            roles.check_login(address)
        return owner, web, worker

    def _plan(self, owner: str, web: str, worker: str, *, hosts: str = "") -> Plan:
        return Plan(
            mode=self.mode,
            port=self.port,
            state=self.folders.state,
            owner_url=owner,
            web_url=web,
            worker_url=worker,
            broker_url=self.valkey.address if self.valkey else env.text("BROKER_URL"),
            secret_key=_set_by_person("PORTAL_SECRET_KEY") or {"PORTAL_SECRET_KEY_FILE": str(self.keys.secret_key)},
            web_keyset=_set_by_person("PORTAL_WEB_KEYSET") or {"PORTAL_WEB_KEYSET_FILE": str(self.keys.web_keyset)},
            kek=_set_by_person("PORTAL_KEK") or {"PORTAL_KEK_FILE": str(self.keys.kek)},
            smtp=_set_by_person("PORTAL_SMTP_URL"),
            sandbox_hosts=hosts,
        )

    def _portal_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/live", headers={"Host": "localhost"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ready_text(self, *, seconds: float) -> str:
        sandbox = json.loads(self.addresses.read_text(encoding="utf-8")) if self.own_sandbox else {}
        return ready_text(
            portal=os.environ.get("PORTAL_ORIGIN") or f"http://localhost:{self.port}",
            simulator=sandbox.get("ui", ""),
            logs=self.folders.log,
            data=str(self.postgres.data) if self.postgres else "on the server that DATABASE_URL names",
            notes=self.notes,
            is_demo=self.mode == "demo",
            seconds=seconds,
        )


def _check_environment() -> None:
    """Read what the children will read, so that a bad value is one line here. Raises BadEnvironment."""
    env.sandbox_hosts()
    env.smtp()
    env.networks("PORTAL_OWN_NETWORKS")
    env.proxy("PORTAL_EGRESS_PROXY")
    env.number("PORTAL_TRUSTED_PROXIES", 0)
    env.broker("BROKER_URL")
    for name in ("PORTAL_SECRET_KEY", "PORTAL_KEK", "PORTAL_WEB_KEYSET"):
        env.text(name)
    for name in ("DATABASE_URL", "DATABASE_URL_WEB", "DATABASE_URL_WORKER"):
        if env.text(name):
            env.database(name)


def _set_by_person(name: str) -> Mapping[str, str]:
    """What the person set of `NAME` and `NAME_FILE`."""
    return {key: os.environ[key] for key in (name, f"{name}_FILE") if os.environ.get(key)}


def _refused(refusal: Refused | env.BadEnvironment) -> int:
    print(f"up: {refusal}", file=sys.stderr, flush=True)
    return refusal.exit_code if isinstance(refusal, Refused) else 2


def _say(line: str) -> None:
    print(line, flush=True)
