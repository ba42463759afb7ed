"""A record's content as it came, what it held before, and the number by which its changes can be followed."""

from __future__ import annotations

import importlib
import json
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections
from django.db import connection as database
from django.utils import timezone

from connections.sync import history, upsert
from connections.sync.models import ChangeCounter, Record, RecordVersion
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.services import open_connection
from tests.roles import acting_as
from tests.sync.conftest import versions

RENEW = importlib.import_module("connections.sync.migrations.0002_natural_key").RENEW


def texts(table="sync_record"):
    with database.cursor() as cursor:
        cursor.execute(f"SELECT external_id, body::text FROM {table} ORDER BY change_number")
        return cursor.fetchall()


def test_the_content_is_what_came_to_the_letter(keep):
    odd = '{"b" : 1.70e1,"a":[ 1.00, -0, 1E+2 ],  "id":17.0, "n": "\\u00e4/\\/", "n": "Ä"}'
    assert keep(f'{{"of": [null], "list": [{{"id": 1}} , {odd}\n]}}', path=("list",)) == (2, 0)
    assert texts() == [("1", '{"id": 1}'), ("17", odd)]
    # What is larger than all numbers makes the database cut the page: the others lose nothing by that.
    strange = odd.replace("17.0", "18.0")
    assert keep(f'[{strange}, {{"id": 3, "sum": 1e400000}}, {odd}]') == (1, 0)
    assert texts() == [("1", '{"id": 1}'), ("17", odd), ("18", strange)]


def test_the_list_is_the_last_of_its_name_wherever_names_and_brackets_stand(keep):
    page = '{"list": [{"id": 1}], "x": {"list": [{"id": 2}]}, "y": "\\"list\\": [", "list" : [{"id": 3, "y": "}],["}]}'
    assert keep(page, path=("list",)) == (1, 0)
    assert [key for key, _ in texts()] == ["3"]


def test_a_record_that_changes_leaves_what_it_held(keep):
    keep('[{"id": 1, "sum": 1.0}, {"id": 2}]')
    keep('[{"id": 1, "sum": 1}, {"id": 2}]')  # spelled anew, not changed
    keep('[{"id": 1, "sum": 2.50}, {"id": 2}]')
    keep('[{"id": 1, "sum": 1e999999}, {"id": 1, "sum": 3}]')  # the way of odd pages
    assert texts("sync_recordversion") == [("1", '{"id": 1, "sum": 1.0}'), ("1", '{"id": 1, "sum": 2.50}')]
    assert texts() == [("2", '{"id": 2}'), ("1", '{"id": 1, "sum": 3}')]
    first, second = RecordVersion.objects.order_by("change_number")
    assert first.replaced_at == second.changed_at < second.replaced_at
    assert second.replaced_at == Record.objects.get(external_id="1").changed_at


def test_what_was_carried_over_without_a_checksum_is_known_by_its_values(keep):
    keep('[{"id": 1, "sum": 1.0}]')
    with database.cursor() as cursor:
        cursor.execute("UPDATE sync_record SET checksum = NULL")
    before = Record.objects.values_list("change_number", "changed_at").get()
    assert keep('[{"sum": 1.00, "id": 1}]') == (0, 0)
    assert Record.objects.values_list("change_number", "changed_at").get() == before
    assert Record.objects.get().checksum is not None  # from now on it is known by that
    assert texts() == [("1", '{"id": 1, "sum": 1.0}')]
    known = versions()
    assert keep('[{"sum": 1.00, "id": 1}]') == keep('[{"id": 1, "sum": 1.000}]') == (0, 0)
    assert versions() == known
    assert keep('[{"sum": 1.01, "id": 1}]') == (0, 1)


def test_change_numbers_grow_with_every_change_and_with_nothing_else(keep, place):
    def numbers():
        return dict(Record.objects.values_list("external_id", "change_number"))

    keep([{"id": 1}, {"id": 2}])
    assert sorted(numbers().values()) == [1, 2]
    keep([{"id": 1}, {"id": 2}])
    assert ChangeCounter.objects.get().last == 2
    keep([{"id": 1}, {"id": 2, "a": 1}, {"id": 3}])
    assert numbers()["1"] == 1
    assert {numbers()["2"], numbers()["3"]} == {3, 4}
    assert ChangeCounter.objects.get(tenant_id=place.tenant_id).last == 4


def test_who_follows_the_numbers_misses_none_although_two_write_at_once(keep, place, aamu):
    """The second writer gets its number when the first has committed: nobody sees 2 while 1 is on its way."""
    with tenant_scope(aamu.id):
        other = open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)
    done = threading.Event()

    def second():
        with tenant_scope(aamu.id):
            upsert.write(connection=other, stream="things", key="id", document=b'[{"id": 2}]')
        done.set()
        connections.close_all()

    with acting_as("worker"):
        with tenant_scope(aamu.id):
            upsert.write(connection=place, stream="things", key="id", document=b'[{"id": 1}]')
            thread = threading.Thread(target=second)
            thread.start()
            assert not done.wait(0.5)
        thread.join(10)
    assert done.is_set()
    numbers = Record.objects.order_by("change_number").values_list("external_id", "change_number")
    assert list(numbers) == [("1", 1), ("2", 2)]


def test_a_connection_that_is_gone_gets_no_records_and_those_it_left_are_named(keep, place, aamu):
    keep([{"id": 1}])
    assert list(history.orphans()) == []
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM vault_connection WHERE id = %s", [place.id])
    with pytest.raises(IntegrityError, match="gone"):
        keep([{"id": 2}])
    assert [key for key, _ in texts()] == ["1"]
    assert list(history.orphans()) == [("sync_record", aamu.id, place.id)]


def test_what_a_record_held_is_deleted_after_90_days(keep):
    for number in range(3):
        keep([{"id": 1, "n": number}])
    for number, days in ((1, 91), (2, 89)):
        RecordVersion.objects.filter(change_number=number).update(replaced_at=timezone.now() - timedelta(days=days))
    assert history.delete_old_versions() == 1
    assert texts("sync_recordversion") == [("1", json.dumps({"id": 1, "n": 1}))]


@pytest.mark.django_db
def test_records_of_before_are_carried_over():
    """In a table of the old shape, which stands before the real one for this session."""
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE sync_record (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL,"
            " connection_id uuid NOT NULL, stream varchar(40), external_id varchar(120), body jsonb NOT NULL,"
            " added_at timestamptz NOT NULL, changed_at timestamptz NOT NULL,"
            " CONSTRAINT sync_record_once UNIQUE (tenant_id, connection_id, stream, external_id),"
            " CONSTRAINT sync_record_connection_tenant CHECK (true))"
        )
        cursor.execute(
            "INSERT INTO sync_record (tenant_id, connection_id, stream, external_id, body, added_at, changed_at)"
            " SELECT gen_random_uuid(), gen_random_uuid(), 's', n::text, '{\"sum\": 12345678901234567.890}', now(), now()"
            " FROM generate_series(1, 3) AS n"
        )
        cursor.execute(RENEW)
        cursor.execute("SELECT external_id, body::text, change_number, checksum, gone_at FROM sync_record ORDER BY 1")
        body = '{"sum": 12345678901234567.890}'
        assert cursor.fetchall() == [(str(number), body, number, None, None) for number in (1, 2, 3)]
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE conrelid = 'sync_record'::regclass AND contype = 'p'")
        assert cursor.fetchone() == (1,)
