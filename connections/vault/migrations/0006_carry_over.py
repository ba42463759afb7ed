"""Carries over what stands: exemptions into their table, a list of the values that are bound to their row alone, and the
identity of connections whose provider names no company, which holds the server from now on.

The list is written here, as the owner, before any process of the new release runs: each value is later sealed anew for the
addresses that its connection had at this moment, whatever is changed meanwhile.
"""

import json
from urllib.parse import urlsplit

from django.db import migrations

TOKEN_REQUEST = ["token-request"]
# What customers typed, and what identified a company, by provider, as of this release.
ADDRESSES = {"pentamic": ("api_url", "auth_url"), "simutek": ("api_url",)}
IDENTITY = {"pentamic": ("api_url", "auth_url", "client_id"), "simutek": ("api_url", "client_id")}
TOKEN_IN_QUERY = ("hesabit",)
SYSTEM = "00000000-0000-0000-0000-000000000000"


def origin(address):
    try:
        parts = urlsplit(address.strip())
        scheme, host = parts.scheme.lower(), (parts.hostname or "").removesuffix(".")
        if scheme not in ("http", "https") or not host or "@" in parts.netloc or "\\" in parts.netloc:
            return ""
        port = parts.port or {"https": 443, "http": 80}[scheme]
    except ValueError:
        return ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def binding(uses, *, connection=None, name="", provider="", environment=""):
    origins = []
    if connection is not None:
        provider, environment = connection.provider, connection.environment
        typed = sorted(ADDRESSES.get(provider, ()))
        origins = [f"{field}={origin(connection.settings.get(field, ''))}" for field in typed]
    parts = {
        "connection": str(connection.id) if connection is not None else "",
        "environment": environment,
        "name": name,
        "origins": origins,
        "provider": provider,
        "uses": sorted(uses),
    }
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def list_values(apps, schema_editor):
    legacy = apps.get_model("vault", "LegacySeal")
    tenants = set()

    def add(table, row, field, text, tenant_id=None):
        legacy(tenant_id=tenant_id, table=table, row=row.pk, field=field, binding=text).save(force_insert=True)
        tenants.add(tenant_id)

    for row in apps.get_model("vault", "Credential").objects.select_related("connection").iterator():
        text = binding(TOKEN_REQUEST, connection=row.connection, name=row.name)
        add("vault_credential", row, "ciphertext", text, row.tenant_id)
    for row in apps.get_model("vault", "Grant").objects.select_related("connection").iterator():
        if row.access_ciphertext is not None:
            uses = ["query" if row.connection.provider in TOKEN_IN_QUERY else "header"]
            add("vault_grant", row, "access_ciphertext", binding(uses, connection=row.connection), row.tenant_id)
        if row.refresh_ciphertext is not None:
            text = binding(TOKEN_REQUEST, connection=row.connection)
            add("vault_grant", row, "refresh_ciphertext", text, row.tenant_id)
    for row in apps.get_model("vault", "ClientRegistration").objects.exclude(secret_ciphertext=b""):
        text = binding(["basic", "token-request"], provider=row.provider, environment=row.environment)
        add("vault_clientregistration", row, "secret_ciphertext", text)
    attempts = apps.get_model("transport", "AuthorizationAttempt").objects.filter(ended_at=None)
    for row in attempts.select_related("connection").iterator():
        text = binding(TOKEN_REQUEST, connection=row.connection, name=row.login)
        for field in ("verifier_ciphertext", "code_ciphertext"):
            if getattr(row, field) is not None:
                add("transport_authorizationattempt", row, field, text, row.tenant_id)
    for row in apps.get_model("transport", "ActivationRequest").objects.exclude(request_ciphertext=b"").iterator():
        text = binding(["path"], provider=row.provider, environment=row.environment)
        add("transport_activationrequest", row, "request_ciphertext", text, row.tenant_id)
    for row in apps.get_model("notices", "OutgoingMail").objects.exclude(ciphertext=b"").iterator():
        add("notices_outgoingmail", row, "ciphertext", binding(["mail"]))
    job = apps.get_model("jobs", "Job")
    for tenant_id in tenants:
        job(tenant_id=tenant_id, kind="vault.reseal", subject=tenant_id or SYSTEM, queue="sync").save(force_insert=True)


def keep_exemptions(apps, schema_editor):
    """Who allowed it and why stands in the tenant's audit trail; the newest such event is theirs."""
    exemption = apps.get_model("vault", "NetworkExemption")
    events = apps.get_model("tenancy", "AuditEvent").objects
    for connection in apps.get_model("vault", "Connection").objects.iterator():
        wanted = []
        if connection.plain_http:
            wanted.append(("plain-http", [], "connection.plain_http_allowed"))
        if connection.private_networks:
            wanted.append(("private-networks", connection.private_networks, "connection.private_networks_changed"))
        for kind, networks, action in wanted:
            event = events.filter(subject=str(connection.id), action=action).order_by("-happened_at").first()
            exemption(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                kind=kind,
                networks=networks,
                reason=str(event.details.get("reason", ""))[:200] if event else "",
                actor_id=event.actor_id if event else None,
                actor_name=event.actor_name if event else "",
            ).save(force_insert=True)


def name_the_server(apps, schema_editor):
    """A connection whose provider names no company belongs to a server and a client, no longer to a client alone."""
    connections = apps.get_model("vault", "Connection").objects.exclude(company_id="")
    for connection in connections.filter(provider__in=list(IDENTITY)).iterator():
        parts = [connection.settings.get(field, "") for field in IDENTITY[connection.provider]]
        connection.company_id = " ".join(parts)[:600]
        connection.save(update_fields=["company_id"])


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("notices", "0001_initial"),
        ("tenancy", "0001_initial"),
        ("transport", "0007_recordings"),
        ("vault", "0005_bound_secrets"),
    ]
    operations = [
        migrations.RunPython(list_values, migrations.RunPython.noop),
        migrations.RunPython(keep_exemptions, migrations.RunPython.noop),
        migrations.RunPython(name_the_server, migrations.RunPython.noop),
    ]
