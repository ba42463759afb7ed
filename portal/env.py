"""What differs by place: read from the environment, checked here, refused with one clear line."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent

MODES = ("demo", "production")
PROCESSES = ("web", "worker", "beat", "owner", "backup")
# By this name a start in production recognises the server of `make run`, and refuses it.
EMBEDDED_CLUSTER_NAME = "portal-embedded"

# Milliseconds after which the database ends what a process of ours began. A page is short and a job is not; a migration
# takes the time it takes. `make run` gives them to the roles, too.
DATABASE_TIMEOUTS = {
    process: dict(
        zip(
            ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"),
            (seconds * 1000 for seconds in limits),
            strict=True,
        )
    )
    for process, limits in {
        "web": (15, 5, 60),
        "worker": (120, 30, 300),
        "beat": (15, 5, 60),
        "owner": (0, 0, 0),
        "backup": (0, 0, 0),
    }.items()
}
CONNECT_SECONDS = 5
BROKERS = ("redis", "rediss", "redis+socket")


class BadEnvironment(Exception):
    """A setting that cannot be used. The text names the variable and the way out, never its value."""


def text(name: str, default: str = "") -> str:
    """`NAME`, or the content of the file that `NAME_FILE` names. A named but unreadable file is refused."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"{name}_FILE cannot be read ({error.strerror}). Name a readable file."
            raise BadEnvironment(message) from None
    return os.environ.get(name) or default


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of `allowed`; `default` where nothing is set. Raises BadEnvironment."""
    value = os.environ.get(name) or default
    if value not in allowed:
        message = f"{name} must be one of {', '.join(allowed)}."
        raise BadEnvironment(message)
    return value


def number(name: str, default: int, *, minimum: int | None = None) -> int:
    """A whole number; `default` where nothing is set. Raises BadEnvironment, also below `minimum`."""
    value = os.environ.get(name) or str(default)
    try:
        parsed = int(value)
    except ValueError:
        message = f"{name} must be a whole number."
        raise BadEnvironment(message) from None
    if minimum is not None and parsed < minimum:
        message = f"{name} must be {minimum} or more."
        raise BadEnvironment(message)
    return parsed


def names(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def networks(name: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Networks with commas between them, none where nothing is set. Raises BadEnvironment."""
    try:
        return tuple(ipaddress.ip_network(each) for each in names(name))
    except ValueError:
        message = f"{name} must be networks such as 10.0.0.0/16, with commas between them."
        raise BadEnvironment(message) from None


def proxy(name: str) -> tuple[str, int] | None:
    """Host and port of ``http://host:port``, None where nothing is set."""
    value = text(name)
    if not value:
        return None
    match = re.fullmatch(r"http://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})/?", value)
    if match is None or not 0 < int(match[2]) < 65536:
        message = (
            f"{name} must be of the form http://host:port, without a name and password: let our hosts in by address."
        )
        raise BadEnvironment(message)
    return match[1].strip("[]"), int(match[2])


def listen(name: str) -> tuple[str, int] | None:
    """Address and port of ``127.0.0.1:9464``, None where nothing is set. Raises BadEnvironment."""
    value = os.environ.get(name, "")
    if not value:
        return None
    host, _, number = value.rpartition(":")
    try:
        address, port = ipaddress.ip_address(host.strip("[]")), int(number)
    except ValueError:
        port = -1
    if not 0 < port < 65536:
        message = f"{name} must be an address and a port, such as 127.0.0.1:9464 or [::1]:9464."
        raise BadEnvironment(message)
    return str(address), port


