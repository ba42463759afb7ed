"""How fast staff find a request by the provider's id: ten thousand ids among a long request log, each from the search box.

    python -m tests.benchmarks.bench_request_ids --entries 200000 --ids 10000

Each id is typed into the admin's search through the Django test client, signed in as staff, in the staff's database role;
the answer must be the way to that very entry. Beside it, in turns, the same look-up as a bare SELECT on the index over one
connection. Ends with 1 where the 95th percentile is over 50 ms.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.drills.house import House

MOST_MS = 50.0
TENANTS, CONNECTIONS = 200, 3  # of each tenant
DAYS = 55
FORMS = ("hex", "uuid", "trace")  # how providers write such ids

FILL = """
WITH places AS (
    SELECT row_number() OVER () - 1 AS place, tenant_id, id, provider FROM vault_connection
), total AS (SELECT count(*) AS places FROM places)
INSERT INTO transport_entry (id, at, tenant_id, connection_id, run_id, provider, environment, api_version, operation, method,
    path_template, status, outcome, attempt, duration_ms, bytes_in, provider_request_id)
SELECT gen_random_uuid(), date_trunc('month', now()) + random() * make_interval(days => %(days)s), tenant_id, places.id,
    gen_random_uuid(), provider, 'sandbox', 'latest', 'things.list', 'GET', '/things', 200, 'answered', 1, 40, 20000,
    CASE WHEN number %% 10 < 7 THEN md5(random()::text) ELSE '' END
FROM generate_series(1, %(entries)s) AS number, total JOIN places ON true
WHERE places.place = number %% total.places
"""


class Bench:
    """A house with a long request log, and somebody of the staff at the search box."""

    def __init__(self, house: House, entries: int, ids: int) -> None:
        self.house, self.entries, self.ids = house, entries, ids
        self.admin = psycopg.connect(house.postgres.admin_address("portal"), autocommit=True)
        self.wanted: dict[str, uuid.UUID] = {}
        self._found_tenants()
        self._fill()
        self.browser = self._browser()

    def _found_tenants(self) -> None:
        from connections.providers.registry import all_providers
        from connections.tenancy.models import Tenant, TenantState
        from connections.tenancy.scope import tenant_scope
        from connections.vault.models import Connection

        slugs = list(all_providers())
        for number in range(TENANTS):
            tenant = Tenant(name=f"Invented {number} Oy", slug=f"invented-{number}", state=TenantState.ACTIVE)
            tenant.save(force_insert=True)
            with tenant_scope(tenant.id):
                Connection.objects.bulk_create(
                    Connection(
                        tenant=tenant, provider=slugs[place % len(slugs)], environment="sandbox",
                        company_id=str(10_000 + number * CONNECTIONS + place), company_name=f"Books {number}-{place}",
                    )
                    for place in range(CONNECTIONS)
                )  # fmt: skip

    def _fill(self) -> None:
        self.admin.execute(FILL, {"entries": self.entries, "days": DAYS})
        chance = random.Random(4711)
        rows = self.admin.execute(
            "SELECT at, id FROM transport_entry ORDER BY random() LIMIT %s", [self.ids]
        ).fetchall()
        with self.admin.transaction(), self.admin.cursor() as cursor:
            for at, key in rows:
                request_id = _made_up(chance)
                self.wanted[request_id] = key
                cursor.execute(
                    "UPDATE transport_entry SET provider_request_id = %s WHERE at = %s AND id = %s",
                    [request_id, at, key],
                )
        self.admin.execute("VACUUM ANALYZE transport_entry")

    def _browser(self) -> Any:
        """Signed in as support; from here on this process is the web, for the database too."""
        from django.db import connection as database
        from django.test import Client

        from portal.members.models import User

        user = User.objects.create_user("dana@pilotage.example", "a password nobody types", staff_role="support")
        browser = Client(HTTP_HOST="localhost")
        browser.force_login(user)
        login = urlsplit(self.house.plan.web_url)
        database.close()
        database.settings_dict.update(USER=login.username, PASSWORD=self.house.keys.password("portal_web"))
        return browser

    def measure(self) -> tuple[list[float], list[float]]:
        """Milliseconds of each search, and of each bare look-up."""
        from django.urls import reverse

        address = reverse("admin:search")
        for request_id in list(self.wanted)[:50]:  # templates are read, plans are cached
            self.browser.get(address, {"q": request_id})
        searches, bare = [], []
        for request_id, key in self.wanted.items():
            begun = time.perf_counter()
            answer = self.browser.get(address, {"q": request_id})
            searches.append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 302, f"{answer.status_code} for {request_id}"
            assert str(key) in answer["Location"], answer["Location"]
            begun = time.perf_counter()
            found = self.admin.execute(
                "SELECT id FROM transport_entry WHERE provider_request_id = %s ORDER BY at DESC LIMIT 10", [request_id]
            ).fetchall()
            bare.append((time.perf_counter() - begun) * 1000)
            assert found == [(key,)]
        return searches, bare


def _made_up(chance: random.Random) -> str:
    made = uuid.UUID(int=chance.getrandbits(128), version=4)
    form = chance.choice(FORMS)
    if form == "uuid":
        return str(made)
    return made.hex if form == "hex" else f"00-{made.hex}-{chance.getrandbits(64):016x}-01"


def told(name: str, figures: list[float]) -> str:
    ordered = sorted(figures)
    return (
        f"{name:18}p50 {statistics.median(ordered):7.2f} ms   p95 {_p95(ordered):7.2f} ms   max {ordered[-1]:7.2f} ms"
    )


def _p95(figures: list[float]) -> float:
    return sorted(figures)[int(len(figures) * 0.95)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--ids", type=int, default=10_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    house = House(folder / "var")
    bench = None
    try:
        house.start_servers()
        house.set_up_django(PORTAL_WEB_KEYSET_FILE=str(house.keys.web_keyset))
        logging.getLogger("portal.admin_site").setLevel(logging.WARNING)  # a line per look is no news here
        bench = Bench(house, options.entries, options.ids)
        searches, bare = bench.measure()
        print(f"{options.ids:,} ids among {options.entries:,} entries")
        print(told("admin's search", searches))
        print(told("bare SELECT", bare))
        print(f"search of SELECT  p50 {statistics.median(searches) / statistics.median(bare):.1f}   "
              f"p95 {_p95(searches) / _p95(bare):.1f}")  # fmt: skip
        return 0 if _p95(searches) <= MOST_MS else 1
    finally:
        if bench is not None:
            bench.admin.close()
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
