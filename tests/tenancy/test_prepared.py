"""Statements that stay prepared on the server, and the setting that turns it off behind a pooler."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connections.tenancy.prepared import prepared_cursor
from portal import env

STATEMENT = "SELECT %s::int AS of_this_test"


def prepared_statements() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%of_this_test'")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("setting", "prepared"), [("", 1), ("1", 1), ("0", 0)])
@pytest.mark.usefixtures("committed_db")
def test_a_statement_is_kept_by_the_server_unless_that_is_turned_off(
    monkeypatch: pytest.MonkeyPatch, setting: str, prepared: int
) -> None:
    monkeypatch.setenv("PORTAL_PREPARED_STATEMENTS", setting)
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", env.database("DATABASE_URL")["OPTIONS"])
    with CaptureQueriesContext(connection) as seen:
        for number in (1, 2, 3):
            with prepared_cursor() as cursor:
                cursor.execute(STATEMENT, [str(number)])
                assert cursor.fetchone() == (number,)
    assert len([query["sql"] for query in seen if "of_this_test" in query["sql"]]) == 3
    assert prepared_statements() == prepared
    connection.close()
