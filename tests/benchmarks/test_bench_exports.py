"""The benchmark of exports runs, and its process stays below the bound of its memory. Its times are nobody's here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench_exports import FORMATS, compare, export, store, table
from tests.exports.conftest import opened

pytestmark = pytest.mark.process

RECORDS = 3000
MOST_MEGABYTES = 150


@pytest.mark.parametrize("form", FORMATS)
def test_a_small_export_is_read_back_and_keeps_within_its_memory(
    committed_db: None, aamu: Any, form: str, tmp_path: Path
) -> None:
    connection = opened(aamu)
    store(connection, RECORDS)
    figures = export(connection, form, tmp_path)
    assert compare(form, figures.files, RECORDS) == RECORDS
    assert figures.peak_megabytes < MOST_MEGABYTES
    assert form in table({form: figures}, RECORDS)


def test_a_difference_is_seen(committed_db: None, aamu: Any, tmp_path: Path) -> None:
    connection = opened(aamu)
    store(connection, 10)
    figures = export(connection, "csv", tmp_path)
    data = figures.files[0].read_bytes()
    figures.files[0].write_bytes(data.replace(b"-3.50", b"3.50", 1))
    with pytest.raises(AssertionError):
        compare("csv", figures.files, 10)
