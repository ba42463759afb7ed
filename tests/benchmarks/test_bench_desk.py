"""The benchmark of the staff's pages runs, and every page keeps to its queries. Its times are nobody's here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connections.transport.log.partitions import drop_older
from tests.benchmarks.bench_desk import (
    BARE,
    MOST_QUERIES,
    Size,
    add_up,
    addresses,
    fill,
    measure,
    staff_cookie,
    table,
)
from tests.roles import acting_as


@pytest.fixture
def months(committed_db: None) -> Iterator[None]:
    """The benchmark makes a year of the log's partitions; the other tests have those of the schema."""
    yield
    drop_older(1)


@pytest.mark.usefixtures("months")
def test_the_benchmark_of_the_desk_runs() -> None:
    size = Size(entries=2000, connections=20, tenants=3)
    fill(size, Size(0, 0, 0))
    add_up()
    pages, cookie = addresses(), staff_cookie()
    with acting_as("web"):
        figures = measure(pages, cookie, rounds=1, times=1)
    assert figures[BARE].ratio == 1
    assert {name: each.queries for name, each in figures.items() if each.queries > MOST_QUERIES} == {}
    assert all(name in table(figures, figures) for name in figures)
