"""What records are found by: written with them in every way a page is stored, and filled in where columns were declared later."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.db import connection as database

from connections.providers import registry
from connections.spec.columns import Column, check, searchable
from connections.sync import searching, upsert
from connections.sync.models import Record, StreamCursor
from connections.tenancy.scope import tenant_scope
from tests.roles import acting_as

PATHS = (("number",), ("buyer", "name"))


def found_by():
    return {row[0]: row[1:] for row in Record.objects.values_list("external_id", "search_1", "search_2")}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("  Ääni   ÖY ", "ääni öy"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        (1001, "1001"),
        ("۱۲۳", "123"),
        ("كيان", "کیان"),
        ("پنداری‌نژاد", "پندارینژاد"),
        ("\u200fشرکت", "شرکت"),
        ("Công ty", "công ty"),
        ("x" * 70, "x" * 60),
        ("a\0b", "ab"),
        ("", None),
        ("   ", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_values_are_compared_in_one_form(value, form):
    assert searchable(value) == form


def test_more_columns_than_there_are_places_are_refused():
    columns = [Column("Label", name, is_searched=True) for name in "abc"]
    with pytest.raises(ValueError, match="at most 2"):
        check(columns)
    with pytest.raises(ValueError, match="twice"):
        check([columns[0], columns[0]])
    with pytest.raises(ValueError, match="twice"):
        replace(registry.all_providers()["procountor"].streams[0], columns=[columns[0], columns[0]])


def test_a_page_is_stored_with_what_its_records_are_found_by(keep):
    keep(
        [{"id": 1, "number": 17, "buyer": {"name": "Ääni OY"}}, {"id": 2, "number": "B-2", "buyer": []}],
        searched=PATHS,
    )
    assert found_by() == {"1": ("17", "ääni oy"), "2": ("b-2", None)}
    keep([{"id": 1, "number": 18, "buyer": {"name": "Ääni OY"}}], searched=PATHS)
    assert found_by()["1"] == ("18", "ääni oy")
    keep([{"id": 3, "number": 4}])
    assert found_by()["3"] == (None, None)


@pytest.mark.parametrize("searched", [PATHS, PATHS[:1], ()])
def test_a_page_that_the_database_cuts_is_stored_with_it_as_well(keep, searched):
    records = (
        '{"id": 1, "number": 17, "buyer": {"name": "STRASSE"}}, {"id": 2, "number": 1e999999}, null,'
        ' {"id": 3, "number": true, "buyer": {"name": {"a": 1}}}, {"id": 4.0, "number": "A"}, {"id": 4, "number": "Ä"}'
    )
    assert keep(f"[{records}]", searched=searched) == (3, 0)
    values = {"1": ("17", "strasse"), "3": (None, None), "4": ("ä", None)}
    assert found_by() == {key: (*each[: len(searched)], None, None)[:2] for key, each in values.items()}


@pytest.fixture
def declared(monkeypatch, place):
    """`declared("a.b")`: the stream that `keep` writes is one of the provider's, found by these columns from now on."""

    def declare(*columns):
        provider = registry.all_providers()["procountor"]
        stream = replace(
            provider.streams[0], name="things", columns=[Column("Label", each, is_searched=True) for each in columns]
        )
        known = {"procountor": replace(provider, streams=(stream,))}
        monkeypatch.setattr(registry, "all_providers", lambda: known)
        monkeypatch.setattr(registry, "find", known.get)
        return stream

    return declare


def test_what_was_read_before_is_found_after_the_maintenance(keep, place, declared, monkeypatch):
    monkeypatch.setattr(searching, "RECORDS_AT_ONCE", 2)
    keep([{"id": number, "number": f"N{number}", "buyer": {"name": "Ä"}} for number in range(5)])
    before = Record.objects.values_list("external_id", "change_number", "changed_at", "checksum").order_by("pk")
    was = list(before)
    StreamCursor(tenant_id=place.tenant_id, connection=place, stream="things").save(force_insert=True)
    stream = declared("number", "buyer.name")
    assert searching.fill() == 1
    assert found_by() == {str(number): (f"n{number}", "ä") for number in range(5)}
    assert StreamCursor.objects.get().searched_by == searching.searched_by(stream) == "number buyer.name"
    assert list(before) == was
    assert searching.fill() == 0
    declared("buyer.name")
    assert searching.fill() == 1
    assert set(found_by().values()) == {("ä", None)}


def test_a_record_that_changed_meanwhile_keeps_what_the_sync_wrote(keep, place, declared, monkeypatch):
    keep([{"id": 1, "number": "old"}])
    StreamCursor(tenant_id=place.tenant_id, connection=place, stream="things").save(force_insert=True)
    declared("number")

    def slowly(value):
        if value == "old":
            Record.objects.update(change_number=99, search_1="new")
        return searchable(value)

    monkeypatch.setattr(searching, "searchable", slowly)
    searching.fill()
    assert found_by() == {"1": ("new", None)}


def test_the_request_that_brought_a_record_goes_with_it(place):
    from uuid import UUID

    from connections.sync.models import RecordVersion

    first, second = UUID(int=1), UUID(int=2)
    for entry, number in ((first, 1), (second, 1), (second, 2)):
        with acting_as("worker"), tenant_scope(place.tenant_id):
            document = f'[{{"id": 1, "n": {number}}}]'
            upsert.write(connection=place, stream="things", key="id", document=document, entry_id=entry)
    assert Record.objects.get().entry_id == second
    assert RecordVersion.objects.get().entry_id == first


@pytest.mark.parametrize("statement", ["_WRITE_AT_ONCE", "_ASK"])
@pytest.mark.parametrize("statistics", ["", "ANALYZE", "VACUUM ANALYZE"])
def test_a_record_is_looked_up_by_its_key_even_where_the_table_is_empty(place, statement, statistics):
    """All indexes cost the same then, and the plan of that moment is kept for pages to come."""
    with database.cursor() as cursor:
        cursor.execute("TRUNCATE sync_record")
        if statistics:
            cursor.execute(f"{statistics} sync_record")
    names = re.findall(r"%\((\w+)\)b?", getattr(upsert, statement))
    numbers = {name: f"${number}" for number, name in enumerate(dict.fromkeys(names), 1)}
    types = {"tenant": "::uuid", "connection": "::uuid", "entry": "", "stream": "::text"}
    generic = re.sub(
        r"%\((\w+)\)b?s?", lambda name: numbers[name[1]] + types.get(name[1], ""), getattr(upsert, statement)
    )
    with acting_as("worker"), tenant_scope(place.tenant_id, enable_seqscan="off"), database.cursor() as cursor:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {generic}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "sync_record_pkey" in plan
    assert "sync_record_changes" not in plan, plan
