"""What a caller process of the drill runs. Importing it sets Django up, so that those forked afterwards need not."""

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from types import SimpleNamespace

import django

django.setup()

from django.db import connection as database

from connections.providers import registry
from connections.spec.errors import CallFailed
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.transport.oauth import tokens
from connections.transport.oauth.token import LoginCode
from connections.transport.oauth.tokens import TokenHolder
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection
from tests.drills.callers import CALL, THREADS, name_of
from tests.revealing import bound_for

SLUG = "smartbusiness"
# Without its quota: 64 calls at the same moment are the point here.
PROVIDER = replace(registry.all_providers()[SLUG], quotas=())


def serve(pipe: Pipe, tenant_id: str, connection_id: str) -> None:
    registry.find = lambda slug: PROVIDER
    os.environ["PGAPPNAME"] = name_of(os.getpid())
    # A claim names its process, so that the drill knows whose it was when it kills one.
    numbers = itertools.count()
    tokens.uuid = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{os.getpid()}-{next(numbers)}"))
    with tenant_scope(tenant_id):
        connection = Connection.objects.get(id=connection_id)
    gate = threading.Barrier(THREADS + 1)
    outcomes: list[str] = []

    def call_again_and_again() -> None:
        while True:
            gate.wait()
            outcomes.append(_call(connection))
            gate.wait()

    for _ in range(THREADS):
        threading.Thread(target=call_again_and_again, daemon=True).start()
    while True:
        try:
            order, *rest = pipe.recv()
        except EOFError:
            return
        if order == CALL:
            gate.wait()
            gate.wait()
            pipe.send(outcomes)
            outcomes.clear()
        else:
            pipe.send([_trade(connection, *rest)])


def _call(connection: Connection) -> str:
    try:
        status = Client(connection=connection).send("profile").status
    except CallFailed as failed:
        return failed.fault.code
    except Exception as failed:
        database.close()
        return f"{type(failed).__name__}: {failed}"
    return str(status)


def _trade(connection: Connection, code: str) -> str:
    sent = LoginCode(bound_for(connection, code), bound_for(connection, "v" * 43), "https://portal.example/callback")
    try:
        TokenHolder(RequestContext(connection, PROVIDER)).exchange_code(sent)
    except CallFailed as failed:
        return failed.fault.code
    return "200"
