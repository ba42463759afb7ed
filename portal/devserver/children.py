"""The portal's own processes: what each runs, which part of the environment it gets, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.devserver.process_user import ProcessUser
from portal.devserver.servers import Step
from portal.devserver.state import Folders

_PLAIN: tuple[Step, ...] = ((signal.SIGTERM, 6.0),)
# Celery lets running tasks finish at the first, hands them back at the second.
_CELERY: tuple[Step, ...] = ((signal.SIGTERM, 5.0), (signal.SIGQUIT, 5.0))

# Whatever else stands in our environment is nobody's business there.
_INHERITED = tuple(
    ["PATH", "HOME", "USER", "LANG", "LANGUAGE", "TERM", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE"]
)
OURS = ("PORTAL_", "DATABASE_URL", "BROKER_URL", "DJANGO_SETTINGS_MODULE")
_SECRETS = ("PORTAL_SECRET_KEY", "PORTAL_WEB_KEYSET", "PORTAL_KEK", "PORTAL_SMTP_URL")

MAIL_QUEUES = "urgent-mail,mail"
DEMO_WEB_THREADS = 4  # each has a connection to the database, which holds some 9 MB there


@dataclass
class Child:
    """One process of ours. `parent_signal` is what it gets if we are killed."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    steps: tuple[Step, ...] = _PLAIN
    parent_signal: int = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, folders: Folders, cwd: Path) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches us alone."""
        with folders.fresh_log(self.name).open("wb") as output:
            self.process = ProcessUser().spawn(
                (sys.executable, *self.arguments),
                output=output,
                environment=dict(self.environment),
                parent_signal=self.parent_signal,
                cwd=cwd,
            )

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


@dataclass(frozen=True)
class Plan:
    """What the processes need to know: addresses, key files, ports. No process gets all of it."""

    mode: str
    port: int
    state: Path
    owner_url: str
    web_url: str
    worker_url: str
    broker_url: str
    secret_key: Mapping[str, str]
    web_keyset: Mapping[str, str]
    kek: Mapping[str, str]
    smtp: Mapping[str, str]
    sandbox_hosts: str = ""

    def _environment(self, process: str, database: str, *more: Mapping[str, str]) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in _INHERITED
            or name.startswith("LC_")
            or (name.startswith("PORTAL_") and not name.startswith(_SECRETS))
        }
        hosts = {"PORTAL_SANDBOX_HOSTS": self.sandbox_hosts} if self.sandbox_hosts else {}
        demo = {"PORTAL_ORIGIN": f"http://localhost:{self.port}"} if self.mode == "demo" else {}
        ours = {
            "PORTAL_MODE": self.mode,
            "PORTAL_PROCESS": process,
            "PORTAL_VAR": str(self.state),
            "DATABASE_URL_FILE": str(self._address_file(process, database)),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONUNBUFFERED": "1",
        }
        broker_file = os.environ.get("BROKER_URL_FILE")
        broker = {"BROKER_URL_FILE": broker_file} if broker_file else {"BROKER_URL": self.broker_url}
        environment = demo | inherited | hosts | ours | broker | dict(self.secret_key)
        for part in more:
            environment |= part
        return environment

    def _address_file(self, process: str, address: str) -> Path:
        """A file, because it holds a password, and an environment is copied into every child and many a report."""
        path = self.state / "keys" / f"{process}.database"
        _write_private(path, address)
        return path

    def write_owner_environment(self) -> None:
        """For `make manage`, which runs commands beside these processes."""
        environment = self._environment("owner", self.owner_url)
        ours = {name: value for name, value in environment.items() if name.startswith(OURS)}
        _write_private(owner_environment(self.state), json.dumps(ours))

    def command(self, name: str, *arguments: str) -> Child:
        """A `manage.py` command that runs as the tables' owner and ends by itself."""
        return Child(name, ("manage.py", *arguments), self._environment("owner", self.owner_url))

    def web(self, *options: str) -> Child:
        """Never gets the KEK."""
        server = ("manage.py", "serve", "--listen", f"127.0.0.1:{self.port}", *options)
        return Child("web", server, self._environment("web", self.web_url, self.web_keyset))

    def processes(self) -> tuple[Child, ...]:
        """What serves people and does the jobs: in the demo fewer processes, as each holds all of Django."""
        if self.mode == "production":
            workers = (self.worker(queue) for queue in ("interactive", "sync", "exports", "mail"))
            return self.web(), *workers, self.beat()
        web, sync = self.web("--threads", str(DEMO_WEB_THREADS)), self._demo_worker("sync", "sync,exports")
        if self.smtp:
            # A mail server may hang, and a check that somebody waits for must not wait for it.
            mail = self._demo_worker("mail", MAIL_QUEUES, smtp=self.smtp)
            return web, self._demo_worker("interactive", "interactive", "--beat"), sync, mail
        return web, self._demo_worker("interactive", f"interactive,{MAIL_QUEUES}", "--beat"), sync

    def worker(self, queue: str) -> Child:
        """The one for mail serves urgent mail as well, in turns, and it alone is told how to reach the mail server."""
        is_mail = queue == "mail"
        queues = MAIL_QUEUES if is_mail else queue
        celery = f"-m celery --app portal --quiet worker --queues {queues} --concurrency 2 --pool prefork".split()
        # Workers have nothing to tell each other; and a heartbeat that finds no broker holds the whole worker up, time
        # limits of its tasks included, until there is one.
        quiet = f"--hostname {queue}@%h --without-mingle --without-gossip --without-heartbeat --loglevel INFO".split()
        environment = self._environment("worker", self.worker_url, self.kek, self.smtp if is_mail else {})
        return Child(f"worker-{queue}", (*celery, *quiet), environment, steps=_CELERY)

    def _demo_worker(self, name: str, queues: str, *options: str, smtp: Mapping[str, str] | None = None) -> Child:
        """With threads, see portal/devserver/worker.py. A sync's slices take long, so they have a worker of their own."""
        arguments = ("-m", "portal.devserver.worker", "--name", name, "--queues", queues, *options)
        environment = self._environment("worker", self.worker_url, self.kek, smtp or {})
        return Child(f"worker-{name}", arguments, environment, steps=_CELERY)

    def beat(self) -> Child:
        """Rings the doorbell; has no key of any kind beside Django's."""
        schedule = self.state / "beat" / "schedule"
        schedule.parent.mkdir(exist_ok=True)
        celery = (
            "-m",
            "celery",
            "--app",
            "portal",
            "--quiet",
            "beat",
            "--schedule",
            str(schedule),
            "--loglevel",
            "INFO",
        )
        return Child("beat", celery, self._environment("beat", self.worker_url))


def owner_environment(state: Path) -> Path:
    """The file that holds it while everything runs, as JSON; the next start clears its folder."""
    return state / "run" / "owner.environment"


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)  # whoever is just starting reads all of it


def sandbox(state: Path, port: int) -> Child:
    """The simulated providers: they know nothing of the portal, so nothing of its environment either."""
    ports = ("--ui-port", str(port + 1), "--api-port", str(port + 2))
    arguments = (
        "-m",
        "connections.sandbox",
        "--state",
        str(state),
        *ports,
        "--records",
        "demo",
        "--portal",
        f"http://localhost:{port}",
    )
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return Child("sandbox", arguments, {**inherited, "PYTHONUNBUFFERED": "1"})
