"""What stays on a database connection, which serves one request after the other, when a scope was committed: nothing."""

from __future__ import annotations

import uuid
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from connections.tenancy.scope import person_scope, staff_scope, tenant_scope

pytestmark = pytest.mark.usefixtures("committed_db")


def scopes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(current_setting('portal.tenant_id', true), ''),"
            " coalesce(current_setting('portal.user_id', true), '')"
        )
        return cursor.fetchone()


def test_a_scope_that_was_committed_is_over():
    tenant = uuid.uuid4()
    with tenant_scope(tenant), person_scope(7):
        assert scopes() == (str(tenant), "7")
    assert scopes() == ("", "")


def test_a_scope_within_a_scope_is_over_as_well():
    outer = uuid.uuid4()
    with tenant_scope(outer):
        with tenant_scope(uuid.uuid4()):
            pass
        assert scopes() == (str(outer), "")
    assert scopes() == ("", "")


def test_a_scope_that_a_transaction_outlives_is_over_in_the_next():
    with transaction.atomic():
        with tenant_scope(uuid.uuid4()), person_scope(7):
            pass
        assert scopes() == ("", "")
    assert scopes() == ("", "")


def test_a_scope_that_ends_with_its_transaction_costs_one_statement():
    with CaptureQueriesContext(connection) as queries:
        with transaction.atomic(), tenant_scope(uuid.uuid4(), savepoint=False):
            pass
        assert scopes() == ("", "")
        with transaction.atomic():
            assert scopes() == ("", "")
    texts = [query["sql"] for query in queries]
    assert sum("set_config" in text for text in texts) == 1


SCOPES = {
    "tenant": partial(tenant_scope, uuid.UUID(int=7)),
    "person": partial(person_scope, 7),
    "staff": staff_scope,
}


def written():
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('tests.written', true), '')")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_what_a_block_has_written_is_undone_when_it_raises(scope):
    with transaction.atomic():
        with pytest.raises(LookupError), scope():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('tests.written', 'in the block', true)")
            raise LookupError
        assert written() == ""


def test_a_scope_without_a_savepoint_begins_a_transaction_where_there_is_none():
    tenant = uuid.uuid4()
    with tenant_scope(tenant, savepoint=False):
        assert scopes() == (str(tenant), "")
    assert scopes() == ("", "")
