"""A page with something in it that no database keeps: the record is kept, its neighbours lose nothing, and the log says so."""

from __future__ import annotations

from django.db import connection as database

from connections.sync.models import RunState


def test_mending_a_text_changes_no_number(syncing):
    page = (
        rb'{"results": [{"id": 1, "total": 12345678901234567.89}, {"id": 2.0, "name": "x\u0000y\ud800", "n": 1.50}]}'
    )
    syncing.sandbox.faults([{"path": "/invoices", "status": 200, "body": page.decode(), "times": 1}])
    run = syncing.run()
    assert run.state == RunState.SUCCEEDED
    assert "repaired" in syncing.codes(run)
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT external_id, body::text FROM sync_record WHERE external_id IN ('1', '2') AND stream = 'invoices'"
        )
        assert dict(cursor.fetchall()) == {
            "1": '{"id": 1, "total": 12345678901234567.89}',
            "2": r'{"id": 2.0, "name": "x\ufffdy\ufffd", "n": 1.50}',
        }
