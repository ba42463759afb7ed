"""How fast the portal's pages are beside a bare view, and how many statements each asks.

    python -m tests.benchmarks.bench_pages [--rounds 5] [--seconds 1.0] [--profile home]

The bare view has the same middleware, session and scope, one query and a kept connection. All pages take turns in one
run, in this process, as portal_web; medians of the rounds, as ratios to the bare view's rate in the same round.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.drills.house import House

BARE = "a bare view"
CONNECTIONS, RUNS, ENTRIES = 10, 20, 100
GOAL, LEAST = 0.2, 0.1  # of the bare view's rate


@dataclass(frozen=True)
class Pages:
    """Addresses by name, and the cookie of somebody who may see them."""

    addresses: Mapping[str, str]
    cookie: str


@dataclass(frozen=True)
class Figures:
    """Of one page."""

    statements: int
    kilobytes: float
    rates: list[float]  # requests a second, by round
    ratios: list[float]  # to the bare view's rate of the same round

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def fill() -> Pages:
    """A company with connections that have checklists, runs and requests. As the tables' owner, in an empty database."""
    from django.utils import timezone

    from connections.spec.checklist import MarkState
    from connections.sync.models import RunLogLine, RunState, StreamCursor, StreamProgress, SyncRun, Trigger
    from connections.tenancy.models import Tenant, TenantState
    from connections.tenancy.scope import SYSTEM, tenant_scope
    from connections.transport.models import RequestLogEntry
    from connections.vault.services import bind_company, mark_healthy
    from portal.members.models import Membership, User
    from portal.members.permissions import Role
    from portal.onboarding.models import Evidence, Mark
    from portal.onboarding.services import begin

    now = timezone.now()
    tenant = Tenant.objects.create(name="Bench Oy", slug="bench", state=TenantState.ACTIVE)
    user = User.objects.create_user("bench@bench.example", "not asked for here")
    ids: dict[str, Any] = {}
    with tenant_scope(tenant.id):
        Membership(tenant=tenant, user=user, role=Role.OWNER).save(force_insert=True)
        for number in range(CONNECTIONS):
            connection = begin(tenant=tenant, provider="procountor", environment="test", actor=SYSTEM).connection
            bind_company(connection=connection, company_id=str(number), company_name=f"Kirjat {number} Oy")
            mark_healthy(connection=connection)
            for mark in Mark.objects.filter(onboarding__connection=connection):
                Evidence(tenant=tenant, mark=mark, state=mark.state, code="check-gave-up").save(force_insert=True)
            Mark.objects.filter(onboarding__connection=connection).update(state=MarkState.VERIFIED.value)
            for stream in ("invoices", "partners"):
                StreamCursor(tenant=tenant, connection=connection, stream=stream, records=1000, read_at=now).save(
                    force_insert=True
                )
            for age in range(RUNS):
                at = now - timedelta(hours=age)
                run = SyncRun(tenant=tenant, connection=connection, trigger=Trigger.SCHEDULE, state=RunState.SUCCEEDED)
                run.queued_at = run.started_at = run.ended_at = at
                run.save(force_insert=True)
                for order, stream in enumerate(("invoices", "partners")):
                    part = {"stream": stream, "order": order, "seen": 1000, "expected": 1000}
                    StreamProgress(tenant=tenant, run=run, **part).save(force_insert=True)
            ids = {"connection": connection.id, "run": run.id}
        for number in range(ENTRIES):
            at = now - timedelta(seconds=number)
            RunLogLine(tenant=tenant, run_id=ids["run"], at=at, code="started").save(force_insert=True)
            RequestLogEntry(
                id=uuid.uuid4(),
                at=at,
                tenant=tenant,
                connection_id=ids["connection"],
                run_id=ids["run"],
                provider="procountor",
                environment="test",
                operation="invoices.list",
                method="GET",
                path_template="/invoices",
                status=200,
                outcome="answered",
                duration_ms=12,
                provider_request_id=uuid.uuid4().hex,
            ).save(force_insert=True)
    connection_page = f"/t/bench/c/{ids['connection']}/"
    return Pages(
        addresses={
            BARE: "/t/bench/bare/",
            "home": "/t/bench/",
            "checklist": f"{connection_page}checklist/",
            "connection": connection_page,
            "run": f"{connection_page}runs/{ids['run']}/",
        },
        cookie=session_of(user),
    )


