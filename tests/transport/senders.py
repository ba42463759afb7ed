"""A worker process with several threads that all send one call at the same moment. Prints one outcome per thread."""

from __future__ import annotations

import json
import sys
import threading
import time

import django

django.setup()

from connections.spec.errors import CallFailed
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.vault.models import Connection

tenant_id, connection_id, threads, start_at = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

with tenant_scope(tenant_id):
    connection = Connection.objects.get(id=connection_id)
outcomes: list[str] = []


def send() -> None:
    from django.db import connection as database

    time.sleep(max(start_at - time.time(), 0))
    try:
        outcomes.append(str(Client(connection=connection).send("session").status))
    except CallFailed as failed:
        outcomes.append(failed.fault.code)
    finally:
        database.close()


senders = [threading.Thread(target=send) for _ in range(threads)]
for sender in senders:
    sender.start()
for sender in senders:
    sender.join()
json.dump(outcomes, sys.stdout)
