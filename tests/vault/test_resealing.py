"""What was sealed before values were bound, or with an older key, is sealed anew: all of it, and nothing that was moved."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from connections.jobs.lease import Lease
from connections.jobs.models import Job
from connections.jobs.services import claim, enqueue
from connections.tenancy.scope import tenant_scope
from connections.transport.models import ActivationRequest, AuthorizationAttempt
from connections.vault import keys, resealing, sealing
from connections.vault.fields import SEALED_FIELDS, sealed_field
from connections.vault.models import (
    ClientRegistration,
    Connection,
    Credential,
    Grant,
    LegacySeal,
    PrivateKey,
    SystemKey,
    SystemPrivateKey,
    TenantKey,
)
from portal.notices.models import OutgoingMail
from tests.roles import acting_as
from tests.vault.thief import run

pytestmark = pytest.mark.usefixtures("db", "system_key")
WHERE = {"api_url": "https://api.one.example", "auth_url": "https://id.one.example"}


@pytest.fixture
def sealed_rows(aamu: Any) -> list[Any]:
    """One of every table with a sealed column, its values sealed as they were before they were bound, and listed so."""
    from django.utils import timezone

    connection = Connection(tenant=aamu, provider="pentamic", environment="production", settings=WHERE)
    connection.save(force_insert=True)
    owned, side = {"tenant_id": aamu.id}, {"provider": "pentamic", "environment": "production"}
    rows = [
        Credential(**owned, connection=connection, name="client_secret", changed_at=timezone.now(), key_version=1),
        Grant(**owned, connection=connection),
        ClientRegistration(**side, client_id="ours"),
        AuthorizationAttempt(**owned, connection=connection, login="login"),
        ActivationRequest(**owned, **side, key_version=1),
        OutgoingMail(key_version=1),
    ]
    for row in rows:
        for field in fields_of(row):
            seal_of_old(row, field.name)
        row.save(force_insert=True)
    assert LegacySeal.objects.count() == len(SEALED_FIELDS), "every sealed column is tried"
    return rows


def fields_of(row: Any) -> list[Any]:
    return [field for field in SEALED_FIELDS if field.model is type(row)]


def seal_of_old(row: Any, name: str) -> None:
    """As the release before sealed it: bound to its place alone."""
    field = sealed_field(row, name)
    owner = keys.SYSTEM_OWNER if field.owner == "system" else str(row.tenant_id)
    place = sealing.Place(row._meta.db_table, row.pk, name)
    with tenant_scope(row.tenant_id if owner != keys.SYSTEM_OWNER else uuid.UUID(int=0)):
        version, public = keys.newest_public(owner)
    setattr(row, name, keys.sealer(public).encrypt(value_of(row, name).encode(), place.context(owner)))
    setattr(row, field.key_version, version)
    LegacySeal(
        tenant_id=getattr(row, "tenant_id", None), table=place.table, row=row.pk, field=name,
        binding=field.binding(row).text(),
    ).save(force_insert=True)  # fmt: skip


def value_of(row: Any, name: str) -> str:
    return f"canary of {row._meta.db_table}.{name}"


def opened(row: Any, name: str) -> str:
    """As a worker finds it now."""
    scope = tenant_scope(getattr(row, "tenant_id", None) or uuid.UUID(int=0))
    with acting_as("worker"), scope:
        related = ["connection"] if hasattr(type(row), "connection") else []
        return sealing.plaintext(type(row).objects.select_related(*related).get(pk=row.pk), name)


def reseal(tenant: Any) -> int:
    """Both owners' jobs to their end; how often they handed back."""
    rounds = 0
    for owner in (tenant.id, resealing.SYSTEM):
        subject = None if owner == resealing.SYSTEM else owner
        lease = lease_of(owner, subject)
        with acting_as("worker"):
            while resealing.reseal(lease) is not None:
                rounds += 1
    return rounds


def lease_of(subject: uuid.UUID, tenant_id: uuid.UUID | None) -> Lease:
    Job.objects.filter(kind=resealing.RESEAL).delete()
    lease = claim(enqueue(kind=resealing.RESEAL, subject=subject, tenant_id=tenant_id))
    assert lease is not None
    return lease


def ciphertexts(sealed_rows: list[Any]) -> dict[tuple[str, str], bytes]:
    by_field = {}
    for row in sealed_rows:
        now = type(row).objects.get(pk=row.pk)
        by_field |= {(row._meta.db_table, f.name): bytes(getattr(now, f.name)) for f in fields_of(row)}
    return by_field


def test_old_values_open_and_are_sealed_anew_once(aamu: Any, sealed_rows: list[Any]) -> None:
    for row in sealed_rows:
        for field in fields_of(row):
            assert opened(row, field.name) == value_of(row, field.name)
    before = ciphertexts(sealed_rows)
    reseal(aamu)
    assert not LegacySeal.objects.exists()
    after = ciphertexts(sealed_rows)
    assert not set(before.values()) & set(after.values())
    for row in sealed_rows:
        for field in fields_of(row):
            assert opened(row, field.name) == value_of(row, field.name)
    reseal(aamu)
    assert ciphertexts(sealed_rows) == after, "the second time there is nothing to do"


