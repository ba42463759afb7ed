"""How long the pages of records take over a long list, beside the same pages over one of 10,000, and their statements.

    python -m tests.benchmarks.bench_records [--records 1000000] [--rounds 5]

Two connections of one company, one with 10,000 invoices and one with `--records`, in one table. Their pages take turns in one
run, in this process, as portal_web behind row security; the median time of each, and the median of the ratios of each round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks.bench_pages import Pages, asking, session_of, statements_of
from tests.drills.house import House

FEW = 10_000
TIMES = 7  # a page is asked for in each round
MOST_STATEMENTS, MOST_RATIO = 15, 1.5
CHANGES = 12  # of the record whose page is measured

# A change each second, the newest last; every hundredth record is gone; a thousand names.
FILL = """
INSERT INTO sync_record (tenant_id, connection_id, stream, external_id, body, change_number, added_at, changed_at, gone_at,
    search_1, search_2, entry_id)
SELECT %(tenant)s, %(connection)s, 'invoices', number::text, format(
    '{"id": %%s, "type": "SALES_INVOICE", "status": "PAID", "invoiceNumber": %%s, "date": "2026-05-04", "dueDate": "2026-05-18",'
    ' "invoiceSumInfo": [{"currency": "EUR", "invoiceSumTotal": %%s.50}], "counterParty": {"counterPartyAddress": {"name":'
    ' "Yritys %%s Oy", "street": "Keksitty katu 1", "city": "MALLILA"}}, "version": "2026-05-04T10:00:00", "notes": "%%s"}',
    number, 100000 + number, number, number %% 1000, repeat('muistio ', 20))::json,
    %(before)s + number, at, at, CASE WHEN number %% 100 = 0 THEN at END,
    (100000 + number)::text, format('yritys %%s oy', number %% 1000), gen_random_uuid()
FROM generate_series(1, %(count)s) AS number, LATERAL (SELECT now() - (%(count)s - number) * interval '1 second' AS at) AS moment
"""
HISTORY = """
INSERT INTO sync_recordversion (tenant_id, connection_id, stream, external_id, change_number, body, changed_at, replaced_at)
SELECT tenant_id, connection_id, stream, external_id, change_number - number,
    replace(body::text, '"PAID"', format('"STATUS %%s"', number))::json, changed_at - number * interval '1 day',
    changed_at - (number - 1) * interval '1 day'
FROM sync_record, generate_series(1, %(changes)s) AS number
WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = 'invoices' AND external_id = %(id)s
"""


@dataclass(frozen=True)
class Lists:
    """The addresses of the same pages over a short list and over a long one, by name, and a member's cookie."""

    few: Mapping[str, str]
    many: Mapping[str, str]
    cookie: str


@dataclass(frozen=True)
class PageFigures:
    """Of one page: the statements it sends over each list, the median milliseconds, and the ratio of them by round."""

    statements: tuple[int, int]
    milliseconds: tuple[float, float]
    ratios: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def fill(few: int, many: int) -> Lists:
    """A company with both lists. As the tables' owner, in an empty database."""
    from django.db import connection as database

    from connections.tenancy.models import Tenant, TenantState
    from connections.tenancy.scope import tenant_scope
    from portal.members.models import Membership, User
    from portal.members.permissions import Role

    tenant = Tenant.objects.create(name="Bench Oy", slug="records", state=TenantState.ACTIVE)
    user = User.objects.create_user("records@bench.example", "not asked for here")
    with tenant_scope(tenant.id):
        Membership(tenant=tenant, user=user, role=Role.VIEWER).save(force_insert=True)
        lists = [_list(tenant, few, 0), _list(tenant, many, few)]
    with database.cursor() as cursor:
        cursor.execute("ANALYZE sync_record")
        cursor.execute("ANALYZE sync_recordversion")
    return Lists(lists[0], lists[1], session_of(user))


