"""Plants the secrets of all five providers, has them used in good times and bad ones, and looks for them everywhere.

    python -m tests.drills.canaries

Real PostgreSQL, Valkey, sandbox, web server, Celery workers and beat, in a temporary folder. Planted: our registrations'
secrets, customers' keys and secrets (right ones and mistaken ones), tokens, codes, `state` and PKCE verifiers as the
simulators' grants bring them, database passwords, the KEK, the web keyset, Django's key; those that can be chosen hold
what every encoding writes in its own way. They are used: connect, sync, try a request, refusals in which the provider
repeats what it was sent, failures of our own in web and worker, reconnect, disconnect.

Then they are looked for in plain, URL-encoded, double-URL-encoded, base64, base64url, hex and JSON-escaped form: in every
table, in the broker, in files and mails, in every page that was answered, in exceptions, and in what processes were
started with. What is allowed to be somewhere stands in canary_sinks.ALLOWED, with its reason. In the end 20 leaks are
planted in these same places, and each must be caught. Ends with 1 where a secret is found or a leak is not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import urlencode

import psycopg

from tests.drills.canary_house import CanaryHouse, Needles
from tests.drills.canary_leaks import COUNT, Leaking
from tests.drills.canary_sinks import Place, sweep
from tests.drills.canary_visitor import Pages, Visitor
from tests.drills.house import running, until
from tests.sandbox_server import REPOSITORY

OWNER, ADMIN, SUPPORT = "aino@aamu.example", "arvo@pilotage.example", "sanna@pilotage.example"


@dataclass
class Figures:
    auth_methods: int = 0
    secrets: dict[str, int] = field(default_factory=dict)  # by kind
    secrets_of_providers: dict[str, list[str]] = field(default_factory=dict)
    pages: int = 0
    exceptions: int = 0
    mails: int = 0
    bytes_searched: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    allowed: int = 0
    planted: int = 0
    caught: int = 0
    missed: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Drill:
    def __init__(self, house: CanaryHouse, *, short: bool) -> None:
        self.house, self.needles, self.short = house, house.needles, short
        self.pages, self.figures = Pages(), Figures()
        self.exceptions: list[Place] = []

    def go(self) -> Figures:
        from tests.contract.auth_methods import auth_methods, first_ways
        from tests.drills.canary_customers import Guest, Watch

        self.watch = Watch(self.needles)
        self.guests = [
            Guest(self.house, auth_method, self._company(f"guest-{number}"), self._person(OWNER))
            for number, auth_method in enumerate(first_ways() if self.short else auth_methods())
        ]
        self.figures.auth_methods = len(self.guests)
        self._step("they connect", *(guest.come for guest in self.guests))
        for guest in self.guests:
            if not guest.is_connected:
                sys.exit(f"FAILED: {guest.auth_method} did not connect: {guest.marks}")
        self._step(
            "they meet trouble",
            *(partial(self._trouble, slug) for slug in {each.auth_method.slug for each in self.guests}),
        )
        self._step("mails", self._send_mails)
        self._step("exceptions of a worker", self._meet_exceptions)
        self._step("failures of our own", self._stumble)
        self._step("pages are read", self._read)
        self._step("a sweep", self._sweep)
        self._step("they connect again", *(guest.reconnect for guest in self.guests))
        self._step("they leave", *(guest.leave for guest in self.guests))
        self._step("strange questions", self._ask_strangely)
        if not self.short:
            self._step("pages are read", self._read)
        self._step("a sweep", self._sweep)
        self._count()
        self._step("leaks are planted", self._plant)
        return self.figures

    def close(self) -> None:
        if hasattr(self, "watch"):
            self.watch.close()

    def _step(self, what: str, *deeds: Callable[[], object]) -> None:
        """All of them at the same time."""
        begun = time.monotonic()
        with ThreadPoolExecutor(max(len(deeds), 1)) as together:
            for done in [together.submit(_alone, deed) for deed in deeds]:
                done.result()
        print(f"  {what}: {time.monotonic() - begun:.1f} s", flush=True)

    def _company(self, slug: str) -> Any:
        """A tenant whose owner is the demo's."""
        from portal.members.models import Membership, User
        from portal.members.permissions import Role

        tenant = self.house.tenant(f"Vieras {slug} Oy", slug)
        owner = User.objects.get(email=OWNER)
        Membership(tenant=tenant, user=owner, role=Role.OWNER).save(force_insert=True)
        return tenant

    def _person(self, email: str) -> Visitor:
        return Visitor(self.house.origin, self.pages, email).sign_in(self.house.sign_ins[email])

    def _trouble(self, slug: str) -> None:
        """One after the other, so that nobody is told another's secrets."""
        for guest in self.guests:
            if guest.auth_method.slug == slug:
                guest.meet_troubles(self.short)

    # -- more uses ---------------------------------------------------------------------------------------------------

    def _send_mails(self) -> None:
        owner = self._person(OWNER)
        owner.submit(owner.get("/t/aamu/team/"), "/team/invite/", email="uusi@aamu.example", role="viewer")
        passer_by = Visitor(self.house.origin, self.pages)
        asked = passer_by.get("/account/password/reset/")
        passer_by.submit(asked, "/account/password/reset/", email="onni@aamu.example")
        self._mails_are_there(2)

    def _mails_are_there(self, least: int) -> None:
        folder = self.house.folders.state / "mail"
        until(lambda: len(list(folder.glob("*"))) >= least, f"{least} mails")
        self.figures.mails = len(list(folder.glob("*")))

    def _meet_exceptions(self) -> None:
        """In a process of its own, with nothing but a worker's environment."""
        from connections.transport.models import Breaker

        named = [f"{guest.connection.tenant_id}:{guest.connection.id}" for guest in self.guests]
        command = [
            sys.executable,
            "-m",
            "tests.drills.canary_worker",
            self.house.sandbox.ui,
            "3" if self.short else "99",
            *named,
        ]
        environment = dict(self.house.plan.worker("sync").environment)
        with (self.house.folders.log / "worker-in-trouble.log").open("wb") as log:
            worker = subprocess.run(
                command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=log, timeout=300
            )
        if worker.returncode:
            sys.exit(f"FAILED: {self.house.log('worker-in-trouble')[-3000:]}")
        self.exceptions += [(where, text) for where, text in json.loads(worker.stdout)]
        self.figures.exceptions = len(self.exceptions)
        Breaker.objects.all().delete()

    def _stumble(self) -> None:
        """The web cannot store what is typed in, workers cannot store the tokens they get; neither expects it."""
        from django.utils import timezone

        from connections.vault.models import Grant

        typing = next(guest for guest in self.guests if guest.secret_fields)
        before = len(list((self.house.folders.state / "mail").glob("*")))
        with TypingRefused(self.house):
            answer = typing.give_anew()
        if answer.status_code != 500:
            sys.exit(f"FAILED: the web did not stumble, but answered {answer.status_code}")
        self._mails_are_there(before + 1)
        Grant.objects.update(expires_at=timezone.now(), issued_at=timezone.now() - timedelta(hours=1))
        stumbling = self.guests[:2] if self.short else self.guests
        with TokensRefused(self.house) as refused:
            for guest in stumbling:
                guest.sync_now()
            until(lambda: self._stumbled() >= len(stumbling), "workers to stumble")
        if len(tokens := refused.tokens()) < len(stumbling):
            sys.exit(f"FAILED: {len(tokens)} tokens were refused by the database")
        for token in tokens:
            self.needles.add("access token that could not be stored", token)
        for guest in self.guests:
            guest.quiet()

    def _stumbled(self) -> int:
        return self.house.log("worker-sync").count(" failed: ")

    def _read(self) -> None:
        """As everybody whom pages are shown to."""
        before = self.pages.answers
        for email in (OWNER, SUPPORT, ADMIN):
            person = self._person(email)
            starts = ["/", "/you/", "/demo/mail/"] if email == OWNER else ["/admin/"]
            homes = [guest.home for guest in self.guests] if email == OWNER else []
            person.crawl([*homes, *starts], 1 if self.short else 10)
        self.figures.pages += self.pages.answers - before

    def _ask_strangely(self) -> None:
        """Secrets in addresses and in forms that are refused: answers and logs must not repeat them."""
        everybody = (self._person(OWNER), Visitor(self.house.origin, self.pages))
        codes, states = self.needles.named("code of"), self.needles.named("state of")
        keys = [*self.needles.named("customer's"), *self.needles.named("access token")][:8]
        for person in everybody:
            for key in keys:
                person.get(f"/nothing/here/?{urlencode({'token': key})}")
                person.get(f"/t/aamu/nothing/?{urlencode({'key': key})}")
                person.post("/account/login/", {"login": key})
            for code, state in zip(codes, states, strict=False):
                asked = urlencode({"code": code, "state": state})
                for slug in ("procountor", "hesabit", "smartbusiness"):
                    person.get(f"/callback/{slug}/?{asked}")

    # -- looking -----------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self.watch.look()
        found = sweep(self.house, self.needles, self.pages, self.exceptions)
        self.figures.found += [each for each in found.leaks if each not in self.figures.found]
        self.figures.allowed = sum(found.allowed.values())
        if idle := [f"{each.what} in {each.where}" for each, times in found.allowed.items() if not times]:
            sys.exit(f"FAILED: nothing is gained by allowing {'; '.join(idle)}, or it was not searched")
        self.figures.bytes_searched = found.looked
        for each in found.leaks:
            print(f"  FOUND {each}", flush=True)
        if empty := [name for name, size in found.looked.items() if not size]:
            sys.exit(f"FAILED: there was nothing to search in {', '.join(empty)}")

    def _count(self) -> None:
        """By kind, and the kinds of each provider, whose slug or way ends what a secret is called."""
        called = self.needles.names()
        self.figures.secrets = dict(Counter(map(kind_of, called)))
        for guest in self.guests:
            slug = guest.auth_method.slug
            own = {kind_of(what) for what in called if re.search(rf" (?:of|at) {slug}(?:-|$)", what)}
            self.figures.secrets_of_providers[slug] = sorted(own)

    def _plant(self) -> None:
        """The sweep that found nothing is worth what it catches."""
        planted = Leaking(self.house, self.exceptions, self._person(OWNER), self._person(ADMIN)).all()
        found = sweep(self.house, self.needles, self.pages, self.exceptions).leaks
        self.figures.planted = len(planted)
        for leak in planted:
            if any(leak.is_caught_by(hit) for hit in found):
                self.figures.caught += 1
            else:
                self.figures.missed.append(str(leak))


