"""The process that writes a file keeps within its memory, however long, wide or deep the records are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench_exports import FORMATS, STREAM, export
from tests.exports.conftest import keep

pytestmark = pytest.mark.process

MOST_MEGABYTES = 150
LARGEST = 9_500_000  # characters: an answer of a provider, and so a record, has ten megabytes at most


def monsters() -> Iterator[tuple[str, str]]:
    yield "a long text", json.dumps({"text": "x" * LARGEST})
    yield "a long text beyond all planes", json.dumps({"text": "\U0001f600" + "x" * LARGEST}, ensure_ascii=False)
    yield "a long list", f'{{"list": [{",".join(["1.5"] * (LARGEST // 4))}]}}'
    yield "many fields", json.dumps({f"field {number}": number for number in range(LARGEST // 24)})
    yield "many wide ones", json.dumps({"a": [{f"f{number}": number for number in range(1000)}] * 500})
    yield "deep", '{"a":' * 3_000 + "1" + "}" * 3_000
    yield "quotes", json.dumps({"text": '"' * (LARGEST // 2)})
    for number in range(400):
        yield f"wide {number:04}", json.dumps({f"field {number} {each}": "y" * 100 for each in range(250)})


@pytest.mark.parametrize("form", FORMATS)
def test_monsters_keep_within_the_bound(books: Any, form: str, tmp_path: Path) -> None:
    keep(books, STREAM, sorted(monsters()))
    figures = export(books, form, tmp_path)
    assert figures.peak_megabytes < MOST_MEGABYTES
    assert figures.size > (LARGEST if form != "parquet" else 100_000)
