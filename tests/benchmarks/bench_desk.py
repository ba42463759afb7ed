"""How long the staff's pages take over a full house, beside the same pages over a small one and beside a bare admin list.

    python -m tests.benchmarks.bench_desk [--entries 10000000] [--connections 20000] [--tenants 500] [--rounds 5]

A year of the request log, spread evenly. In each round every page is asked for several times, in this process, as portal_web
who becomes staff; p95 of each, as a ratio to that of a bare list (people: one query of one full page). The same is done first
over a hundredth of the rows, but never over so few that a page would not be full: a page of three rows is written faster than
one of a hundred, and that says nothing of the tables. The second ratio compares the two.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_pages import Pages, asking, session_of
from tests.drills.house import House
from tests.pages.statements import Statements

BARE = "a bare list"
TIMES = 8  # a page is asked for in each round
MOST_QUERIES, MOST_RATIO, MOST_GROWTH = 12, 4.0, 2.0
MONTHS = 12
SMALLER = 100
PEOPLE = 60  # in either house: a full page of their list, and no request adds one

TENANTS = """
INSERT INTO tenancy_tenant (id, slug, name, state, created_at)
SELECT gen_random_uuid(), 'desk-' || number, 'Yritys ' || number || ' Oy', 'active', now() - number * interval '1 hour'
FROM generate_series(%(first)s, %(last)s) AS number
"""
# Copies of one connection that the portal's own services have made, so that no column is forgotten here.
CONNECTIONS = """
INSERT INTO vault_connection ({columns})
SELECT {values} FROM vault_connection one, generate_series(%(first)s, %(last)s) AS number,
    LATERAL (SELECT id FROM tenancy_tenant WHERE slug = 'desk-' || (number %% %(tenants)s)) AS tenant
WHERE one.id = %(one)s
"""
ENTRIES = """
INSERT INTO transport_entry (id, at, tenant_id, connection_id, run_id, checkpoint, provider, environment, api_version, operation,
    method, path_template, status, outcome, fault, attempt, duration_ms, bytes_in, provider_request_id, leads_to, trace_id)
SELECT gen_random_uuid(), now() - (number::float8 / %(entries)s) * interval '{months} months', c.tenant_id, c.id, NULL, '',
    c.provider, c.environment, '', CASE WHEN number %% 3 = 0 THEN 'partners.list' ELSE 'invoices.list' END, 'GET', '/invoices',
    CASE WHEN number %% 50 = 0 THEN 503 WHEN number %% 70 = 0 THEN 401 ELSE 200 END,
    CASE WHEN number %% 50 = 0 THEN 'troubled' WHEN number %% 70 = 0 THEN 'refused' ELSE 'answered' END,
    CASE WHEN number %% 50 = 0 THEN 'provider-trouble' WHEN number %% 70 = 0 THEN 'api-key-refused' ELSE '' END,
    1 + (number %% 50 = 0)::int, 20 + number %% 900, 4000, 'req-' || number, '', ''
