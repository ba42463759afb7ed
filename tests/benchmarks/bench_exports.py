"""What an export of very many records takes: time, and memory at its peak, of the process that writes it and of its worker.

    python -m tests.benchmarks.bench_exports --records 1000000
    python -m tests.benchmarks.bench_exports --records 100000 --formats csv --calc

Each file is opened as a download opens it, and read back by Python's csv and json and by pyarrow: every record is compared
with what was stored. `--calc` has LibreOffice Calc open the CSV by its own defaults, and compares what it makes of every cell.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.benchmarks import calc
from tests.drills.house import House

FORMATS = ("csv", "jsonl", "parquet")
STREAM = "invoices"
FORMULAS = ("=1+1", "+SUM(A1)", "-2+3", "@x", '=HYPERLINK("http://x.example")', "\t=1", "-", "Aamu", "it's", "'quoted")


def values_of(number: int) -> dict[str, str]:
    """The texts of one record's fields, by their names in a table."""
    return {
        "id": str(number),
        "reference": f"{number:010}",
        "amount": f"{'-' if number % 3 == 0 else ''}{number % 100_000}.{number % 100:02}",
        "amountAsText": f"-{number % 1000}.50",
        "memo": FORMULAS[number % len(FORMULAS)],
        "partner.name": f"Ääkkönen {number % 977} Oy",
        "partner.phone": f"+35840{number % 10_000_000:07}",
        "rows": f'[ {{"product": "00{number % 97}", "price": 1.10}}, {{"quantity": 2.0}} ]',
        "note": "Sekä että, niin ja näin. " * 6,
    }


def text_of(number: int) -> str:
    """The record as a provider would send it."""
    values = values_of(number)
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    return (
        f'{{"id": {values["id"]}, "reference": {texts["reference"]}, "amount": {values["amount"]},'
        f' "amountAsText": {texts["amountAsText"]}, "memo": {texts["memo"]}, "partner": {{"name": {texts["partner.name"]},'
        f' "phone": {texts["partner.phone"]}}}, "rows": {values["rows"]}, "closed": null, "note": {texts["note"]}}}'
    )


def key_of(number: int) -> str:
    return f"{number:08}"


def store(connection: Any, records: int) -> None:
    """As the owner; `records` of them, with a cursor that has counted them."""
    from django.db import connection as database

    from connections.sync.models import StreamCursor

    with database.cursor() as cursor:
        for first in range(0, records, 2000):
            numbers = range(first, min(first + 2000, records))
            cursor.execute(
                "INSERT INTO sync_record"
                " (tenant_id, connection_id, stream, external_id, body, change_number, added_at, changed_at)"
                " SELECT %s, %s, %s, key, body::json, number, '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00'"
                " FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS page (key, body, number)",
                [
                    connection.tenant_id,
                    connection.id,
                    STREAM,
                    [key_of(number) for number in numbers],
                    [text_of(number) for number in numbers],
                    [number + 1 for number in numbers],
                ],
            )
        cursor.execute("ANALYZE sync_record")
    StreamCursor(tenant_id=connection.tenant_id, connection=connection, stream=STREAM, records=records).save(
        force_insert=True
    )


@dataclass
class Figures:
    """Of one format. Bytes as they are downloaded, and as they are stored."""

    seconds: float = 0
    processor_seconds: float = 0  # of the process
    peak_megabytes: float = 0  # of the process
    worker_growth_megabytes: float = 0  # of the peak of the worker's own process
    size: int = 0
    stored: int = 0
    files: list[Path] = field(default_factory=list)


def export(connection: Any, form: str, folder: Path, become: Callable[[str], None] = lambda role: None) -> Figures:
    """Written as a worker does it, opened as a download does; `become` logs in as that role."""
    from connections.exports import services, writing
    from connections.exports.models import Export, ExportFormat
    from connections.jobs.models import Job
    from connections.jobs.services import claim, succeed
    from connections.tenancy.scope import SYSTEM, tenant_scope

    figures, peaks = Figures(), []

    class Measured(writing._FileWriting):
        def _end(self, values: dict[str, Any]) -> None:
            peaks.append(values["peak_kilobytes"] / 1024)
            super()._end(values)

    tenant = connection.tenant
    become("web")
    with tenant_scope(tenant.id):
        wanted = services.ask(
            tenant=tenant, connection=connection, stream=STREAM, export_format=ExportFormat(form), actor=SYSTEM
        )
    become("worker")
    lease: Any = claim(Job.objects.get(kind=services.WRITE, subject=wanted.id).id)
    real, writing._FileWriting = writing._FileWriting, Measured  # type: ignore[misc]
    peak_before, began = _peak(resource.RUSAGE_SELF), time.perf_counter()
    busy_before = _busy()
    try:
        with lease:
            while writing.write(lease) is not None:
                pass
    finally:
        writing._FileWriting = real  # type: ignore[misc]
    succeed(lease)
    figures.seconds, figures.processor_seconds = time.perf_counter() - began, _busy() - busy_before
    figures.peak_megabytes = max(peaks)
    figures.worker_growth_megabytes = _peak(resource.RUSAGE_SELF) - peak_before
    become("web")
    with tenant_scope(tenant.id):
        state = Export.objects.get(id=wanted.id).state
        assert state == "done", state
        files = list(services.openable_files(tenant).filter(export_id=wanted.id).order_by("part"))
    for file in files:
        path = folder / f"{form}-{file.part}.{form}"
        with tenant_scope(tenant.id), path.open("wb") as target:
            opened = services.OpenFile(file)
            for place in range(file.chunks):
                target.write(opened.piece(place))
        assert path.stat().st_size == file.size
        figures.size, figures.stored = figures.size + file.size, figures.stored + file.stored
        figures.files.append(path)
    return figures