def _list(tenant: Any, count: int, before: int) -> dict[str, str]:
    from django.db import connection as database
    from django.utils import timezone

    from connections.providers import registry
    from connections.sync.models import StreamCursor
    from connections.sync.searching import searched_by
    from connections.tenancy.scope import SYSTEM
    from connections.vault.services import mark_healthy, open_connection

    connection = open_connection(tenant=tenant, provider="procountor", environment="test", actor=SYSTEM)
    mark_healthy(connection=connection)
    stream = next(each for each in registry.all_providers()["procountor"].streams if each.name == "invoices")
    StreamCursor(
        tenant=tenant,
        connection=connection,
        stream="invoices",
        records=count,
        read_at=timezone.now(),
        searched_by=searched_by(stream),
    ).save(force_insert=True)
    middle = str(count // 2)
    values = {"tenant": tenant.id, "connection": connection.id, "count": count, "before": before}
    with database.cursor() as cursor:
        cursor.execute(FILL, values)
        cursor.execute(HISTORY, {**values, "id": middle, "changes": CHANGES})
    place = f"/t/records/c/{connection.id}/records/invoices/"

    def address(**query: str) -> str:
        return f"{place}?{urlencode(query)}"

    return {
        "the newest": place,
        "in the middle": address(after=json.dumps([before + count // 2])),
        "back from there": address(before=json.dumps([before + count // 2])),
        "the last page": address(after=json.dumps([before + 30])),
        "changed today": address(since=timezone.localdate().isoformat()),
        "changed by now": address(since="2999-01-01"),
        "gone": address(show="gone"),
        "by id": address(by="id", q="1"),
        "by number": address(by="1", q="10"),
        "by name": address(by="2", q="yritys"),
        "by name, further": address(by="2", q="yritys", after=json.dumps(["yritys 500 oy", middle])),
        "by no name": address(by="2", q="nobody"),
        "one record": f"{place}record/?id={middle}",
        "its JSON": f"{place}record/json/?id={middle}",
    }


def measure(lists: Lists, *, rounds: int, times: int) -> dict[str, PageFigures]:
    """By page. In each round every page is asked for `times` times over either list."""
    ask = asking(Pages({}, lists.cookie))
    for address in [*lists.few.values(), *lists.many.values()]:
        ask(address)  # what only the first request of a session does
    counts = {name: (statements_of(ask, lists.few[name]), statements_of(ask, lists.many[name])) for name in lists.few}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in lists.few}
    for _ in range(rounds):
        for name in lists.few:
            spent[name].append((_time(ask, lists.few[name], times), _time(ask, lists.many[name], times)))
    return {
        name: PageFigures(
            counts[name],
            (statistics.median(few for few, _ in each), statistics.median(many for _, many in each)),
            [many / few for few, many in each],
        )
        for name, each in spent.items()
    }


def _time(ask: Callable[[str], bytes], address: str, times: int) -> float:
    """The median milliseconds of a request."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        ask(address)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def table(figures: Mapping[str, PageFigures], few: int, many: int) -> str:
    lines = [f"{'page':20}{'statements':>14}{f'{few:,}: ms':>16}{f'{many:,}: ms':>16}{'ratio':>8}"]
    for name, each in figures.items():
        counts = " / ".join(map(str, each.statements))
        lines.append(
            f"{name:20}{counts:>14}{each.milliseconds[0]:>16.1f}{each.milliseconds[1]:>16.1f}{each.ratio:>8.2f}"
        )
    lines.append(f"medians of rounds; at most {MOST_STATEMENTS} statements and {MOST_RATIO} times bind")
    return "\n".join(lines)


def holds(figures: Mapping[str, PageFigures]) -> bool:
    return all(max(each.statements) <= MOST_STATEMENTS and each.ratio <= MOST_RATIO for each in figures.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    try:
        house.start_servers()
        house.set_up_django(PORTAL_WEB_KEYSET_FILE=str(house.keys.web_keyset), PORTAL_ORIGIN="http://localhost:8000")
        lists = fill(FEW, options.records)
        house.act_as_web()
        figures = measure(lists, rounds=options.rounds, times=TIMES)
        print(table(figures, FEW, options.records))
        return 0 if holds(figures) else 1
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