FROM generate_series(%(first)s, %(last)s) AS number
JOIN desk_connection c ON c.place = number %% %(connections)s
"""
AT_ONCE = 250_000  # entries of one statement


@dataclass(frozen=True)
class Size:
    """How much is in the house."""

    entries: int
    connections: int
    tenants: int

    @property
    def smaller(self) -> Size:
        return Size(
            max(self.entries // SMALLER, FILLS_PAGES.entries),
            max(self.connections // SMALLER, FILLS_PAGES.connections),
            max(self.tenants // SMALLER, FILLS_PAGES.tenants),
        )


# Of the rarest kind of entry that a filter names there is one in seventy.
FILLS_PAGES = Size(entries=10_000, connections=100, tenants=100)


@dataclass(frozen=True)
class PageFigures:
    """Of one page over one house: queries, p95 in milliseconds, and its ratio to the bare list in the same run.

    `queries`: without the statements that begin and end the transaction, and that enter and leave scopes.
    """

    queries: int
    p95_milliseconds: float
    ratio: float


def fill(size: Size, done: Size) -> None:
    """Make the house as large as `size`, where `done` is there already. As the tables' owner."""
    from django.db import connection as database

    from connections.tenancy.models import Tenant
    from connections.tenancy.scope import SYSTEM, tenant_scope
    from connections.transport.log.partitions import month
    from connections.vault.models import Connection
    from connections.vault.services import bind_company, mark_healthy, open_connection

    with database.cursor() as cursor:
        cursor.execute(TENANTS, {"first": done.tenants, "last": size.tenants - 1})
        one = Connection.objects.order_by("created_at").first()
        if one is None:
            tenant = Tenant.objects.earliest("created_at")
            with tenant_scope(tenant.id):
                one = open_connection(tenant=tenant, provider="procountor", environment="test", actor=SYSTEM)
                bind_company(connection=one, company_id="1", company_name="Kirjat Oy")
                mark_healthy(connection=one)
        names = [field.column for field in Connection._meta.concrete_fields]
        others = {
            "id": "gen_random_uuid()",
            "tenant_id": "tenant.id",
            "company_id": "number::text",
            "company_name": "'Kirjat ' || number || ' Oy'",
            "created_at": "now() - number * interval '1 minute'",
        }
        text = CONNECTIONS.format(
            columns=", ".join(names), values=", ".join(others.get(name, f"one.{name}") for name in names)
        )
        numbers = {"first": done.connections, "last": size.connections - 1, "tenants": size.tenants, "one": one.id}
        cursor.execute(text, numbers)
        _make_partitions(cursor, month)
        cursor.execute("DROP TABLE IF EXISTS desk_connection")
        cursor.execute(
            "CREATE TEMPORARY TABLE desk_connection AS SELECT id, tenant_id, provider, environment,"
            " row_number() OVER () - 1 AS place FROM vault_connection"
        )
        cursor.execute("CREATE UNIQUE INDEX ON desk_connection (place)")
        cursor.execute("SELECT count(*) FROM desk_connection")
        connections = cursor.fetchone()[0]
        for first in range(done.entries, size.entries, AT_ONCE):
            last = min(first + AT_ONCE, size.entries) - 1
            cursor.execute(
                ENTRIES.format(months=MONTHS),
                {"first": first, "last": last, "entries": size.entries, "connections": connections},
            )
        cursor.execute("ANALYZE")


def _make_partitions(cursor: Any, month: Any) -> None:
    """Those of the past year; the portal makes only the ones ahead."""
    from django.utils import timezone

    this_month = timezone.now().date().replace(day=1)
    for offset in range(-MONTHS, 0):
        begin, end = month(this_month, offset), month(this_month, offset + 1)
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS transport_entry_{begin:%Y_%m} PARTITION OF transport_entry"
            f" FOR VALUES FROM ('{begin} 00:00Z') TO ('{end} 00:00Z')"
        )


def add_up() -> None:
    """What maintenance adds up of each day that is over. As the owner."""
    from django.db import connection as database

    from connections.transport.log.tallies import add_up_days

    add_up_days()
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def staff_cookie() -> str:
    """Of a new person of support."""
    from portal.members.models import User
    from portal.members.permissions import StaffRole

    user = User.objects.create_user("desk@bench.example", "not asked for here")
    User.objects.filter(pk=user.pk).update(staff_role=StaffRole.SUPPORT)
    user.refresh_from_db()
    User.objects.bulk_create(User(email=f"desk-{number}@bench.example") for number in range(PEOPLE))
    return session_of(user)


