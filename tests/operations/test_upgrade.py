"""An installation of the release before secrets were bound, with rows in every table, becomes one of today: nothing is lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import tink
from django.apps import apps
from django.db import connection as database
from django.db import models
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from tink import hybrid

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.providers.registry import all_providers
from connections.spec.checklist import MarkState, Probe
from connections.spec.uses import Use
from connections.tenancy.scope import tenant_scope
from connections.transport.models import ActivationRequest, AuthorizationAttempt, RequestLogEntry
from connections.transport.oauth import token_store
from connections.vault import keys, sealing
from connections.vault.models import Connection, Grant, LegacySeal, NetworkExemption
from connections.vault.resealing import RESEAL
from connections.vault.services import exemptions_of, open_credentials
from portal.notices.models import OutgoingMail
from tests.revealing import revealed
from tests.roles import acting_as

# The newest migrations of that release.
BEFORE = {
    "calls": "0001_initial",
    "jobs": "0001_initial",
    "members": "0002_rights",
    "notices": "0001_initial",
    "onboarding": "0002_rights_of_workers",
    "sync": "0001_initial",
    "tenancy": "0001_initial",
    "transport": "0007_recordings",
    "vault": "0004_private_networks",
}
REASON = "An old server in their own house."
CONNECTIONS: dict[str, dict[str, Any]] = {
    "pentamic": {
        "settings": {"api_url": "https://Books.aamu.example:8443/api", "auth_url": "https://id.aamu.example", "client_id": "c-1"},
        "company_id": "c-1",
        "plain_http": True,
        "private_networks": ["10.1.2.0/24", "fd00:1::/120"],
    },
    "simutek": {"settings": {"api_url": "https://gks.aamu.example", "client_id": "g-1"}, "company_id": "g-1"},
    "procountor": {"settings": {}, "company_id": "10451"},
    "smartbusiness": {"settings": {"client_id": "s-1"}, "company_id": "418000101"},
    "hesabit": {"settings": {"company_name": "Aamu"}, "company_id": "Aamu"},
}  # fmt: skip
NAMES = {
    "pentamic": "client_secret",
    "simutek": "client_secret",
    "procountor": "api_key",
    "smartbusiness": "client_secret",
}


@pytest.fixture
def old_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[MigrationExecutor]:
    """A database of its own, empty, in the server of the tests; whatever asks for the database gets this one."""
    name, alias = database.settings_dict["NAME"], f"upgrade_{uuid.uuid4().hex[:8]}"
    quoted = database.ops.quote_name
    with django_db_blocker.unblock():
        with database.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {quoted(alias)}")
        database.close()
        database.settings_dict["NAME"] = alias
        try:
            yield MigrationExecutor(database)
        finally:
            database.close()
            database.settings_dict["NAME"] = name
            with database.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {quoted(alias)} WITH (FORCE)")
            database.close()


class Old:
    """Writes rows as that release did, by the models as they were."""

    def __init__(self, then: Any) -> None:
        self.apps, self.public = then, {}

    def row(self, label: str, **values: Any) -> Any:
        model = self.apps.get_model(label)
        row = model(**{**self._needed(model, values), **values})
        row.save(force_insert=True)
        return row

    def _needed(self, model: Any, given: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for field in model._meta.concrete_fields:
            is_set = field.name in given or field.attname in given or field.has_default() or field.null
            if is_set or isinstance(field, models.AutoField) or getattr(field, "auto_now_add", False):
                continue
            if isinstance(field, models.ForeignKey):
                other = field.remote_field.model
                found[field.attname] = (other.objects.first() or self.row(other._meta.label)).pk
            elif isinstance(field, models.DateTimeField):
                found[field.name] = timezone.now()
            elif isinstance(field, models.UUIDField):
                found[field.name] = uuid.uuid4()
            elif isinstance(field, models.IntegerField):
                found[field.name] = 1
            elif isinstance(field, models.BooleanField):
                found[field.name] = False
            elif isinstance(field, models.BinaryField):
                found[field.name] = b""
            elif isinstance(field, models.JSONField):
                found[field.name] = {}
            elif isinstance(field, models.CharField | models.TextField):
                found[field.name] = uuid.uuid4().hex[: min(field.max_length or 32, 32)]
        return found

    def key(self, owner: str, **places: str) -> None:
        public, wrapped = keys._make_pair(owner, 1)
        self.public[owner] = tink.json_proto_keyset_format.parse_without_secret(public)
        tenant = {} if owner == keys.SYSTEM_OWNER else {"tenant_id": owner}
        self.row(places["public"], **tenant, version=1, public_keyset=public)
        self.row(places["private"], **tenant, version=1, wrapped_keyset=wrapped)

    def seal(self, owner: str, table: str, row: uuid.UUID, field: str, text: str) -> bytes:
        sealer = self.public[owner].primitive(hybrid.HybridEncrypt)
        return bytes(sealer.encrypt(text.encode(), f"v1|{owner}|{table}|{row}|{field}".encode()))


def fill(old: Old) -> uuid.UUID:
    """A customer with a connection of every provider, and a row in every other table."""
    tenant = old.row("tenancy.Tenant", name="Aamu Oy", slug="aamu", state="active").id
    old.key(keys.SYSTEM_OWNER, public="vault.HouseKey", private="vault.HousePrivateKey")
    old.key(str(tenant), public="vault.TenantKey", private="vault.PrivateKey")
    owner, now = str(tenant), timezone.now()

    def sealed(table: str, field: str, text: str, whose: str = owner) -> tuple[uuid.UUID, bytes]:
        row = uuid.uuid4()
        return row, old.seal(whose, table, row, field, text)

    for slug, values in CONNECTIONS.items():
        side = {"provider": slug, "environment": "production"}
        made = old.row("vault.Connection", tenant_id=tenant, **side, state="connected", **values)
        if slug in NAMES:
            row, ciphertext = sealed("vault_credential", "ciphertext", f"key of {slug}")
            old.row(
                "vault.Credential", id=row, tenant_id=tenant, connection_id=made.id, name=NAMES[slug],
                key_version=1, ciphertext=ciphertext, changed_at=now, changed_by="aino",
            )  # fmt: skip
        row, access = sealed("vault_grant", "access_ciphertext", f"access of {slug}")
        refresh = old.seal(owner, "vault_grant", row, "refresh_ciphertext", f"refresh of {slug}")
        old.row(
            "vault.Grant", id=row, tenant_id=tenant, connection_id=made.id, key_version=1, access_ciphertext=access,
            refresh_key_version=1, refresh_ciphertext=refresh, issued_at=now, expires_at=now + timedelta(hours=1),
        )  # fmt: skip
        row, secret = sealed("vault_clientregistration", "secret_ciphertext", f"ours at {slug}", keys.SYSTEM_OWNER)
        old.row("vault.ClientRegistration", id=row, **side, client_id="ours", key_version=1, secret_ciphertext=secret)
        row, code = sealed("transport_authorizationattempt", "code_ciphertext", f"code of {slug}")
        verifier = old.seal(owner, "transport_authorizationattempt", row, "verifier_ciphertext", f"verifier of {slug}")
        old.row(
            "transport.AuthorizationAttempt", id=row, tenant_id=tenant, connection_id=made.id, login="consent",
            key_version=1, code_key_version=1, code_ciphertext=code, verifier_ciphertext=verifier, state="received",
        )  # fmt: skip
        for action in ("plain_http_allowed", "private_networks_changed") if values.get("plain_http") else ():
            old.row(
                "tenancy.AuditEvent", tenant_id=tenant, action=f"connection.{action}", subject=str(made.id),
                actor_id=7, actor_name="ada@pilotage.example", details={"reason": REASON},
            )  # fmt: skip
    row, request = sealed("transport_activationrequest", "request_ciphertext", "a request")
    old.row(
        "transport.ActivationRequest", id=row, tenant_id=tenant, provider="procountor", environment="production",
        key_version=1, request_ciphertext=request, state="asked",
    )  # fmt: skip
    row, mail = sealed("notices_outgoingmail", "ciphertext", "a mail", keys.SYSTEM_OWNER)
    old.row("notices.OutgoingMail", id=row, key_version=1, ciphertext=mail)
    # Made by SQL, and the same then and now.
    RequestLogEntry(at=now, tenant_id=tenant, provider="procountor", operation="token", duration_ms=1).save(
        force_insert=True
    )
    for model in old.apps.get_models():
        if model._meta.app_label in BEFORE and not model.objects.exists():
            old.row(model._meta.label)
    return tenant


def others(executor: MigrationExecutor) -> list[tuple[str, str]]:
    """The newest migrations of apps that are not ours: they come with the libraries."""
    ours = {app.label for app in apps.get_app_configs() if app.name.startswith(("portal.", "connections."))}
    return [node for node in executor.loader.graph.leaf_nodes() if node[0] not in ours]


RENAMED = {"vault_housekey": "vault_systemkey", "vault_houseprivatekey": "vault_systemprivatekey"}


def test_the_upgrade_keeps_every_connection_working(old_database: MigrationExecutor) -> None:
    executor = old_database
    state = executor.migrate([*others(executor), *BEFORE.items()])
    tenant_id = fill(Old(state.apps))
    counts = {
        model._meta.db_table: model.objects.count()
        for model in state.apps.get_models()
        if model._meta.app_label in BEFORE
    }
    assert all(counts.values()), counts
    executor = MigrationExecutor(database)
    executor.migrate(executor.loader.graph.leaf_nodes())

    assert LegacySeal.objects.count() == 4 + 5 * 5 + 2
    every_value_opens(tenant_id)  # before any is sealed anew
    jobs = Job.objects.filter(kind=RESEAL)
    assert jobs.count() == 2
    with acting_as("worker"):
        for job in jobs.values_list("id", flat=True):
            work(str(job))
    assert set(jobs.values_list("state", flat=True)) == {"succeeded"}
    assert not LegacySeal.objects.exists()
    every_value_opens(tenant_id)
    with database.cursor() as cursor:
        for table, count in counts.items():
            table = RENAMED.get(table, table)
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone()[0] >= count, table

    exemptions = list(NetworkExemption.objects.values_list("kind", "networks", "reason", "actor_id", "actor_name"))
    who = (REASON, 7, "ada@pilotage.example")
    networks = CONNECTIONS["pentamic"]["private_networks"]
    assert sorted(exemptions) == [("plain-http", [], *who), ("private-networks", networks, *who)]
    for connection in Connection.objects.all():
        allowed = exemptions_of(connection)
        assert allowed.plain_http == (connection.provider == "pentamic")
        assert list(allowed.private_networks) == (networks if connection.provider == "pentamic" else [])
    the_company_is_the_same()


def every_value_opens(tenant_id: uuid.UUID) -> None:
    with acting_as("worker"), tenant_scope(tenant_id):
        for connection in Connection.objects.all():
            slug = connection.provider
            opened = open_credentials(connection)
            if slug in NAMES:
                secret = opened.credentials[NAMES[slug]]
                assert not isinstance(secret, str)
                assert revealed(secret) == f"key of {slug}"
            assert opened.client_secret is not None
            assert revealed(opened.client_secret) == f"ours at {slug}"
            row, now = token_store.read(connection)
            living, refresh = token_store.open_access_token(row, now), token_store.open_refresh_token(row)
            assert living is not None
            assert refresh is not None
            assert (revealed(living.secret), revealed(refresh)) == (f"access of {slug}", f"refresh of {slug}")
            attempt = AuthorizationAttempt.objects.select_related("connection").get(connection=connection)
            assert revealed(sealing.unseal(attempt, "code_ciphertext")) == f"code of {slug}"
            assert revealed(sealing.unseal(attempt, "verifier_ciphertext")) == f"verifier of {slug}"
        assert revealed(sealing.unseal(ActivationRequest.objects.get(), "request_ciphertext")) == "a request"
        mail = sealing.unseal(OutgoingMail.objects.get(), "ciphertext")
        assert mail.reveal_for(Use.MAIL) == "a mail"
        assert Grant.objects.count() == len(CONNECTIONS)


def the_company_is_the_same() -> None:
    """Where a provider names no company, the first look at the customers takes these for the ones of before."""
    for slug in ("pentamic", "simutek"):
        connection = Connection.objects.get(provider=slug)
        proof = all_providers()[slug].checkpoint("company", all_providers()[slug].grants[0].name).proof
        assert isinstance(proof, Probe)
        asker = SimpleNamespace(
            settings=connection.settings,
            company_id=connection.company_id,
            company_confirmed=True,
            company_unproven=True,
            ask=lambda *_: SimpleNamespace(body=[]),
            known=lambda *_: (0, 0),
        )
        found = proof.run(asker)  # type: ignore[arg-type]
        assert found.proves_company, slug
        assert found.state is MarkState.VERIFIED
        assert found.values["company_id"] == connection.company_id
