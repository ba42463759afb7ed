"""A database of the release before the migrations were squashed, with rows in every table, is taken over as it is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
import tink
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from tink import hybrid

from connections.jobs.models import Job
from connections.jobs.tasks import work
from connections.spec.uses import Use
from connections.sync.models import Schedule
from connections.sync.schedule import SCHEDULED, slots_after
from connections.tenancy.scope import tenant_scope
from connections.transport.models import ActivationRequest, AuthorizationAttempt
from connections.transport.oauth import token_store
from connections.vault import keys, sealing
from connections.vault.models import Connection, Grant, LegacySeal
from connections.vault.resealing import RESEAL, SYSTEM
from connections.vault.services import exemptions_of, open_credentials
from portal.notices.models import OutgoingMail
from tests.house.schema import FILE, schema_lines
from tests.revealing import revealed
from tests.roles import acting_as

APPS = (
    "calls", "jobs", "members", "notices", "onboarding", "rate_limits", "sync", "tenancy", "transport", "vault",
)  # fmt: skip
LATER_APPS = ("certification", "exports", "incidents", "support")  # which that release had not
# What that release's tables are: made by these, and recorded there under the names they replace.
RELEASE = [*((app, "0001_squashed") for app in APPS), ("members", "0002_rights")]
# Tables that were renamed in that release kept these names.
OLD_NAMES = {
    "vault_systemkey": {"vault_systemkey_pkey": "vault_housekey_pkey"},
    "vault_systemprivatekey": {"vault_systemprivatekey_version_check": "vault_houseprivatekey_version_check"},
}
CONNECTIONS: dict[str, dict[str, Any]] = {
    "pentamic": {
        "settings": {"api_url": "https://Books.aamu.example:8443/api", "auth_url": "https://id.aamu.example", "client_id": "c-1"},
        "company_id": "https://Books.aamu.example:8443/api https://id.aamu.example c-1",
    },
    "simutek": {
        "settings": {"api_url": "https://gks.aamu.example", "client_id": "g-1"},
        "company_id": "https://gks.aamu.example g-1",
    },
    "procountor": {"settings": {}, "company_id": "10451"},
    "smartbusiness": {"settings": {"client_id": "s-1"}, "company_id": "418000101"},
    "hesabit": {"settings": {"company_name": "Aamu"}, "company_id": "Aamu"},
}  # fmt: skip
ORIGINS = {
    "pentamic": ["api_url=https://books.aamu.example:8443", "auth_url=https://id.aamu.example:443"],
    "simutek": ["api_url=https://gks.aamu.example:443"],
}
CREDENTIALS = {
    "pentamic": "client_secret",
    "simutek": "client_secret",
    "procountor": "api_key",
    "smartbusiness": "client_secret",
}
# How often each was read, and when it was due next: those without a job had not been read yet.
HOURS = {"pentamic": 0, "simutek": 1, "procountor": 48}
# Its values still wait to be sealed anew: they are bound to their rows alone, and listed.
NOT_RESEALED = "simutek"
NETWORKS = ["10.1.2.0/24", "fd00:1::/120"]


@pytest.fixture
def empty_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own in the server of the tests; whatever asks for the database gets this one."""
    name, alias = database.settings_dict["NAME"], f"upgrade_{uuid.uuid4().hex[:8]}"
    quoted = database.ops.quote_name
    with django_db_blocker.unblock():
        with database.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {quoted(alias)}")
        database.close()
        database.settings_dict["NAME"] = alias
        try:
            yield
        finally:
            database.close()
            database.settings_dict["NAME"] = name
            with database.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {quoted(alias)} WITH (FORCE)")
            database.close()


def last_release() -> Any:
    """The tables as that release has them, recorded and named as there; returns its models."""
    executor = MigrationExecutor(database)
    brought = [node for node in executor.loader.graph.leaf_nodes() if node[0] not in (*APPS, *LATER_APPS)]
    state = executor.migrate([*brought, *RELEASE])
    recorder = MigrationRecorder(database)
    for app, name in RELEASE:
        if replaced := executor.loader.disk_migrations[app, name].replaces:
            recorder.record_unapplied(app, name)
            for was in replaced:
                recorder.migration_qs.get_or_create(app=was[0], name=was[1])
    with database.cursor() as cursor:
        for table, names in OLD_NAMES.items():
            for name, old_name in names.items():
                cursor.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {old_name}")
    return state.apps


