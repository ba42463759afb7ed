"""A whole house in a folder of its own: PostgreSQL, Valkey, sandbox, workers and beat as real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal.devserver.children import Child, Plan
from portal.devserver.postgres import Postgres
from portal.devserver.state import Folders
from portal.devserver.valkey import Valkey
from portal.operations import roles
from portal.operations.keys import ensure_keys
from tests import warm_server
from tests.sandbox_server import REPOSITORY, SandboxServer

_PASSWORD = "postgres.password"
OURS = ("PORTAL_", "DATABASE_URL", "BROKER_URL", "DJANGO_")


class House:
    """`start` returns when everything runs and Django is set up in this process, as the tables' owner.

    What imports Django's models is imported late, because the database they need is started here.
    """

    def __init__(
        self,
        state: Path,
        *,
        latency_ms: int = 0,
        records: str = "demo",
        lease_seconds: int = 30,
        sweep_seconds: int = 5,
        hosts: Mapping[str, Mapping[str, str]] | None = None,
        app: str = "portal",
    ) -> None:
        """`hosts` stand in for some of the simulators' addresses; `app` is the Celery application of the workers."""
        self.folders = Folders(state)
        self.hosts, self.app = dict(hosts or {}), app
        self.latency_ms, self.records = latency_ms, records
        self.timing = {"PORTAL_LEASE_SECONDS": str(lease_seconds), "PORTAL_SWEEP_SECONDS": str(sweep_seconds)}
        self.children: dict[str, Child] = {}
        self.is_set_up = False

    def start(self) -> None:
        self.sandbox = SandboxServer(self.folders.state / "sandbox", records=self.records, latency_ms=self.latency_ms)
        self.start_servers()
        self.sandbox.start()
        self.plan = replace(self.plan, sandbox_hosts=json.dumps({**self.sandbox.hosts, **self.hosts}))
        self.set_up_django()
        for child in (self._worker("interactive"), self._worker("sync"), self._worker("mail"), self.plan.beat()):
            self.run(child)

    def start_servers(self) -> None:
        """PostgreSQL with the roles and tables, Valkey, keys; nothing of this machine's environment is used.

        As a part of a test run it begins with a copy of the cluster that the first drill of such a run has made.
        """
        warm = os.environ.get("PORTAL_TEST_SERVER")
        seed = Path(warm, "drills") if warm else None
        for name in [name for name in os.environ if name.startswith(OURS)]:
            del os.environ[name]
        os.environ.update(self.timing)
        self.folders.make()
        is_seeded = seed is not None and _copy_cluster(seed, self.folders.state)
        self.keys = ensure_keys(self.folders.state / "keys")
        password = self.keys.password("postgres")
        self.postgres = Postgres(self.folders, superuser_password=password, throw_away=seed is not None)
        self.valkey = Valkey(self.folders)
        self.postgres.start()
        self.valkey.start()
        passwords = {role: self.keys.password(role) for role in roles.LOGINS}
        roles.ensure_database(self.postgres.admin_address(), "portal")
        roles.ensure_roles(self.postgres.admin_address("portal"), passwords, reset_passwords=True)
        owner, web, worker = (self.postgres.address(role, passwords[role]) for role in roles.LOGINS)
        self.plan = Plan(
            mode="demo",
            port=8000,
            state=self.folders.state,
            owner_url=owner,
            web_url=web,
            worker_url=worker,
            broker_url=self.valkey.address,
            secret_key={"PORTAL_SECRET_KEY_FILE": str(self.keys.secret_key)},
            web_keyset={"PORTAL_WEB_KEYSET_FILE": str(self.keys.web_keyset)},
            kek={"PORTAL_KEK_FILE": str(self.keys.kek)},
            smtp={},
        )
        if is_seeded:
            return
        migrate = self.plan.command("migrate", "migrate", "--no-input")
        migrate.start(self.folders, REPOSITORY)
        assert migrate.process is not None
        assert migrate.process.wait(300) == 0, (self.folders.log / "migrate.log").read_text()
        if seed is not None:
            self._keep_cluster(seed)

    def _keep_cluster(self, seed: Path) -> None:
        """For the drills that come after this one; `seed` lies in a folder that is named after the migrations."""
        with warm_server.locked(seed.parent):
            if seed.exists() or self.postgres.data.parent != self.folders.state:
                return
            self.postgres.stop()
            draft = seed.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(self.postgres.data, draft / "postgres")
            shutil.copy2(self.folders.state / "keys" / _PASSWORD, draft)
            draft.rename(seed)
            self.postgres.start()

    def set_up_django(self, **more: str) -> None:
        """In this process, as the tables' owner."""
        os.environ.update({**self.plan.command("", "").environment, **more})
        import django

        django.setup()
        self.is_set_up = True

    def act_as_worker(self) -> None:
        """From here on this process is a worker, for the database too."""
        self._log_in(self.plan.worker_url)

    def act_as_web(self) -> None:
        """From here on this process is the web, for the database too."""
        self._log_in(self.plan.web_url)

    def act_as_owner(self) -> None:
        """Back to the tables' owner, who fills them."""
        self._log_in(self.plan.owner_url)

    def _log_in(self, url: str) -> None:
        from django.db import connection

        connection.close()
        login = urlsplit(url).username
        connection.settings_dict.update(USER=login, PASSWORD=self.keys.password(login or ""))

    def run(self, child: Child) -> None:
        child.start(self.folders, REPOSITORY)
        self.children[child.name] = child

    def kill_worker(self, queue: str) -> None:
        """The worker and all its pool children at once, as when a machine loses power."""
        process = self.children[f"worker-{queue}"].process
        assert process is not None
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: the group's number is its pid
        process.wait()

    def start_worker(self, queue: str) -> None:
        self.run(self._worker(queue))

    def _worker(self, queue: str) -> Child:
        child = self.plan.worker(queue)
        child.arguments = tuple(self.app if each == "portal" else each for each in child.arguments)
        return child

    def log(self, name: str) -> str:
        """The process's log since its last start, and of the start before."""
        paths = [self.folders.log / f"{name}.log.1", self.folders.log / f"{name}.log"]
        return "\n".join(path.read_text(errors="replace") for path in paths if path.exists())

    def stop(self) -> None:
        for child in self.children.values():
            if child.process is not None and child.process.poll() is None:
                os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        if self.is_set_up:
            from django.db import connections

            connections.close_all()
        for name in ("sandbox", "valkey", "postgres"):
            if hasattr(self, name):
                getattr(self, name).stop()

    def connected(self, name: str = "Aamu Oy", slug: str = "aamu") -> Any:
        """An active tenant's connection to the simulator, with a working key; our registration is stored."""
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from connections.vault import services as vault
        from connections.vault.models import Connection
        from connections.vault.secret import Secret

        self.register("procountor")
        tenant = self.tenant(name, slug)
        made = self.sandbox.setup_company()
        with tenant_scope(tenant.id):
            connection = vault.open_connection(
                tenant=tenant, provider="procountor", environment="sandbox", actor=SYSTEM
            )
            key = Secret(made["api_key"])
            vault.store_credential(connection=connection, name="api_key", secret=key, actor=SYSTEM)
            vault.bind_company(connection=connection, company_id=str(made["company_id"]), company_name=name)
            vault.mark_healthy(connection=connection)
        return Connection.objects.select_related("tenant").get(id=connection.id)

    def register(self, provider: str) -> None:
        """Store our registration at this simulator, if it has one."""
        from connections.vault import services as vault
        from connections.vault.key_models import SystemKey
        from connections.vault.secret import Secret

        until(SystemKey.objects.exists, "the first worker's house key")
        if ours := self.sandbox.clients.get(provider):
            vault.register_client(
                provider=provider,
                environment="sandbox",
                client_id=ours["client_id"],
                client_secret=Secret(ours["client_secret"]),
                redirect_uri=ours.get("redirect_uri", ""),
            )

    def tenant(self, name: str, slug: str) -> Any:
        """A new tenant, once a worker has made its keys."""
        from connections.jobs.models import Job
        from connections.tenancy.models import Tenant, TenantState
        from connections.vault import services as vault

        tenant = vault.create_tenant(name=name, slug=slug)
        until(
            Tenant.objects.filter(id=tenant.id, state=TenantState.ACTIVE).exists,
            lambda: f"the tenant's keys; jobs: {list(Job.objects.values())}",
        )
        return tenant


