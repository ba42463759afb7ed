"""The benchmark of records' pages runs; their statements are few, and the same over a long list. Its times are nobody's here."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.bench_pages import Pages, asking
from tests.benchmarks.bench_records import MOST_STATEMENTS, fill, measure, table
from tests.roles import acting_as

FEW, MANY = 120, 2000


@pytest.mark.usefixtures("committed_db")
def test_the_benchmark_of_records_runs() -> None:
    lists = fill(FEW, MANY)
    with acting_as("web"):
        figures = measure(lists, rounds=1, times=1)
    assert all(each.statements[0] == each.statements[1] <= MOST_STATEMENTS for each in figures.values())
    assert all(name in table(figures, FEW, MANY) for name in figures)


@pytest.mark.usefixtures("committed_db")
def test_a_page_of_a_list_looks_at_a_page_of_it() -> None:
    """As the web, behind row security: an index leads to the rows, whatever is looked for, and no more are looked at."""
    lists = fill(FEW, 20_000)
    with acting_as("web"):
        ask = asking(Pages({}, lists.cookie))
        for name, address in lists.many.items():
            if "/record/" not in address:
                most = _most_rows(ask, address)
                assert most <= 51, f"{name}: {most} rows were looked at"


def _most_rows(ask: Any, address: str) -> int:
    """The most rows that any step of the list's own statement met, those that a filter took away among them."""
    with CaptureQueriesContext(database) as seen:
        ask(address)
    [(begin, end)] = [
        (number, query["sql"]) for number, query in enumerate(seen.captured_queries) if "ARRAY[left" in query["sql"]
    ]
    scope = next(query["sql"] for query in seen.captured_queries[:begin][::-1] if "set_config" in query["sql"])
    with database.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(scope)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {end}")
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("ROLLBACK")
    return max(_rows(plan))


def _rows(plan: dict[str, Any]) -> list[int]:
    own = int((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
    return [own, *(count for each in plan.get("Plans", []) for count in _rows(each))]
