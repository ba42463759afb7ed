"""Run with the web process's environment: tries every way we know to open something of the vault class.

Prints one JSON object: which ways were tried and which of them opened something. Run by test_wall.py.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django

django.setup()

from django.conf import settings
from django.db import connection, transaction

from connections.tenancy.scope import staff_scope, tenant_scope
from connections.vault import keys, sealing
from connections.vault.models import ClientRegistration, Connection, Credential, Grant, PrivateKey, SystemPrivateKey
from connections.vault.services import open_credentials

tenant_id, connection_id, credential_id, canary, kek_file = sys.argv[1:6]
results: dict[str, str] = {}


def attempt(name, auth_method):
    """`opened` when the way gives the planted secret or a private key; else the type of the refusal."""
    try:
        with transaction.atomic(), tenant_scope(tenant_id):
            value = auth_method()
    except Exception as error:
        results[name] = type(error).__name__
        return
    text = repr(value)
    results[name] = "opened" if canary in text or value else "nothing"


def sql(statement, *parameters):
    def auth_method():
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else "done"

    return auth_method


def _as_staff(statement):
    with staff_scope():
        return sql(statement)()


def _credential():
    return Credential(
        id=credential_id,
        tenant_id=tenant_id,
        connection=_connection(),
        name="api_key",
        key_version=1,
        ciphertext=b"x" * 60,
    )


def _connection():
    return Connection.objects.get(id=connection_id)


attempt("private keys by the ORM", lambda: list(PrivateKey.objects.all()))
attempt("house private keys by the ORM", lambda: list(SystemPrivateKey.objects.all()))
attempt("private keys by SQL", sql("SELECT wrapped_keyset FROM vault_privatekey"))
attempt("ciphertexts of credentials", lambda: list(Credential.objects.values_list("ciphertext")))
attempt("ciphertexts of grants", lambda: list(Grant.objects.values_list("access_ciphertext")))
attempt("our client secret", lambda: list(ClientRegistration.objects.values_list("secret_ciphertext")))
for role in ("portal_worker", "portal_owner", "postgres"):
    attempt(f"take the role {role}", sql(f"SET LOCAL ROLE {role}"))
attempt("grant itself the right", sql("GRANT SELECT ON vault_privatekey TO portal_web"))
attempt("read the server's files", sql("SELECT pg_read_file('PG_VERSION')"))
attempt("run a program on the server", sql("COPY (SELECT 1) TO PROGRAM 'cat'"))
attempt("as staff: private keys", lambda: _as_staff("SELECT wrapped_keyset FROM vault_privatekey"))
attempt("as staff: ciphertexts", lambda: _as_staff("SELECT ciphertext FROM vault_credential"))
attempt("the services a worker uses", lambda: open_credentials(_connection()))
attempt("unsealing", lambda: sealing.unseal(_credential(), "ciphertext"))
attempt("the key-encryption key by settings", keys.kek)
if kek_file:
    attempt("the key-encryption key's file", lambda: Path(kek_file).read_text())
attempt("the environment", lambda: [name for name in os.environ if "KEK" in name or "WORKER" in name])
attempt("settings", lambda: settings.KEK_FILE)

with connection.cursor() as cursor:
    cursor.execute("SELECT current_user")
    results["role"] = cursor.fetchone()[0]
json.dump(results, sys.stdout)
