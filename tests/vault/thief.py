"""A server of somebody who has stolen a database login, and what of other people's secrets has reached it."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import trustme
from django.db import ProgrammingError, transaction
from django.db import connection as database

from connections.tenancy.scope import staff_scope, tenant_scope
from connections.transport.http import dns
from tests.roles import acting_as
from tests.transport.hostile import HostileServer

SHORTEST = 6  # a shorter word may stand somewhere by chance
SAID_IN = ("transport_entry", "onboarding_evidence", "jobs_job", "sync_runlogline", "tenancy_auditevent")
COUNT = "secrets that reached another place than they were given for"
TRIES = "ways tried to send them there"


class Listener(HostileServer):
    """With a certificate for these names and for this machine's own."""

    def __init__(self, folder: Path, *hosts: str, tls: bool = True) -> None:
        super().__init__(folder, tls=tls)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        self._context = self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost", "::ffff:127.0.0.1", *hosts).configure_cert(self._own)

    def reached_by(self, secrets: Iterable[str]) -> list[str]:
        """Those of them that came here, in whatever form; everything that was ever sent is looked through."""
        traffic = b"\n".join(line.head + b"\n" + line.body for line in self.asked)
        return [secret for secret in secrets if any(form in traffic for form in forms(secret))]


def forms(secret: str) -> set[bytes]:
    """The text as it is, and as it travels: in addresses, JSON, hexadecimal, and base64 from whatever byte on."""
    raw = secret.encode()
    written = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    written |= {raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # Without the characters at both ends in which other bytes have a share.
            whole = encode(b"\0" * before + raw)
            written.add(whole[(0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(raw)) % 3]])
    return written


def resolve_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below `.example` is this machine."""
    real = dns.look_up

    def looked_up(host: str, port: int) -> list[Any]:
        return real("127.0.0.1" if host.endswith(".example") else host, port)

    monkeypatch.setattr(dns, "look_up", looked_up)


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside is taken back, in a test that is one transaction."""
    before = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(before)


@contextmanager
def stolen(login: str, tenant_id: Any) -> Iterator[None]:
    """What whoever has the web's login can do: name any tenant, or take the staff's role."""
    with acting_as("web"):
        if login == "staff":
            with staff_scope():
                yield
        else:
            with tenant_scope(tenant_id):
                yield


def run(login: str, tenant_id: Any, sql: str, values: Iterable[Any]) -> bool:
    """Whether the stolen login may; where it may not, the owner of the database does it all the same."""

    def execute() -> None:
        with database.cursor() as cursor:
            cursor.execute(sql, list(values))

    try:
        with transaction.atomic(), stolen(login, tenant_id):
            execute()
    except ProgrammingError as refused:
        assert "permission denied" in str(refused) or "row-level security" in str(refused)
        with transaction.atomic():
            execute()
        return False
    return True


def everything_said(log: pytest.LogCaptureFixture, errors: Iterable[str] = ()) -> str:
    """All that was said about what happened: logs, the request log, findings, reasons of jobs, exceptions."""
    with database.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT each::text FROM {name} AS each" for name in SAID_IN))
        rows = [row for (row,) in cursor.fetchall()]
    return "\n".join([log.text, *(str(vars(record)) for record in log.records), *rows, *errors])


def repeated(text: str, secrets: Iterable[str], *addresses: str) -> list[str]:
    """The secrets and the addresses that stand in a text."""
    encoded = text.encode()
    return [each for each in secrets if any(form in encoded for form in forms(each))] + [
        each for each in addresses if each in text
    ]