def database(name: str) -> dict[str, Any]:
    """The Django database settings in the URL `NAME`; ``?host=`` may name the folder of a unix socket."""
    value = text(name)
    if not value:
        message = f"{name} is missing. Use `make run`, or name a PostgreSQL >= 16: postgresql://role:password@host:5432/portal"
        raise BadEnvironment(message)
    url = urlsplit(value)
    try:
        port = url.port
    except ValueError:
        port = -1
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    if url.scheme not in ("postgresql", "postgres") or not url.username or len(url.path) < 2 or port == -1:
        message = f"{name} is not a PostgreSQL address of the form postgresql://role:password@host:5432/portal"
        raise BadEnvironment(message)
    process = os.environ.get("PORTAL_PROCESS") or "owner"
    limits = " ".join(f"-c {limit}={most}" for limit, most in DATABASE_TIMEOUTS.get(process, {}).items())
    host = query.pop("host", "") or (url.hostname or "")
    return {
        "ENGINE": "connections.tenancy.postgresql",
        "NAME": unquote(url.path[1:]),
        "USER": unquote(url.username),
        "PASSWORD": unquote(url.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 600,
        # Workers find out by the statement with which they take work (connections/jobs/kept_connection.py).
        "CONN_HEALTH_CHECKS": process != "worker",
        "OPTIONS": {
            "application_name": f"portal-{process}",
            "connect_timeout": CONNECT_SECONDS,
            "target_session_attrs": "read-write",  # of several servers, and of one that is being made a standby
            # Times that a statement of a prepared cursor is sent before the server keeps it; None: never.
            "prepare_threshold": 0 if number("PORTAL_PREPARED_STATEMENTS", 1) else None,
            **query,
            # What the address says of them comes last, and counts.
            "options": f"{limits} {query.get('options', '')}".strip(),
        },
    }


def broker(name: str) -> str:
    """The broker's address, '' where none is named: Celery would then look for one of its own on this machine."""
    value = text(name)
    if value and urlsplit(value).scheme not in BROKERS:
        message = (
            f"{name} must be of the form redis://host:6379/0, rediss://host:6379/0 or redis+socket:///path/to/socket"
        )
        raise BadEnvironment(message)
    return value


@dataclass(frozen=True)
class SandboxHosts:
    """Where a provider's `sandbox` environment is: base addresses (parts may be missing) and the trusted CA file.

    `plain` is the API without TLS, where a simulator has one; `issuer` what its login page sends as `iss`.
    """

    api: str = ""
    token: str = ""
    authorize: str = ""
    plain: str = ""
    issuer: str = ""
    ca: str = ""


def sandbox_hosts(name: str = "PORTAL_SANDBOX_HOSTS") -> dict[str, SandboxHosts]:
    """JSON ``{"<slug>": {"api": url, "token": url, "authorize": url, "ca": file}}``."""
    value = text(name)
    if not value:
        return {}
    form = f'{name} must be JSON of the form {{"<slug>": {{"api": "https://...", "ca": "file"}}}}'
    try:
        parsed = json.loads(value)
        hosts_by_slug = {slug: SandboxHosts(**parts) for slug, parts in parsed.items()}
    except (ValueError, TypeError, AttributeError):
        raise BadEnvironment(form) from None
    for slug, hosts in hosts_by_slug.items():
        for part in ("api", "token", "authorize", "plain", "issuer"):
            address = getattr(hosts, part)
            if not isinstance(address, str) or (address and not urlsplit(address).netloc):
                message = f"{name}: {slug}.{part} is not an http(s) address."
                raise BadEnvironment(message)
        if hosts.ca and not Path(hosts.ca).is_file():
            message = f"{name}: {slug}.ca names no file."
            raise BadEnvironment(message)
    return hosts_by_slug


def bootstrap_assets() -> list[tuple[str, Path]]:
    """Bootstrap's files as its wheel carries them, served under ``bootstrap/`` from our own origin."""
    spec = importlib.util.find_spec("bootstrap_wrapper")
    if spec is None or spec.origin is None:
        message = "Bootstrap's wheel is not installed. Install the lock: `make runtime`."
        raise BadEnvironment(message)
    return [("bootstrap", Path(spec.origin).parent.parent / "bootstrap")]


def smtp(name: str = "PORTAL_SMTP_URL") -> dict[str, Any]:
    """``smtp://user:password@host:587`` (STARTTLS) or ``smtps://...:465`` as keyword arguments of Django's SMTP backend."""
    value = text(name)
    if not value:
        return {}
    url = urlsplit(value)
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        message = f"{name} must be of the form smtp://user:password@host:587 or smtps://user:password@host:465"
        raise BadEnvironment(message)
    tls = url.scheme == "smtps"
    return {
        "host": url.hostname,
        "port": url.port or (465 if tls else 587),
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "use_ssl": tls,
        "use_tls": not tls and "plain" not in parse_qs(url.query, keep_blank_values=True),
        "timeout": 15,
    }