def session_of(user: Any) -> str:
    """The cookie of a new session of this person."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from portal.members.sessions import start_clock

    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    request: Any = type("Request", (), {"session": session})
    start_clock(request)
    session.save()
    return session.session_key or ""


def asking(pages: Pages) -> Callable[[str], bytes]:
    """What asks the application for an address and returns the page. Raises AssertionError for any other answer."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    host = urlsplit(settings.ORIGIN)
    cookie = f"{settings.SESSION_COOKIE_NAME}={pages.cookie}"

    def ask(address: str) -> bytes:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address.partition("?")[0],
            "QUERY_STRING": address.partition("?")[2],
            "SERVER_NAME": host.hostname,
            "SERVER_PORT": "80",
            "HTTP_HOST": host.netloc,
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_COOKIE": cookie,
            "wsgi.input": BytesIO(),
            "wsgi.url_scheme": host.scheme,
        }
        response: Any = application(environ, lambda status, *_: statuses.append(status))
        content = b"".join(response)
        response.close()
        assert int(statuses[0].split()[0]) == HTTPStatus.OK, (address, statuses, content[:500])
        return content

    return ask


def statements_of(ask: Callable[[str], bytes], address: str) -> int:
    """How many one request sends, the transaction's own among them."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        ask(address)
    return len(seen)


def measure(pages: Pages, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """By page. In each round every page is asked for during `seconds`."""
    ask = asking(pages)
    sizes = {name: len(ask(address)) / 1024 for name, address in pages.addresses.items()}
    counts = {name: statements_of(ask, address) for name, address in pages.addresses.items()}
    rates: dict[str, list[float]] = {name: [] for name in pages.addresses}
    for _ in range(rounds):
        for name, address in pages.addresses.items():
            rates[name].append(_rate(ask, address, seconds))
    return {
        name: Figures(
            counts[name], sizes[name], own, [each / bare for each, bare in zip(own, rates[BARE], strict=True)]
        )
        for name, own in rates.items()
    }


def _rate(ask: Callable[[str], bytes], address: str, seconds: float) -> float:
    began, requests = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        ask(address)
        requests += 1
    return requests / spent


def table(figures: Mapping[str, Figures]) -> str:
    lines = [f"{'page':14}{'statements':>11}{'kB':>7}{'requests/s':>12}{'of the bare view':>18}"]
    for name, each in figures.items():
        lines.append(f"{name:14}{each.statements:>11}{each.kilobytes:>7.0f}{each.rate:>12.0f}{each.ratio:>18.2f}")
    lines.append(f"medians of rounds; at least {LEAST} binds, {GOAL} is the goal")
    return "\n".join(lines)


def profile(pages: Pages, name: str) -> None:
    """Print where 200 requests for one page spend their time."""
    ask = asking(pages)
    ask(pages.addresses[name])
    with cProfile.Profile() as profiler:
        for _ in range(200):
            ask(pages.addresses[name])
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(90)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--profile", metavar="PAGE", help="show where the time of this page goes instead")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    try:
        house.start_servers()
        house.set_up_django(PORTAL_WEB_KEYSET_FILE=str(house.keys.web_keyset), PORTAL_ORIGIN="http://localhost:8000")
        pages = fill()
        house.act_as_web()
        add_bare_view()
        if options.profile:
            profile(pages, options.profile)
            return 0
        figures = measure(pages, rounds=options.rounds, seconds=options.seconds)
        print(table(figures))
        return 0 if min(each.ratio for each in figures.values()) >= LEAST else 1
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


def add_bare_view() -> None:
    from django.conf import settings

    settings.ROOT_URLCONF = "tests.benchmarks.bare_view"


if __name__ == "__main__":
    raise SystemExit(main())
