"""A provider with every kind of button, for the table of addresses; invoices that were read, stored as a worker does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from connections.providers import registry
from connections.sync import upsert
from connections.sync.models import Record, StreamCursor
from connections.sync.searching import searched_by
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.services import mark_healthy, open_connection
from tests.roles import acting_as
from tests.signing import offer, signing_provider


@pytest.fixture
def every_button(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, signing_provider())


@pytest.fixture
def books(db: None, aamu: Any) -> Any:
    with tenant_scope(aamu.id):
        opened = open_connection(tenant=aamu, provider="procountor", environment="test", actor=SYSTEM)
        mark_healthy(connection=opened)
    return opened


@pytest.fixture
def viewer(sign_in: Callable[..., Any], vera: Any) -> Any:
    """A viewer may do all of this."""
    return sign_in(vera)


@pytest.fixture
def invoices(books: Any) -> str:
    return f"/t/aamu/c/{books.id}/records/invoices/"


@pytest.fixture
def keep_invoices(books: Any) -> Callable[..., None]:
    """`keep_invoices(records, entry_id)` stores them as a worker does, and says that the list was read."""
    stream = next(each for each in registry.all_providers()["procountor"].streams if each.name == "invoices")

    def write(records: Iterable[dict[str, Any]] | str, entry_id: UUID | None = None) -> None:
        document = (records if isinstance(records, str) else json.dumps(list(records))).encode()
        with acting_as("worker"), tenant_scope(books.tenant_id):
            upsert.write(
                connection=books,
                stream="invoices",
                key="id",
                document=document,
                searched=[column.steps for column in stream.searched],
                entry_id=entry_id,
            )
        StreamCursor.objects.update_or_create(
            tenant=books.tenant,
            connection=books,
            stream="invoices",
            defaults={
                "records": Record.objects.count(),
                "read_at": timezone.now(),
                "searched_by": searched_by(stream),
            },
        )

    return write
