"""The step to the release in which a number is one id however it is spelled: nothing is lost, nothing is there twice."""

from __future__ import annotations

import importlib
import json
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.sync import upsert
from connections.sync.models import Record, StreamCursor
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection
from tests.roles import acting_as

step = importlib.import_module("connections.sync.migrations.0003_one_id_in_every_spelling")


@pytest.fixture
def keep(aamu):
    made = {}

    def insert(provider, stream, external_id, body, *, days_ago=0):
        with tenant_scope(aamu.id):
            if provider not in made:
                made[provider] = Connection.objects.create(tenant=aamu, provider=provider, environment="sandbox")
            at = timezone.now() - timedelta(days=days_ago)
            place = {"tenant_id": aamu.id, "connection": made[provider], "stream": stream}
            with database.cursor() as cursor:  # the digits as they are, which a float would not keep
                cursor.execute(
                    "INSERT INTO sync_record"
                    " (id, tenant_id, connection_id, stream, external_id, body, added_at, changed_at)"
                    " VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s)",
                    [aamu.id, made[provider].id, stream, external_id, body, at, at],
                )
            cursor, _ = StreamCursor.objects.get_or_create(**place)
            StreamCursor.objects.filter(id=cursor.id).update(records=cursor.records + 1)
        return made[provider]

    return insert


def migrate():
    with database.cursor() as cursor:
        for statement in (step.MERGE, step.RENAME):
            cursor.execute(statement)


def kept(stream):
    return sorted(Record.objects.filter(stream=stream).values_list("external_id", flat=True))


def test_records_under_two_spellings_become_one(keep):
    for external_id, days_ago in (
        ("17", 9),
        ("17.0", 2),
        ("17.00", 5),
        ("18", 1),
        ("18.0", 3),
        ("19.50", 1),
        ("1700", 1),
    ):
        keep("procountor", "invoices", external_id, f'{{"id": {external_id}, "n": {days_ago}}}', days_ago=days_ago)
    keep("procountor", "accounts", "30.0", '{"ledgerAccountCode": 30.0, "id": "x"}')
    keep("simutek", "customers", "4.0", '{"number": 4.0}')
    keep("procountor", "products", "30.0", '{"id": 30.0}')
    migrate()
    assert kept("invoices") == ["17", "1700", "18", "19.5"]
    assert dict(Record.objects.filter(stream="invoices").values_list("external_id", "body__n"))["17"] == 2
    assert dict(Record.objects.filter(stream="invoices").values_list("external_id", "body__n"))["18"] == 1
    assert StreamCursor.objects.get(stream="invoices").records == 4
    assert (kept("accounts"), kept("customers"), kept("products")) == (["30"], ["4"], ["30"])
    before = dict(Record.objects.values_list("id", "external_id"))
    migrate()
    assert dict(Record.objects.values_list("id", "external_id")) == before


def test_a_text_is_an_id_of_its_own(keep):
    keep("procountor", "invoices", "17.0", '{"id": "17.0", "total": 17.0}')
    keep("procountor", "invoices", "17", '{"id": 17}')
    keep("simutek", "customers", "A/1.0", '{"number": "A/1.0"}')
    migrate()
    assert (kept("invoices"), kept("customers")) == (["17", "17.0"], ["A/1.0"])


def test_a_customers_invoices_follow_it(keep):
    for customer in ("7.0", "8"):
        place = keep("pentamic", "customers", customer, f'{{"id": {customer}}}')
    keep("pentamic", "customers", "9.0", '{"id": "9.0"}')
    for external_id, body in {"7.0/1.0": 1.0, "7.0/A.0": "A.0", "8/2.0": 2.0, "9.0/3": 3}.items():
        keep("pentamic", "invoices", external_id, json.dumps({"id": body}))
    migrate()
    assert (kept("customers"), kept("invoices")) == (["7", "8", "9.0"], ["7/1", "7/A.0", "8/2", "9.0/3"])
    # What is read next meets what is kept.
    with acting_as("worker"), tenant_scope(place.tenant_id):
        again = upsert.write(connection=place, stream="customers", key="id", document='[{"id": 7.0}, {"id": 8.0}]')
    assert (again.added, again.changed) == (0, 0)