def kind_of(what: str) -> str:
    return re.split(" of | at ", what)[0]


def _alone(deed: Callable[[], object]) -> None:
    """A thread has a connection of its own, which ends with it."""
    from django.db import connection

    try:
        deed()
    finally:
        connection.close()


class Sabotage:
    """Something that no code of ours expects of the database, while it lasts."""

    begins, ends = "", ""

    def __init__(self, house: CanaryHouse) -> None:
        self.house = house

    def __enter__(self) -> Self:
        self._do(self.begins)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self.ends)

    def _do(self, statement: str) -> None:
        with psycopg.connect(self.house.postgres.admin_address("portal")) as link:
            link.execute(statement)  # type: ignore[arg-type]


class TypingRefused(Sabotage):
    """The web may not store what is typed in."""

    begins = "REVOKE INSERT, UPDATE ON vault_credential FROM portal_web"
    ends = "GRANT INSERT, UPDATE ON vault_credential TO portal_web"


class TokensRefused(Sabotage):
    """Workers cannot store the tokens that they have just been given. The server's log keeps them, sealed."""

    begins = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE LOG 'refused % % %', NEW.id, NEW.key_version, encode(NEW.access_ciphertext, 'hex');"
        " RAISE 'not this: %', NEW; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE OF access_ciphertext ON vault_grant FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    ends = "DROP TRIGGER refuse ON vault_grant; DROP FUNCTION refuse()"

    def tokens(self) -> list[str]:
        """What was given, and is stored nowhere."""
        from connections.vault.models import Grant
        from tests.drills.canary_echo import opened

        refused = re.findall(r"refused (\S+) (\d+) ([0-9a-f]+)", self.house.log("postgres"))
        rows = {str(row.id): row for row in Grant.objects.select_related("connection")}
        tokens = []
        for row_id, version, ciphertext in refused:
            row = rows[row_id]
            row.key_version, row.access_ciphertext = int(version), bytes.fromhex(ciphertext)
            tokens.append(opened(row, "access_ciphertext"))
        return tokens