def _copy_cluster(seed: Path, state: Path) -> bool:
    """Whether there was one; it keeps its superuser's password, so that a house with passwords of its own goes without."""
    keys = state / "keys"
    if not seed.exists() or (keys / _PASSWORD).exists():
        return False
    shutil.copytree(seed / "postgres", state / "postgres")
    keys.mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(seed / _PASSWORD, keys)
    return True


@contextmanager
def running(house: House) -> Iterator[None]:
    """Start everything, and stop it at the end; where that is a trouble, the processes' logs stay behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    begun = time.monotonic()
    try:
        house.start()
        print(f"everything runs after {time.monotonic() - begun:.1f} s", flush=True)
        yield
    except BaseException:
        kept = tempfile.mkdtemp(prefix="portal-drill-logs-")
        shutil.copytree(house.folders.log, kept, dirs_exist_ok=True)
        print(f"the processes' logs: {kept}", file=sys.stderr)
        raise
    finally:
        house.stop()


def until(reached: Callable[[], Any], what: str | Callable[[], str], seconds: float = 60, every: float = 0.02) -> Any:
    """Wait for a truthy answer and return it. Ends the drill, saying what never came."""
    deadline = time.monotonic() + seconds
    while not (found := reached()):
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: waited {seconds:.0f} s for {what if isinstance(what, str) else what()}")
        time.sleep(every)
    return found