def _peak(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def _busy() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# -- read back ---------------------------------------------------------------------------------------------------------


def rows_of(form: str, paths: Sequence[Path]) -> Iterator[tuple[str, dict[str, str | None]]]:
    """(key, fields) as others read them; in CSV an apostrophe is taken off each cell that has one."""
    for path in paths:
        if form == "csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file, strict=True):
                    yield (
                        row["record key"].removeprefix("'"),
                        {name: cell.removeprefix("'") for name, cell in row.items()},
                    )
        elif form == "jsonl":
            with path.open(encoding="utf-8") as file:
                for line in file:
                    own = json.loads(line)
                    yield own["key"], {"line": line}
        else:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=5000):
                for row in batch.to_pylist():
                    yield row["record key"], row


def compare(form: str, paths: Sequence[Path], records: int) -> int:
    """How many records are there, each as it was stored. Raises AssertionError for the first that is not."""
    seen = 0
    for key, row in rows_of(form, paths):
        assert key == key_of(seen), (key, seen)
        if form == "jsonl":
            assert f'"record":{text_of(seen)}}}\n' in str(row["line"]), row
        else:
            expected = values_of(seen)
            assert {name: row[name] for name in expected} == expected, (row, expected)
        seen += 1
    assert seen == records, seen
    return seen


def found_house() -> tuple[House, Any]:
    """(house, connection) of a new database."""
    house = House(Path(tempfile.mkdtemp(prefix="bench-exports-")))
    house.start_servers()
    house.set_up_django()
    from django.conf import settings

    settings.KEK_FILE, settings.WEB_KEYSET_FILE = str(house.keys.kek), str(house.keys.web_keyset)
    from connections.jobs import services as jobs
    from connections.jobs.models import Job
    from connections.tenancy.scope import tenant_scope
    from connections.vault import keys
    from connections.vault import services as vault
    from connections.vault.models import Connection

    keys.make_system_key()
    tenant = vault.create_tenant(name="Bench Oy", slug="bench")
    lease: Any = jobs.claim(Job.objects.get(subject=tenant.id).id)
    keys.make_tenant_key(lease)
    with tenant_scope(tenant.id):
        connection = Connection.objects.create(tenant=tenant, provider="procountor", environment="production")
    return house, connection


def table(figures: dict[str, Figures], records: int) -> str:
    lines = [
        f"{'format':8}{'seconds':>9}{'cpu s':>8}{'peak MB':>9}{'worker +MB':>12}{'MB':>8}{'stored MB':>11}{'records':>11}"
    ]
    for form, each in figures.items():
        lines.append(
            f"{form:8}{each.seconds:>9.1f}{each.processor_seconds:>8.1f}{each.peak_megabytes:>9.0f}"
            f"{each.worker_growth_megabytes:>12.1f}{each.size / 2**20:>8.0f}{each.stored / 2**20:>11.0f}{records:>11,}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--calc", action="store_true", help="have LibreOffice Calc open the CSV")
    options = parser.parse_args()
    house, connection = found_house()
    folder = Path(tempfile.mkdtemp(prefix="bench-exports-files-"))
    try:
        store(connection, options.records)
        figures = {}
        log_in = {"web": house.act_as_web, "worker": house.act_as_worker}.__getitem__
        for form in options.formats:
            figures[form] = export(connection, form, folder, lambda role: log_in(role)())
            compare(form, figures[form].files, options.records)
            print(table({form: figures[form]}, options.records), flush=True)
            if form == "csv" and options.calc:
                print(calc.compare(figures[form].files[0], values_of, folder), flush=True)
        print(table(figures, options.records))
        print("every record was read back as it was stored")
    finally:
        house.stop()
        shutil.rmtree(house.folders.state, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
