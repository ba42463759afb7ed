"""The shape of a stream's records: what is new, has vanished or holds another type is noted, by names alone and within bounds."""

from __future__ import annotations

import json

from connections.sync import drift
from connections.sync.models import RunState, StreamCursor


def sampled(*records):
    sample = drift.Sample()
    for begin in range(0, len(records), drift.RECORDS_PER_PAGE):
        sample.add(records[begin : begin + drift.RECORDS_PER_PAGE])
    return sample


def told(changes):
    return [(change["kind"], change["field"], change["was"], change["types"]) for change in changes]


def test_the_first_sample_is_learned_without_a_word():
    shape, changes = drift.compared({}, sampled(*[{"id": 1, "name": "a", "note": None}] * 3))
    assert changes == []
    assert shape["id"] == {"types": ["number"], "always": True}
    assert shape["note"] == {"types": [], "always": True}


def test_a_field_that_is_new_has_vanished_or_holds_another_type_is_told_once():
    shape, _ = drift.compared({}, sampled(*[{"id": 1, "name": "a", "sum": 1.5}] * 40))
    shape, changes = drift.compared(shape, sampled(*[{"id": 1, "sum": "1.50", "vat": [1]}] * 40))
    assert told(changes) == [
        (drift.RETYPED, "sum", ["number"], ["text"]),
        (drift.NEW, "vat", [], ["list"]),
        (drift.VANISHED, "name", ["text"], []),
    ]
    _, changes = drift.compared(shape, sampled(*[{"id": 1, "sum": "1.50", "vat": [1]}] * 40))
    assert changes == []


def test_what_only_some_records_have_comes_and_goes_without_a_word():
    rare = [{"id": 1, "rare": True}, *[{"id": 1}] * 39]
    shape, changes = drift.compared({}, sampled(*[{"id": 1}] * 40))
    for sample in (sampled(*rare), sampled(*[{"id": 1}] * 40), sampled(*rare), sampled({"id": 1})):
        shape, more = drift.compared(shape, sample)
        changes += more
    assert changes == []


def test_a_few_records_say_nothing_of_what_is_missing():
    shape, _ = drift.compared({}, sampled(*[{"id": 1, "name": "a"}] * 40))
    shape, changes = drift.compared(shape, sampled(*[{"id": 1}] * (drift.FEWEST_RECORDS - 1)))
    assert changes == []
    assert shape["name"]["always"]


def test_nothing_grows_with_what_a_server_sends():
    odd = {f"field{number}": number for number in range(5000)} | {"Matti Meikäläinen 010170-1234": 1, "x" * 61: 1}
    sample = sampled(odd)
    assert len(sample.names) == drift.MOST_FIELDS
    assert not any("Matti" in name for name in sample.names)
    shape, _ = drift.compared({"other": {"types": ["text"], "always": False}}, sample)
    assert len(shape) == drift.MOST_FIELDS
    sample = drift.Sample()
    sample.add([{"id": 1}] * 10_000)
    assert sample.records == drift.RECORDS_PER_PAGE


def test_a_run_notes_what_changed_and_keeps_no_value(reading):
    reader = reading("smartbusiness")
    reader.server.fill(400)
    assert reader.run().state == RunState.SUCCEEDED
    cursor = StreamCursor.objects.get()
    assert (set(cursor.shape), cursor.shape_changes) == ({"id", "name"}, [])
    reader.server.holds = 20
    for row in reader.server.rows:
        row["surname"] = row.pop("name")
    assert reader.run().state == RunState.SUCCEEDED
    cursor.refresh_from_db()
    assert {(each["kind"], each["field"]) for each in cursor.shape_changes} == {
        ("new", "surname"),
        ("vanished", "name"),
    }
    assert "n17" not in json.dumps([cursor.shape, cursor.shape_changes])
    for number in range(30):
        for row in reader.server.rows:
            row["surname"] = [number, "n"][number % 2]
        StreamCursor.objects.update(shape={"surname": {"types": ["object"], "always": True}})
        if number > 2:
            StreamCursor.objects.update(shape_changes=[{"kind": "new"}] * drift.MOST_CHANGES)
        if number > 3:
            break
        reader.run()
    assert len(StreamCursor.objects.get().shape_changes) <= drift.MOST_CHANGES