def table(found: Figures) -> str:
    rows = [
        ("ways that were connected", found.auth_methods),
        ("secrets", ", ".join(f"{kind} {number}" for kind, number in sorted(found.secrets.items()))),
        ("pages read, mails, exceptions", f"{found.pages}, {found.mails}, {found.exceptions}"),
        ("searched (kB)", ", ".join(f"{name} {size // 1000}" for name, size in found.bytes_searched.items())),
        ("at home by necessity", found.allowed),
        ("found", len(found.found)),
        ("leaks planted, caught", f"{found.planted}, {found.caught}"),
        ("took", f"{found.seconds:.0f} s"),
    ]
    return "\n".join(f"{name:32} {value}" for name, value in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="each provider in one way, fewer exceptions and pages")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    begun = time.monotonic()
    with TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = CanaryHouse(Path(folder, "var"), Needles())
        with running(house), closing(Drill(house, short=options.short)) as drill:
            figures = drill.go()
            figures.seconds = round(time.monotonic() - begun, 1)
            print(table(figures))
            if options.json:
                print(json.dumps(asdict(figures)))
            if missed := [*figures.found, *(f"not caught: {each}" for each in figures.missed)]:
                sys.exit("FAILED:\n" + "\n".join(missed))
            if figures.planted != COUNT:
                sys.exit(f"FAILED: {figures.planted} leaks were planted, not {COUNT}")


if __name__ == "__main__":
    main()
