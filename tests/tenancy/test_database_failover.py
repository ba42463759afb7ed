"""A database that hands over to another: a connection that is cut, or whose server takes no writes, is not kept."""

from __future__ import annotations

import psycopg
import pytest
from django.db import InternalError, OperationalError, connection, connections
from django.db.backends.postgresql import base

from connections.tenancy.postgresql.base import DatabaseWrapper

pytestmark = pytest.mark.usefixtures("committed_db")


def write():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET reason = '' WHERE false")


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_a_server_that_was_made_a_standby_is_left_at_the_next_request():
    assert isinstance(connections["default"], DatabaseWrapper)
    before = backend()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(InternalError):  # 25006
        write()
    assert base.DatabaseWrapper.is_usable(connections["default"])  # as Django sees it
    connection.close_if_unusable_or_obsolete()  # as each request and each task begins
    write()
    assert backend() != before


def test_a_connection_that_was_cut_is_replaced_at_the_next_request():
    before = backend()
    with pytest.raises(OperationalError), connection.cursor() as cursor:  # 57P01
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close_if_unusable_or_obsolete()
    write()
    assert backend() != before


def test_of_several_servers_the_one_that_takes_writes_is_used():
    parameters = connection.get_connection_params()
    assert parameters["target_session_attrs"] == "read-write"
    parameters["options"] += " -c default_transaction_read_only=on"
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        connection.get_new_connection(parameters)
