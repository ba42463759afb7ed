"""Disconnecting and recordings ask who is there once more, when that was not shown within the last five minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.urls import reverse

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.log import recording as recordings
from connections.transport.models import Recording
from connections.vault.models import Connection
from connections.vault.services import open_connection
from tests.conftest import PASSWORD, RoleClient


@pytest.fixture
def open_one(aamu: Any) -> Any:
    with tenant_scope(aamu.id):
        return open_connection(tenant=aamu, provider="procountor", environment="test", actor=SYSTEM)


def of(name: str, connection: Connection, *more: Any) -> str:
    return reverse(name, args=["aamu", connection.id, *more])


def test_disconnecting_asks_again_and_then_does_it(
    open_one: Connection, alice: Any, sign_in: Callable[..., RoleClient]
) -> None:
    owner, page = sign_in(alice, lately=False), of("disconnect", open_one)
    assert owner.get(page).status_code == 200  # what it means may be read
    asked = owner.post(page)["Location"]
    assert asked.startswith("/account/reauthenticate/?next=")
    open_one.refresh_from_db()
    assert open_one.state == "setup"
    [wanted] = parse_qs(urlsplit(asked).query)["next"]
    assert owner.post(asked, {"password": PASSWORD, "next": wanted})["Location"] == reverse("home", args=["aamu"])
    open_one.refresh_from_db()
    assert open_one.state == "disconnected"


def test_recordings_ask_again_to_begin_to_read_and_to_delete(
    open_one: Connection, alice: Any, sign_in: Callable[..., RoleClient]
) -> None:
    owner = sign_in(alice, lately=False)
    for name in ("start_recording", "delete_recording"):
        answer = owner.post(of(name, open_one), {"minutes": "15"})
        assert answer["Location"].startswith("/account/reauthenticate/"), name
    assert not Recording.objects.exists()
    answer = owner.get(of("recorded_call", open_one, uuid4()))
    assert answer["Location"].startswith("/account/reauthenticate/")
    with tenant_scope(open_one.tenant_id):
        recordings.start(connection=open_one, lasts=timedelta(minutes=15), actor=alice.actor)
    owner.post(of("stop_recording", open_one))  # stopping harms nobody
    assert Recording.objects.get().stopped_at is not None
    assert sign_in(alice).get(of("recorded_call", open_one, uuid4())).status_code == 404