class Filler:
    """Writes rows by the models of that release, with values for whatever is not given."""

    def __init__(self, of_release: Any) -> None:
        self.apps, self.public = of_release, {}

    def row(self, label: str, **values: Any) -> Any:
        model = self.apps.get_model(label)
        row = model(**{**self._values(model, values), **values})
        row.save(force_insert=True)
        return row

    def _values(self, model: Any, fixed: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in model._meta.concrete_fields:
            is_set = field.name in fixed or field.attname in fixed or field.has_default() or field.null
            if is_set or isinstance(field, models.AutoField) or getattr(field, "auto_now_add", False):
                continue
            if isinstance(field, models.ForeignKey):
                other = field.remote_field.model
                values[field.attname] = (other.objects.first() or self.row(other._meta.label)).pk
            elif isinstance(field, models.DateTimeField):
                values[field.name] = timezone.now()
            elif isinstance(field, models.UUIDField):
                values[field.name] = uuid.uuid4()
            elif isinstance(field, models.IntegerField):
                values[field.name] = 1
            elif isinstance(field, models.BooleanField):
                values[field.name] = False
            elif isinstance(field, models.BinaryField):
                values[field.name] = b""
            elif isinstance(field, models.JSONField):
                values[field.name] = {}
            elif isinstance(field, models.CharField | models.TextField):
                values[field.name] = uuid.uuid4().hex[: min(field.max_length or 32, 32)]
        return values

    def key(self, owner: str, public_label: str, private_label: str) -> None:
        public, wrapped = keys._make_pair(owner, 1)
        self.public[owner] = tink.json_proto_keyset_format.parse_without_secret(public)
        tenant = {} if owner == keys.SYSTEM_OWNER else {"tenant_id": owner}
        self.row(public_label, **tenant, version=1, public_keyset=public)
        self.row(private_label, **tenant, version=1, wrapped_keyset=wrapped)

    def seal(self, owner: str, place: tuple[str, uuid.UUID, str], text: str, **bound: Any) -> bytes:
        """As that release sealed: bound to its place and to what it is for, or to its place alone, and listed."""
        table, row, field = place
        sealer = self.public[owner].primitive(hybrid.HybridEncrypt)
        parts = {"connection": "", "environment": "", "name": "", "origins": [], "provider": "", **bound}
        binding = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        context = f"v2|{owner}|{table}|{row}|{field}|{binding}"
        if bound.get("provider") == NOT_RESEALED:
            tenant = None if owner == keys.SYSTEM_OWNER else owner
            self.row("vault.LegacySeal", tenant_id=tenant, table=table, row=row, field=field, binding=binding)
            context = f"v1|{owner}|{table}|{row}|{field}"
        return bytes(sealer.encrypt(text.encode(), context.encode()))


def fill(old: Filler) -> uuid.UUID:
    """A customer with a connection of every provider, and a row in every other table."""
    tenant = old.row("tenancy.Tenant", name="Aamu Oy", slug="aamu", state="active").id
    old.key(keys.SYSTEM_OWNER, "vault.SystemKey", "vault.SystemPrivateKey")
    old.key(str(tenant), "vault.TenantKey", "vault.PrivateKey")
    for slug in CONNECTIONS:
        fill_connection(old, tenant, slug)
    side = {"provider": "procountor", "environment": "production"}
    row = uuid.uuid4()
    request = old.seal(
        str(tenant), ("transport_activationrequest", row, "request_ciphertext"), "a request", **side, uses=["path"]
    )
    old.row("transport.ActivationRequest", id=row, tenant_id=tenant, **side, key_version=1, request_ciphertext=request)
    mail = old.seal(keys.SYSTEM_OWNER, ("notices_outgoingmail", row, "ciphertext"), "a mail", uses=["mail"])
    old.row("notices.OutgoingMail", id=row, key_version=1, ciphertext=mail)
    for kind, networks in (("plain-http", []), ("private-networks", NETWORKS)):
        old.row("vault.NetworkExemption", tenant_id=tenant, kind=kind, networks=networks, reason="An old server.")
    for subject in (tenant, SYSTEM):
        owner = tenant if subject == tenant else None
        old.row("jobs.Job", tenant_id=owner, kind=RESEAL, subject=subject, queue="sync")
    log = old.apps.get_model("transport", "RequestLogEntry")  # without its tenant: Django does not manage the table
    with database.cursor() as cursor:
        columns = {"id": row, "at": timezone.now(), "tenant_id": tenant, "outcome": "answered", "duration_ms": 1}
        columns |= dict.fromkeys(("provider", "environment", "operation", "method", "path_template"), "x")
        marks = ", ".join(["%s"] * len(columns))
        cursor.execute(
            f"INSERT INTO {log._meta.db_table} ({', '.join(columns)}) VALUES ({marks})", list(columns.values())
        )
    old.row("usersessions.UserSession", ip="192.0.2.7")
    for model in old.apps.get_models(include_auto_created=True):
        if not model.objects.exists():
            old.row(model._meta.label)
    return tenant


def fill_connection(old: Filler, tenant: uuid.UUID, slug: str) -> None:
    side = {"provider": slug, "environment": "production"}
    owner, now = str(tenant), timezone.now()
    hours = HOURS.get(slug, 6)
    connection = old.row(
        "vault.Connection", tenant_id=tenant, **side, state="connected", sync_every_hours=hours, **CONNECTIONS[slug]
    )
    if slug in HOURS and hours:
        due_at = now + timedelta(hours=hours // 2, minutes=-30)
        old.row(
            "jobs.Job", tenant_id=tenant, kind=SCHEDULED, subject=connection.id, queue="interactive", due_at=due_at
        )
    of = {"tenant_id": tenant, "connection_id": connection.id}
    bound = {**side, "connection": str(connection.id), "origins": ORIGINS.get(slug, [])}
    of_token = {**bound, "uses": ["token-request"]}
    row = uuid.uuid4()
    if slug in CREDENTIALS:
        name = CREDENTIALS[slug]
        key = old.seal(owner, ("vault_credential", row, "ciphertext"), f"key of {slug}", **of_token, name=name)
        old.row("vault.Credential", id=row, **of, name=name, key_version=1, ciphertext=key)
    uses = ["query" if slug == "hesabit" else "header"]
    access = old.seal(owner, ("vault_grant", row, "access_ciphertext"), f"access of {slug}", **bound, uses=uses)
    refresh = old.seal(owner, ("vault_grant", row, "refresh_ciphertext"), f"refresh of {slug}", **of_token)
    old.row(
        "vault.Grant", id=row, **of, key_version=1, access_ciphertext=access, refresh_key_version=1,
        refresh_ciphertext=refresh, issued_at=now, expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    secret = old.seal(
        keys.SYSTEM_OWNER, ("vault_clientregistration", row, "secret_ciphertext"), f"ours at {slug}", **side,
        uses=["basic", "token-request"],
    )  # fmt: skip
    old.row("vault.ClientRegistration", id=row, **side, client_id="ours", key_version=1, secret_ciphertext=secret)
    sealed = {
        field: old.seal(
            owner, ("transport_authorizationattempt", row, field), f"{field} of {slug}", **of_token, name="consent"
        )
        for field in ("code_ciphertext", "verifier_ciphertext")
    }
    old.row(
        "transport.AuthorizationAttempt", id=row, **of, login="consent", key_version=1, code_key_version=1,
        state="received", **sealed,
    )  # fmt: skip


def rows_are_there(before: list[str], after: list[str]) -> bool:
    """Whether these are the same rows, as far as they have the same columns."""
    rows = [[json.loads(each) for each in some] for some in (before, after)]
    columns = [set(some[0]) if some else set() for some in rows]
    shared = sorted(columns[0] & columns[1])
    one, other = (sorted(json.dumps([row[column] for column in shared]) for row in some) for some in rows)
    return one == other


def contents() -> dict[str, list[str]]:
    """Every row of every table, by table."""
    rows = {}
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            if table != "django_migrations":
                cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t ORDER BY 1')
                rows[table] = [text for (text,) in cursor.fetchall()]
    return rows


def test_the_upgrade_keeps_every_row_and_every_connection_working(
    empty_database: None, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_id = fill(Filler(last_release()))
    before = contents()
    assert [table for table, rows in before.items() if not rows] == []
    call_command("migrate", verbosity=0)
    # Content types of the site's own models are what `migrate` itself adds.
    after = contents()
    assert {table for table, rows in before.items() if not rows_are_there(rows, after[table])} <= {
        "django_content_type",
        "auth_permission",
    }
    every_connection_is_read_as_before()
    call_command("migrate", plan=True)
    assert "No planned migration operations." in capsys.readouterr().out
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    with transaction.atomic():
        assert set(schema_lines(database)) ^ set(FILE.read_text(encoding="utf-8").splitlines()) == set()

    every_value_opens(tenant_id)  # also those that are still to be sealed anew
    assert LegacySeal.objects.count() == 6
    with acting_as("worker"):
        for job in Job.objects.filter(kind=RESEAL).values_list("id", flat=True):
            work(str(job))
    assert set(Job.objects.filter(kind=RESEAL).values_list("state", flat=True)) == {"succeeded"}
    assert not LegacySeal.objects.exists()
    every_value_opens(tenant_id)
    exempt = [exemptions_of(connection) for connection in Connection.objects.order_by("created_at")]
    assert [(each.plain_http, list(each.private_networks)) for each in exempt if each.plain_http] == [(True, NETWORKS)]


def every_connection_is_read_as_before() -> None:
    """Its hours became its schedule, in step with the slot that it waits for."""
    schedules = {each.connection.provider: each for each in Schedule.objects.select_related("connection")}
    assert {slug: (each.kind, each.every_hours) for slug, each in schedules.items()} == {
        slug: ("interval", HOURS.get(slug, 6)) if HOURS.get(slug, 6) else ("hand", 6) for slug in CONNECTIONS
    }
    waiting = {job.subject: job.due_at for job in Job.objects.filter(kind=SCHEDULED)}
    assert len(waiting) == 2
    for schedule in schedules.values():
        if (due_at := waiting.get(schedule.connection_id)) is not None:
            [following] = islice(slots_after(schedule, "UTC", schedule.settled_at), 1)
            assert following == due_at.replace(second=0, microsecond=0)


def every_value_opens(tenant_id: uuid.UUID) -> None:
    with acting_as("worker"), tenant_scope(tenant_id):
        for connection in Connection.objects.all():
            slug = connection.provider
            opened = open_credentials(connection)
            if slug in CREDENTIALS:
                secret = opened.credentials[CREDENTIALS[slug]]
                assert not isinstance(secret, str)
                assert revealed(secret) == f"key of {slug}"
            assert opened.client_secret is not None
            assert revealed(opened.client_secret) == f"ours at {slug}"
            row, now = token_store.read(connection)
            access, refresh = token_store.open_access_token(row, now), token_store.open_refresh_token(row)
            assert access is not None
            assert refresh is not None
            assert (revealed(access.secret), revealed(refresh)) == (f"access of {slug}", f"refresh of {slug}")
            attempt = AuthorizationAttempt.objects.select_related("connection").get(connection=connection)
            for field in ("code_ciphertext", "verifier_ciphertext"):
                assert revealed(sealing.unseal(attempt, field)) == f"{field} of {slug}"
        assert revealed(sealing.unseal(ActivationRequest.objects.get(), "request_ciphertext")) == "a request"
        mail = sealing.unseal(OutgoingMail.objects.get(), "ciphertext")
        assert mail.reveal_for(Use.MAIL) == "a mail"
        assert Grant.objects.count() == len(CONNECTIONS)


def test_a_database_of_an_older_release_is_refused_before_anything_is_run(empty_database: None) -> None:
    """It lacks what the last of the replaced migrations made: it must pass through that release first."""
    last_release()
    MigrationRecorder(database).record_unapplied("vault", "0013_plain_words")
    before = contents()
    with pytest.raises(CommandError, match=r"older release: vault\.0013_plain_words has not run"):
        call_command("migrate", verbosity=0)
    assert contents() == before
