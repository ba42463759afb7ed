"""One statement keeps a page: what is new, what changed, what comes twice, and what no database keeps."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import ProgrammingError, connections
from django.db import connection as database

from connections.spec.operations import ParameterPlace
from connections.spec.streams import Each, Envelope, Stream, Whole
from connections.sync import splitting, stream_lists, upsert
from connections.sync.models import Record
from connections.tenancy.prepared import prepared_cursor
from connections.tenancy.scope import tenant_scope
from tests.roles import acting_as
from tests.sync.conftest import versions


def bodies():
    return dict(Record.objects.values_list("external_id", "body"))


def test_new_changed_and_unchanged_are_counted_apart(keep):
    assert keep([{"id": 1, "a": 1}, {"id": 2, "a": 1}]) == (2, 0)
    before = versions()
    assert keep([{"id": 1, "a": 1}, {"a": 2, "id": 2}, {"id": 3}]) == (1, 1)
    assert keep([{"a": 1.0, "id": 1}]) == (0, 0)
    changed = {key for key, row in versions().items() if before.get(key, row) != row}
    assert [key[-1] for key in changed] == ["2"]
    first, second = Record.objects.get(external_id="1"), Record.objects.get(external_id="2")
    assert first.added_at == first.changed_at == second.added_at < second.changed_at


def test_the_last_of_two_with_one_id_counts(keep):
    assert keep([{"id": 1, "n": 1}, {"id": "1", "n": 2}, {"id": 1, "n": 3}]) == (1, 0)
    assert bodies() == {"1": {"id": 1, "n": 3}}


def test_the_list_is_found_inside_the_answer_as_it_came(keep):
    answer = '{"meta": {"resultCount": 1}, "results": [ {"id": 7, "name": "Ääkkönen \\u20ac \'%s\' \\\\"} ]}'
    assert keep(answer, path=("results",)) == (1, 0)
    assert bodies() == {"7": {"id": 7, "name": "Ääkkönen € '%s' \\"}}


def test_an_empty_list_writes_nothing(keep):
    assert keep([]) == (0, 0)
    assert keep('{"results": []}', path=("results",)) == (0, 0)
    assert keep("null") == keep('{"results": null}', path=("results",)) == keep("{}", path=("results",)) == (0, 0)


def test_exact_numbers_stay_exact(keep):
    keep('[{"id": 1, "sum": 12345678901234567890.123456789}]')
    with database.cursor() as cursor:
        cursor.execute("SELECT body ->> 'sum' FROM sync_record")
        assert cursor.fetchone() == ("12345678901234567890.123456789",)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("null", upsert.NOT_AN_OBJECT),
        ("7", upsert.NOT_AN_OBJECT),
        ('["id"]', upsert.NOT_AN_OBJECT),
        ('"id"', upsert.NOT_AN_OBJECT),
        ("{}", upsert.NO_ID),
        ('{"id": null}', upsert.NO_ID),
        ('{"id": ""}', upsert.NO_ID),
        ('{"id": true}', upsert.NO_ID),
        ('{"id": [2]}', upsert.NO_ID),
        ('{"id": {"id": 2}}', upsert.NO_ID),
        ('{"id": "%s"}' % ("x" * 121), upsert.LONG_ID),
        ('{"id": 1e120}', upsert.LONG_ID),
        ('{"id": 2, "sum": 1e400000}', upsert.NOT_STORABLE),
    ],
)
def test_one_bad_record_does_not_stop_its_neighbours(place, item, reason):
    document = f'{{"list": [{{"id": 1, "sum": 0.10}}, {item}, {{"id": 3, "sum": 12345678901234567.89}}]}}'
    with acting_as("worker"), tenant_scope(place.tenant_id):
        written = upsert.write(connection=place, stream="things", key="id", document=document.encode(), path=("list",))
    assert written == upsert.Written(2, 0, (upsert.RefusedRecord(1, reason),), 1)
    with database.cursor() as cursor:
        cursor.execute("SELECT external_id, body ->> 'sum' FROM sync_record ORDER BY 1")
        assert cursor.fetchall() == [("1", "0.10"), ("3", "12345678901234567.89")]


def test_of_very_many_bad_records_the_first_are_listed(place):
    with acting_as("worker"), tenant_scope(place.tenant_id):
        written = upsert.write(connection=place, stream="things", key="id", document=f"[{'1,' * 4999}1]".encode())
    assert (written.added, written.refused_count) == (0, 5000)
    assert [each.place for each in written.refused] == list(range(upsert.MOST_LISTED))


def test_one_id_is_one_record_however_it_is_spelled(keep):
    assert keep('[{"id": 17, "n": 1}, {"id": 1.7e2, "n": 2}]') == (2, 0)
    before = versions()
    assert keep('[{"id": 17.0, "n": 1.0}, {"id": "170", "n": 2}]') == (0, 1)  # a text is another body
    assert keep('[{"id": 1.70e1, "n": 1}]') == (0, 0)
    assert sum(versions()[key] == row for key, row in before.items()) == 1
    assert keep('[{"id": 0.50}, {"id": 5e-1}, {"id": -0}, {"id": 0.0}]') == (2, 0)
    assert sorted(bodies()) == ["0", "0.5", "17", "170"]


def test_a_field_is_asked_with_as_an_id_is_spelled(keep, place):
    values = ["17.0", '"17.0"', "12345678901234567890123", "1.7e1", "null", "true", "[1]", '""']
    rows = ",".join(f'{{"id": {number}, "number": {value}}}' for number, value in enumerate(values))
    keep(f"[{rows}]")
    each = Each("things", "number", "number", ParameterPlace.QUERY)
    stream = Stream("lines", "Lines", "lines.list", Whole(Envelope(bare=True)), each=each)
    asked = []
    for number in range(len(values)):
        with acting_as("worker"), tenant_scope(place.tenant_id):
            stream_list = stream_lists.current_list(place, stream, {"part": str(number)})
        asked.append(stream_list.arguments.query["number"])
    assert asked == ["17", "17.0", "12345678901234567890123", "17", "", "", "", ""]


def test_a_prefix_makes_no_id(keep):
    assert keep([{"id": 7.0}, {"id": None}], prefix="3/") == (1, 0)
    assert list(bodies()) == ["3/7"]


def test_two_writers_of_one_page_count_it_once(keep, place):
    """The index decides, not the look before: of two transactions at once, one inserts and one finds nothing new."""
    document = json.dumps([{"id": number} for number in range(50)])
    started, found = threading.Event(), []

    def second():
        started.set()
        with tenant_scope(place.tenant_id):
            found.append(upsert.write(connection=place, stream="things", key="id", document=document.encode()))
        connections.close_all()

    with acting_as("worker"):  # the thread's connection too
        with tenant_scope(place.tenant_id):
            first = upsert.write(connection=place, stream="things", key="id", document=document.encode())
            thread = threading.Thread(target=second)
            thread.start()
            started.wait(5)
            thread.join(0.3)
            assert thread.is_alive()  # it waits for our commit
        thread.join(10)
    assert (first.added, found[0].added, found[0].changed) == (50, 0, 0)
    assert Record.objects.count() == 50


def test_no_row_of_another_tenant_is_reached(keep, place, kaste):
    keep([{"id": 1, "whose": "aamu"}])
    with acting_as("worker"), pytest.raises(ProgrammingError, match="row-level security"), tenant_scope(kaste.id):
        upsert.write(connection=place, stream="things", key="id", document=b'[{"id": 1, "whose": "kaste"}]')
    assert bodies() == {"1": {"id": 1, "whose": "aamu"}}


def looked_at(place, records, *, stream="things"):
    """Table and index pages the database looked at to keep this page."""
    page = splitting.split(json.dumps(records).encode(), (), "id", prefix="", longest_id=upsert.LONGEST_ID)
    values = upsert._place(place, stream) | upsert._arrays(page.items)
    with acting_as("worker"), tenant_scope(place.tenant_id), prepared_cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {upsert._WRITE_AT_ONCE}", values)
        plan = cursor.fetchone()[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_page_costs_the_same_however_much_is_kept(keep, place):
    """Statistics know nothing of a table that fills up right now; the page must not be joined with all of it."""
    page = [{"id": f"a{number:07}", "note": "x" * 500} for number in range(200)]
    keep(page)
    few = looked_at(place, page)
    for start in range(0, 12_000, 2_000):
        keep([{"id": f"{number:08}", "note": "x" * 500} for number in range(start, start + 2_000)])
    assert looked_at(place, page) < 3 * few


@pytest.mark.parametrize("statistics", ["", "ANALYZE", "VACUUM ANALYZE"])
@pytest.mark.parametrize("kept", [0, 100])
def test_a_record_of_a_long_first_list_costs_what_one_of_a_short_one_does(keep, place, statistics, kept):
    """What the planner knows of a table that is empty, or nearly, must not decide: nothing is looked at that this very
    statement has just written. The blocks are counted, as times say nothing here; benchmarks/bench_first_list.py does.
    """
    per_record = {}
    for count in (500, 8000):
        with database.cursor() as cursor:
            cursor.execute("TRUNCATE sync_record")  # and the statistics of none
        keep([{"id": number} for number in range(kept)])
        if statistics:
            with database.cursor() as cursor:
                cursor.execute(f"{statistics} sync_record")
        records = [{"id": number, "note": "x" * 100} for number in range(10**6, 10**6 + count)]
        per_record[count] = looked_at(place, records) / count
    assert per_record[8000] < 1.5 * per_record[500], per_record
