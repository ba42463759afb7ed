"""Twenty leaks, planted in the house's own tables, broker, logs, mails, pages, exceptions and processes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import cycle
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
import redis

from portal.devserver.children import Child
from tests.drills.canary_errors import text_of
from tests.drills.canary_house import CanaryHouse, Needles
from tests.drills.canary_sinks import Place
from tests.drills.canary_visitor import Visitor

COUNT = 20
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL-encoded": lambda secret: quote(secret, safe=""),
    "double-URL-encoded": lambda secret: quote(quote(secret, safe=""), safe=""),
    "base64": lambda secret: base64.b64encode(f"x:{secret}.".encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(f"xy:{secret}.".encode()).decode().rstrip("="),
    "hex": lambda secret: secret.encode().hex().upper(),
    "JSON-escaped": lambda secret: json.dumps({"it": secret}),
}


@dataclass(frozen=True)
class Leak:
    """A secret that was written where it must not be; `place` is how its name begins."""

    what: str
    form: str
    place: str

    def is_caught_by(self, hit: str) -> bool:
        return hit.startswith(self.what) and f", {self.form}, in {self.place}" in hit

    def __str__(self) -> str:
        return f"{self.what}, {self.form}, in {self.place}"


class Leaking:
    """Plants each leak with another secret, of all providers and kinds in turn, and in another form."""

    def __init__(self, house: CanaryHouse, exceptions: list[Place], reader: Visitor, staff: Visitor) -> None:
        self.house, self.exceptions, self.reader, self.staff = house, exceptions, reader, staff
        self.leaks: list[Leak] = []
        self._secrets = cycle(one_of_each(house.needles))
        self._forms = cycle(FORMS)

    def all(self) -> list[Leak]:
        self._in_tables()
        self._in_the_broker()
        self._in_files()
        self._in_pages()
        self._in_exceptions()
        self._in_processes()
        return self.leaks

    def next(self, place: str, form: str = "") -> str:
        """A secret as it is to be written at a place, noted as a leak there."""
        what, secret = next(self._secrets)
        form = form or next(self._forms)
        self.leaks.append(Leak(what, form, place))
        return FORMS[form](secret)

    # -- tables ------------------------------------------------------------------------------------------------------

    def _in_tables(self) -> None:
        with psycopg.connect(self.house.postgres.admin_address("portal")) as link:

            def write(statement: str, value: Any) -> None:
                changed = link.execute(statement, [value]).rowcount  # type: ignore[arg-type]
                assert changed > 0, statement

            one = "WHERE id = (SELECT id FROM {0} LIMIT 1)".format
            text = self.next("table portal.transport_entry_", "plain")
            write(f"UPDATE transport_entry SET path_template = %s {one('transport_entry')}", text)
            text = self.next("table portal.tenancy_auditevent", "JSON-escaped")
            write(f"UPDATE tenancy_auditevent SET details = %s::jsonb {one('tenancy_auditevent')}", text)
            text = self.next("table portal.notices_outgoingmail.ciphertext", "plain")
            write(f"UPDATE notices_outgoingmail SET ciphertext = %s {one('notices_outgoingmail')}", text.encode())
            text = self.next("table portal.vault_pin")
            write(f"UPDATE vault_pin SET certificate = %s {one('vault_pin')}", text)
            link.execute("CREATE SCHEMA aside")
            link.execute("CREATE TABLE aside.notes (words text[])")
            write("INSERT INTO aside.notes VALUES (ARRAY['so', %s])", self.next("table portal.notes", "base64url"))

    # -- the broker ----------------------------------------------------------------------------------------------------

    def _in_the_broker(self) -> None:
        path = unquote(urlsplit(self.house.plan.broker_url).path)
        first, seventh = redis.Redis(unix_socket_path=path), redis.Redis(unix_socket_path=path, db=7)
        first.rpush("a-queue", "so", self.next("broker 0 b'a-queue'"))
        seventh.hset("a-task", "arguments", self.next("broker 7 b'a-task'"))
        seventh.set(self.next("broker 7, a key's name", "URL-encoded"), "it", ex=600)
        first.set("a-result", self.next("file valkey/"), ex=1)  # it is gone soon, and stays in the append-only file
        first.publish("celery.pidbox", self.next("file log/broker-tap.log", "hex"))
        first.close()
        seventh.close()

    # -- files ---------------------------------------------------------------------------------------------------------

    def _in_files(self) -> None:
        state = self.house.folders.state
        for name in ("worker-sync", "web"):  # of their last run: into these logs nobody writes any more
            (state / "log" / f"{name}.log.1").write_text(f"so {self.next(f'file log/{name}.log.1')} it is\n")
        (state / "exports").mkdir()
        (state / "exports" / "entries.csv").write_text(f"1;{self.next('file exports/', 'double-URL-encoded')};2\n")
        mail = EmailMessage()
        mail["Subject"] = f"It is {self.next('mail leak.log, its headers', 'base64url')}"
        mail.set_content(f"Hyvä asiakas, {self.next('mail leak.log, decoded', 'plain')}", cte="base64")
        (state / "mail" / "leak.log").write_bytes(mail.as_bytes())

    # -- pages -----------------------------------------------------------------------------------------------------------

    def _in_pages(self) -> None:
        from connections.jobs.models import Job
        from connections.vault.models import Connection

        connection = Connection.objects.select_related("tenant").order_by("created_at")[0]
        text = self.next(f"page GET /t/{connection.tenant.slug}/", "plain")
        Connection.objects.filter(id=connection.id).update(company_name=text)
        self.reader.get(f"/t/{connection.tenant.slug}/")
        job = Job.objects.order_by("created_at")[0]
        text = self.next("page GET /admin/jobs/job/", "hex")
        Job.objects.filter(id=job.id).update(reason=text[:200])
        self.staff.get(f"/admin/jobs/job/{job.id}/change/")

    # -- exceptions and processes ----------------------------------------------------------------------------------------

    def _in_exceptions(self) -> None:
        """One that a later one hides, and that nobody prints."""
        try:
            try:
                raise ValueError(self.next("exception of nobody", "base64"))
            except ValueError:
                raise KeyError from None
        except KeyError as error:
            self.exceptions.append(("exception of nobody", text_of(error)))

    def _in_processes(self) -> None:
        environment = {"TOKEN": self.next("environment of leaky", "JSON-escaped")}
        argument = self.next("command line of leaky", "URL-encoded")
        leaky = Child("leaky", ("-c", "import time; time.sleep(600)", argument), environment)
        self.house.run(leaky)


def one_of_each(needles: Needles) -> Iterator[tuple[str, str]]:
    """The first secret of every kind, as text: the kinds of all providers."""
    seen: set[str] = set()
    for what, secret in needles.whole():
        if isinstance(secret, str) and what not in seen:
            seen.add(what)
            yield what, secret