def test_every_value_of_a_column_is_sealed_anew(aamu: Any, sealed_rows: list[Any]) -> None:
    others = [OutgoingMail(key_version=1) for _ in range(2)]
    for mail in others:
        seal_of_old(mail, "ciphertext")
        mail.save(force_insert=True)
    reseal(aamu)
    assert not LegacySeal.objects.exists()
    for row in (*sealed_rows, *others):
        for field in fields_of(row):
            assert opened(row, field.name) == value_of(row, field.name)


def test_it_is_done_in_batches_and_a_death_in_the_middle_costs_one(
    aamu: Any, sealed_rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "VALUES_PER_TRANSACTION", 2)
    real, seals_left = sealing.seal, [3]

    class Died(BaseException):
        pass

    def dies(*arguments: Any) -> Any:
        seals_left[0] -= 1
        if seals_left[0] < 0:
            raise Died
        return real(*arguments)

    monkeypatch.setattr(sealing, "seal", dies)
    listed = LegacySeal.objects.count()
    lease = lease_of(aamu.id, aamu.id)
    with acting_as("worker"):
        assert resealing.reseal(lease) is not None
        assert LegacySeal.objects.count() == listed - 2
        with pytest.raises(Died):
            resealing.reseal(lease)
    assert LegacySeal.objects.count() == listed - 2, "a batch is whole or not at all"
    monkeypatch.setattr(sealing, "seal", real)
    assert reseal(aamu) >= 1
    assert not LegacySeal.objects.exists()
    for row in sealed_rows:
        for field in fields_of(row):
            assert opened(row, field.name) == value_of(row, field.name)


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE vault_connection SET settings = settings || \'{"api_url": "https://thief.example"}\'',
        "UPDATE vault_connection SET provider = 'simutek'",
        "UPDATE vault_connection SET environment = 'test'",
        "UPDATE vault_credential SET name = 'client_id'",
    ],
)
def test_a_row_that_was_changed_is_not_opened_and_stays(
    aamu: Any, sealed_rows: list[Any], change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """For whatever queues the job: what is listed is good for what its row was bound to when the list was written."""
    secret = sealed_rows[0]
    before = ciphertexts([secret])
    run("web", aamu.id, change, [])
    with pytest.raises(sealing.Unopenable):
        opened(secret, "ciphertext")
    with caplog.at_level(logging.ERROR):
        reseal(aamu)
    assert ciphertexts([secret]) == before
    assert f"{secret.pk}: a sealed value does not open" in caplog.text
    assert "thief" not in caplog.text
    assert not LegacySeal.objects.exists()
    with pytest.raises(sealing.Unopenable):
        opened(secret, "ciphertext")


def test_a_value_that_is_not_listed_does_not_open_as_an_old_one(aamu: Any, sealed_rows: list[Any]) -> None:
    LegacySeal.objects.all().delete()
    for row in sealed_rows:
        for field in fields_of(row):
            with pytest.raises(sealing.Unopenable):
                opened(row, field.name)


def test_the_list_is_no_tenants_and_no_web_processs_to_write(aamu: Any) -> None:
    sql = "INSERT INTO vault_legacyseal (tenant_id, \"table\", row, field, binding) VALUES (%s, 't', %s, 'f', '')"
    for login in ("web", "staff"):
        assert not run(login, aamu.id, sql, [aamu.id, uuid.uuid4()])


def test_without_its_key_a_worker_concludes_nothing(aamu: Any, sealed_rows: list[Any], settings: Any) -> None:
    listed, before = LegacySeal.objects.count(), ciphertexts(sealed_rows)
    keys._opener.cache_clear()
    kek, settings.KEK_FILE = settings.KEK_FILE, "/nowhere/kek.json"
    for subject, tenant_id in ((aamu.id, aamu.id), (resealing.SYSTEM, None)):
        with acting_as("worker"), pytest.raises(keys.KeyUnavailable):
            resealing.reseal(lease_of(subject, tenant_id))
    assert (LegacySeal.objects.count(), ciphertexts(sealed_rows)) == (listed, before)
    settings.KEK_FILE = kek
    reseal(aamu)
    assert opened(sealed_rows[0], "ciphertext") == value_of(sealed_rows[0], "ciphertext")


def test_what_is_listed_and_was_destroyed_meanwhile_leaves_the_list(aamu: Any, sealed_rows: list[Any]) -> None:
    Credential.objects.all().delete()
    reseal(aamu)
    assert not LegacySeal.objects.exists()


def test_all_values_move_to_a_new_key(aamu: Any, sealed_rows: list[Any], work_off: Callable[..., int]) -> None:
    reseal(aamu)
    public, wrapped = keys._make_pair(str(aamu.id), 2)
    TenantKey(tenant=aamu, version=2, public_keyset=public).save(force_insert=True)
    PrivateKey(tenant=aamu, version=2, wrapped_keyset=wrapped).save(force_insert=True)
    public, wrapped = keys._make_pair(keys.SYSTEM_OWNER, 2)
    SystemKey(version=2, public_keyset=public).save(force_insert=True)
    SystemPrivateKey(version=2, wrapped_keyset=wrapped).save(force_insert=True)
    reseal(aamu)
    PrivateKey.objects.filter(version=1).delete()
    SystemPrivateKey.objects.filter(version=1).delete()
    for row in sealed_rows:
        for field in fields_of(row):
            assert opened(row, field.name) == value_of(row, field.name)
            assert getattr(type(row).objects.get(pk=row.pk), field.key_version) == 2
