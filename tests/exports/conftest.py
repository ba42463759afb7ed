"""What tests of exports share: records as syncs would have left them, an export that is taken to its end, its files opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection as database

from connections.exports import services
from connections.exports.models import Export, ExportFile, ExportFormat
from connections.sync.models import StreamCursor
from connections.tenancy.scope import SYSTEM, Actor, tenant_scope
from connections.vault.services import mark_healthy, open_connection
from tests.roles import acting_as

ALICE = Actor(None, "Alice Aalto")


def opened(tenant: Any, provider: str = "procountor", environment: str = "test") -> Any:
    """A connection that stands."""
    with tenant_scope(tenant.id):
        connection = open_connection(tenant=tenant, provider=provider, environment=environment, actor=SYSTEM)
        mark_healthy(connection=connection)
    return connection


def keep(connection: Any, stream: str, texts: Iterable[tuple[str, str]]) -> None:
    """Records by (key, text), with change numbers from 1 on in their order, and a cursor that has counted them."""
    rows = list(texts)
    with database.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sync_record (tenant_id, connection_id, stream, external_id, body, change_number, added_at, changed_at)"
            " VALUES (%s, %s, %s, %s, %s::json, %s, '2026-01-02 03:04:05.678+00', '2026-02-03 00:00:00+00')",
            [
                (connection.tenant_id, connection.id, stream, key, text, number)
                for number, (key, text) in enumerate(rows, 1)
            ],
        )
    StreamCursor(tenant_id=connection.tenant_id, connection=connection, stream=stream, records=len(rows)).save(
        force_insert=True
    )


def numbered(count: int) -> list[tuple[str, str]]:
    return [(f"{number:07}", json.dumps({"id": number, "name": f"Record {number}"})) for number in range(count)]


def ask(tenant: Any, connection: Any = None, stream: str = "", form: str = "csv") -> Export:
    """As the web does."""
    with acting_as("web"), tenant_scope(tenant.id):
        return services.ask(
            tenant=tenant, connection=connection, stream=stream, export_format=ExportFormat(form), actor=ALICE
        )


def content(file: ExportFile) -> bytes:
    """What a download of it gives."""
    with acting_as("web"), tenant_scope(file.tenant_id):
        found = services.openable_files(file.tenant).get(id=file.id)
        open_file = services.OpenFile(found)
        data = b"".join(open_file.piece(place) for place in range(found.chunks))
    assert len(data) == found.size
    return data


@pytest.fixture
def books(committed_db: None, aamu: Any) -> Any:
    """A connection of Aamu's."""
    return opened(aamu)


@pytest.fixture
def export_of(work_off: Callable[..., int]) -> Callable[..., list[bytes]]:
    """`export_of(connection, "invoices", "csv")` gives the contents of the files, in the order of their parts."""

    def take(connection: Any, stream: str = "", form: str = "csv") -> list[bytes]:
        export = ask(connection.tenant, connection, stream, form)
        work_off()
        export.refresh_from_db()
        assert (export.state, export.reason) == ("done", "")
        return [content(file) for file in ExportFile.objects.filter(export_id=export.id).order_by("stream", "part")]

    return take