def addresses() -> dict[str, str]:
    """Every staff page, each filter of the log, and the box, by name; of rows in the middle of their tables."""
    from django.contrib import admin
    from django.urls import reverse
    from django.utils import timezone

    from connections.transport.models import RequestLogEntry
    from connections.vault.models import Connection

    entry, other = RequestLogEntry.objects.filter(at__lte=timezone.now()).order_by("-at")[100:102]
    connection = Connection.objects.select_related("tenant").get(pk=entry.connection_id)
    log = reverse("admin:transport_requestlogentry_changelist")
    pages = {BARE: reverse("admin:members_user_changelist"), "first page": reverse("admin:index")}
    for model in sorted(admin.site._registry, key=lambda each: each._meta.label):
        pages[f"list {model._meta.model_name}"] = reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
    pages |= {
        "entry": reverse("admin:transport_requestlogentry_change", args=[entry.id]),
        "connection": reverse("admin:vault_connection_change", args=[connection.id]),
        "timeline": reverse("admin:connection_timeline", args=[connection.id]) + "?until=" + _moment(entry.at),
        "tenant": reverse("admin:tenancy_tenant_change", args=[connection.tenant_id]),
        "funnel": reverse("admin:funnels"),
        "what breaks next": reverse("admin:what_breaks_next"),
        "fault": reverse("admin:fault", args=["provider-trouble"]),
        "box: request ids": reverse("admin:search") + f"?q={entry.provider_request_id}+{other.provider_request_id}",
        "box: part of a name": reverse("admin:search") + "?q=ritys",
    }
    since = "since=" + _moment(timezone.now() - timedelta(days=365))
    for name, query in {
        "tenant": f"tenant={connection.tenant.slug}",
        "connection": f"connection={connection.id}",
        "provider": "provider=procountor",
        "environment": "environment=test",
        "operation": "operation=partners.list",
        "outcome": "outcome=refused",
        "status": "status=503",
        "fault": "fault=api-key-refused",
        "duration": "slower=900",
        "attempt": "attempts=1",
    }.items():
        pages[f"log by {name}"] = f"{log}?{query}&{since}"
    return pages


def _moment(at: Any) -> str:
    from portal.support.time_parameters import format_time_parameter

    return format_time_parameter(at)


def measure(pages: Mapping[str, str], cookie: str, *, rounds: int, times: int) -> dict[str, PageFigures]:
    """By page. Pages take turns in each round."""
    ask = asking(Pages({}, cookie))
    for address in pages.values():
        ask(address)  # what only the first request of a session does
    queries = {name: _queries_of(ask, address) for name, address in pages.items()}
    spent: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, address in pages.items():
            for _time in range(times):
                began = time.perf_counter()
                ask(address)
                spent[name].append((time.perf_counter() - began) * 1000)
    p95 = {name: _p95(each) for name, each in spent.items()}
    return {name: PageFigures(queries[name], p95[name], p95[name] / p95[BARE]) for name in pages}


def _queries_of(ask: Callable[[str], bytes], address: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        ask(address)
    sent = Statements([query["sql"] for query in seen.captured_queries])
    return sent.count - sent.kinds["transaction"] - sent.kinds["scope"]


def _p95(values: list[float]) -> float:
    # Of few values the other method gives one above the slowest that was measured.
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def table(few: Mapping[str, PageFigures], many: Mapping[str, PageFigures]) -> str:
    lines = [f"{'page':28}{'queries':>11}{'p95 ms':>9}{'to a bare list':>16}{'to a small house':>18}"]
    for name, each in many.items():
        growth = each.p95_milliseconds / few[name].p95_milliseconds
        marks = "".join(
            mark
            for mark, is_over in (
                (" queries", each.queries > MOST_QUERIES),
                (" slow", each.ratio > MOST_RATIO),
                (" grows", growth > MOST_GROWTH),
            )
            if is_over
        )
        lines.append(
            f"{name:28}{each.queries:>11}{each.p95_milliseconds:>9.1f}{each.ratio:>16.2f}{growth:>18.2f}{marks}"
        )
    lines.append(
        f"at most {MOST_QUERIES} queries, {MOST_RATIO} times a bare list, {MOST_GROWTH} times a small house;"
        " what is over is named"
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.INFO)  # a line for each page would be measured, too
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    try:
        house.start_servers()
        house.set_up_django(PORTAL_WEB_KEYSET_FILE=str(house.keys.web_keyset), PORTAL_ORIGIN="http://localhost:8000")
        size = Size(options.entries, options.connections, options.tenants)
        figures = []
        cookie, done = staff_cookie(), Size(0, 0, 0)
        for each in (size.smaller, size):
            began = time.perf_counter()
            house.act_as_owner()
            fill(each, done)
            add_up()
            pages = addresses()
            print(f"{each} filled in {time.perf_counter() - began:.0f} s", flush=True)
            house.act_as_web()
            figures.append(measure(pages, cookie, rounds=options.rounds, times=TIMES))
            done = each
        print(table(*figures))
        return 0
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
