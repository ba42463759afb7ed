"""The benchmark of pages runs, and counts what it says it counts. Its times are nobody's here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.bench_pages import BARE, fill, measure, table
from tests.roles import acting_as


@pytest.mark.usefixtures("committed_db")
def test_the_benchmark_of_pages_runs(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.benchmarks.bare_view"
    pages = fill()
    with acting_as("web"):
        figures = measure(pages, rounds=1, seconds=0.01)
    assert set(figures) == {BARE, "home", "checklist", "connection", "run"}
    assert figures[BARE].ratio == 1
    assert all(each.statements <= 15 for each in figures.values())
    assert all(name in table(figures) for name in figures)
