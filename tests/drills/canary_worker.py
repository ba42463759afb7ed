"""Runs into every kind of trouble as a worker, and prints all that its exceptions have to say.

    python -m tests.drills.canary_worker <address of the control API> <how many troubles> <tenant>:<connection> ...

Each trouble is an answer in which the provider repeats our own secrets. Standard output is one line of JSON:
[[where, text], ...]. What was only caught is told as well: even what a traceback leaves out.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import django

django.setup()

from connections.providers.registry import all_providers  # noqa: E402
from connections.spec.operations import Arguments  # noqa: E402
from connections.tenancy.scope import tenant_scope  # noqa: E402
from connections.transport import client as sending  # noqa: E402
from connections.transport.client import Client  # noqa: E402
from connections.vault.models import Connection  # noqa: E402
from tests.drills.canary_echo import TROUBLES, echo, sent_for_tokens, sent_in_calls  # noqa: E402
from tests.drills.canary_errors import reported, text_of  # noqa: E402
from tests.sandbox_server import SandboxServer  # noqa: E402


def ask(connection: Connection) -> None:
    provider = all_providers()[connection.provider]
    stream = next(stream for stream in provider.streams if stream.each is None)
    variant = stream.variants[0] if stream.variants else {}
    question = Arguments(query={**stream.query, **variant, **stream.paging.parameters({})})
    Client(connection=connection).send(stream.operation, question)


def fresh_token(connection: Connection) -> None:
    Client(connection=connection).new_token()


def main() -> None:
    # Between retries nobody sleeps here: what is said is the same.
    sending.time = SimpleNamespace(sleep=lambda _seconds: None)
    most, connections = int(sys.argv[2]), [find(name) for name in sys.argv[3:]]
    of_each = [[each for each in connections if each.provider == slug] for slug in {c.provider for c in connections}]
    with ThreadPoolExecutor(len(of_each)) as together:
        said = [each for found in together.map(lambda those: troubles_of(those, most), of_each) for each in found]
    json.dump(said, sys.stdout)


def find(name: str) -> Connection:
    tenant_id, _, connection_id = name.partition(":")
    with tenant_scope(UUID(tenant_id)):
        return Connection.objects.select_related("tenant").get(id=connection_id)


def troubles_of(connections: list[Connection], most: int) -> list[tuple[str, str]]:
    """Of one provider, one after the other."""
    said: list[tuple[str, str]] = []
    for connection in connections:
        sandbox = SandboxServer(Path(), simulator=connection.provider)
        sandbox.ui = sys.argv[1]
        for trouble in TROUBLES[-most:]:
            for deed, secrets in ((ask, sent_in_calls), (fresh_token, sent_for_tokens)):
                sandbox.faults([echo(trouble, secrets(connection), all_providers()[connection.provider])])
                said += meet(connection, deed, str(trouble))
        sandbox.faults([])
    return said


def meet(connection: Connection, deed: Any, trouble: str) -> list[tuple[str, str]]:
    where = f"exception of {connection.provider} at {trouble}"
    try:
        deed(connection)
    except Exception as error:
        return [(where, text_of(error)), (f"{where}, reported", reported(error))]
    return []


main()
