"""A worker process with several threads that all send one call at the same moment: when its standard input says so.

Prints `ready`, then one outcome per thread.
"""

from __future__ import annotations

import json
import sys
import threading

import django

django.setup()

from connections.spec.errors import CallFailed
from connections.tenancy.scope import tenant_scope
from connections.transport.client import Client
from connections.vault.models import Connection

tenant_id, connection_id, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])

with tenant_scope(tenant_id):
    connection = Connection.objects.get(id=connection_id)
outcomes: list[str] = []
gate = threading.Barrier(threads + 1)


def send() -> None:
    from django.db import connection as database

    gate.wait()
    try:
        outcomes.append(str(Client(connection=connection).send("session").status))
    except CallFailed as failed:
        outcomes.append(failed.fault.code)
    finally:
        database.close()


senders = [threading.Thread(target=send) for _ in range(threads)]
for sender in senders:
    sender.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
gate.wait()
for sender in senders:
    sender.join()
json.dump(outcomes, sys.stdout)
