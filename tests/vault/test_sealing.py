"""Sealed values open where they were sealed, for a worker, and nowhere else."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import uuid

import pytest
from django.db import ProgrammingError, transaction
from hypothesis import given
from hypothesis import strategies as st

from connections.spec.uses import Use
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.transport.models import ActivationRequest, AuthorizationAttempt
from connections.vault import keys, sealing
from connections.vault.fields import SEALED_FIELDS, sealed_field
from connections.vault.models import (
    ClientRegistration,
    Connection,
    Credential,
    Grant,
    PrivateKey,
    SystemKey,
    SystemPrivateKey,
    TenantKey,
)
from connections.vault.sealing import Place, Unopenable
from connections.vault.secret import Secret, WrongUse
from connections.vault.services import open_credentials, store_credential
from portal.notices.models import OutgoingMail
from tests.revealing import revealed
from tests.roles import acting_as

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3a9c-do-not-show"


def credential(tenant, connection, **values):
    return Credential(tenant_id=tenant.id, connection=connection, name="api_key", **values)


def rows(tenant, connection):
    """A new row of every table with a sealed column, as it is made before its values are sealed."""
    owned = {"tenant_id": tenant.id}
    side = {"provider": connection.provider, "environment": connection.environment}
    return {
        Credential: Credential(**owned, connection=connection, name="api_key"),
        Grant: Grant(**owned, connection=connection),
        ClientRegistration: ClientRegistration(**side, client_id="ours"),
        AuthorizationAttempt: AuthorizationAttempt(**owned, connection=connection, login="api-key"),
        ActivationRequest: ActivationRequest(**owned, **side),
        OutgoingMail: OutgoingMail(),
    }


def columns(tenant, connection):
    rows_by_model = rows(tenant, connection)
    return [(rows_by_model[field.model], field.name) for field in SEALED_FIELDS]


def test_every_sealed_column_is_tried_below(aamu, connection_without_host):
    assert {field.model for field in SEALED_FIELDS} == set(rows(aamu, connection_without_host))


def test_what_the_web_seals_a_worker_opens(aamu, system_key, connection_without_host):
    for row, name in columns(aamu, connection_without_host):
        with acting_as("web"), tenant_scope(aamu.id):
            sealing.seal(row, name, Secret(CANARY))
        assert CANARY.encode() not in getattr(row, name)
        with acting_as("worker"), tenant_scope(aamu.id):
            assert revealed(sealing.unseal(row, name)) == CANARY


def test_a_ciphertext_opens_in_no_other_place(aamu, kaste, system_key, connection_without_host):
    """Every column of four connections, of two tenants, two providers and two environments, tried in every other."""
    settings = {"api_url": "https://one.example", "auth_url": "https://id.example"}
    offices = [
        (tenant, Connection(id=uuid.uuid4(), tenant=tenant, provider=provider, environment=side, settings=settings))
        for tenant, provider, side in (
            (aamu, "procountor", "sandbox"),
            (aamu, "procountor", "test"),
            (aamu, "pentamic", "production"),
            (kaste, "procountor", "sandbox"),
        )
    ]
    places = [(tenant, row, name) for tenant, office in offices for row, name in columns(tenant, office)]
    for tenant, row, name in places:
        with tenant_scope(tenant.id):
            sealing.seal(row, name, Secret(CANARY))
    opened = 0
    for (_, row, name), (tenant, other, its_name) in itertools.product(places, repeat=2):
        field = sealed_field(other, its_name)
        before = getattr(other, its_name), getattr(other, field.key_version)
        setattr(other, its_name, getattr(row, name))
        setattr(other, field.key_version, 1)
        try:
            with tenant_scope(tenant.id):
                assert sealing.plaintext(other, its_name) == CANARY
        except Unopenable as refused:
            assert str(refused) == its_name
        else:
            assert (other, its_name) == (row, name)
            opened += 1
        setattr(other, its_name, before[0])
        setattr(other, field.key_version, before[1])
    assert opened == len(places) == 4 * len(SEALED_FIELDS)


WHERE = {"api_url": "https://api.one.example", "auth_url": "https://id.one.example:8443/x"}


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        ({}, True),
        # The same server, written in another way.
        ({"api_url": "https://API.one.example:443/api"}, True),
        ({"api_url": "https://api.one.example./v2"}, True),
        ({"api_url": "http://api.one.example"}, False),
        ({"api_url": "https://api.one.example:8443"}, False),
        ({"api_url": "https://api.one.example.thief.example"}, False),
        ({"api_url": "https://thief.example/api.one.example"}, False),
        ({"api_url": "https://api.one.example@thief.example"}, False),
        ({"api_url": "https://thief.example#https://api.one.example"}, False),
        ({"api_url": "https://thief.example\\@api.one.example"}, False),
        ({"auth_url": "https://id.one.example"}, False),
        ({"auth_url": "https://thief.example"}, False),
        ({"auth_url": ""}, False),
        # One address in the place of the other.
        ({"api_url": WHERE["auth_url"], "auth_url": WHERE["api_url"]}, False),
    ],
    ids=str,
)
def test_what_is_sealed_for_a_customers_server_opens_for_no_other(aamu, change, opens):
    connection = Connection(tenant=aamu, provider="pentamic", environment="production", settings=WHERE)
    moved = Connection(**{**vars_of(connection), "settings": {**WHERE, **change}})
    for row, name in columns(aamu, connection):
        if not hasattr(row, "connection"):
            continue
        with tenant_scope(aamu.id):
            sealing.seal(row, name, Secret(CANARY))
            row.connection = moved
            if opens:
                assert sealing.plaintext(row, name) == CANARY
            else:
                with pytest.raises(Unopenable, match=f"^{name}$") as caught:
                    sealing.plaintext(row, name)
                assert "thief" not in str(caught.value)
            row.connection = connection


def vars_of(connection):
    return {
        "id": connection.id,
        "tenant": connection.tenant,
        "provider": connection.provider,
        "environment": connection.environment,
    }


@pytest.mark.parametrize(
    ("use", "url", "is_given"),
    [
        (Use.TOKEN_REQUEST, "https://id.one.example:8443/x/connect/token", True),
        (Use.TOKEN_REQUEST, "https://api.one.example/connect/token", False),
        (Use.TOKEN_REQUEST, "https://thief.example/", False),
        (Use.TOKEN_REQUEST, "http://id.one.example:8443/", False),
        (Use.TOKEN_REQUEST, "", False),
        (Use.HEADER, "https://api.one.example/api", False),
        (Use.BASIC, "https://id.one.example:8443/", False),
        (Use.MAIL, "", False),
    ],
)
def test_a_value_is_revealed_for_its_use_and_to_its_server_alone(aamu, use, url, is_given):
    connection = Connection(tenant=aamu, provider="pentamic", environment="production", settings=WHERE)
    row = Credential(tenant_id=aamu.id, connection=connection, name="client_secret")
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
        secret = sealing.unseal(row, "ciphertext")
    if is_given:
        assert secret.reveal_for(use, url) == CANARY
    else:
        with pytest.raises(WrongUse) as caught:
            secret.reveal_for(use, url)
        assert not {CANARY, "thief", "one.example"} & set(str(caught.value).split())
    with pytest.raises(WrongUse):
        secret.reveal()


def test_a_field_that_the_provider_does_not_declare_is_for_nothing(aamu, connection_without_host):
    row = Credential(tenant_id=aamu.id, connection=connection_without_host, name="of_another_time")
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
        secret = sealing.unseal(row, "ciphertext")
    for use in Use:
        with pytest.raises(WrongUse):
            secret.reveal_for(use, "https://localhost:1/api")


def test_an_altered_cut_or_planted_value_is_refused(aamu, connection_without_host):
    row = credential(aamu, connection_without_host)
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
        whole = row.ciphertext
        bad = [b"", b"plain text", CANARY.encode(), whole[:-1], whole[5:]]
        for index in range(len(whole)):
            flipped = bytearray(whole)
            flipped[index] ^= 1
            bad.append(bytes(flipped))
        for ciphertext in bad:
            row.ciphertext = ciphertext
            with pytest.raises(Unopenable) as caught:
                sealing.unseal(row, "ciphertext")
            assert CANARY not in str(caught.value)


def test_another_key_version_does_not_open(aamu, connection_without_host):
    row = credential(aamu, connection_without_host)
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
        row.key_version = 2
        with pytest.raises(keys.KeyUnavailable, match=f"key 2 of {aamu.id}"):
            sealing.unseal(row, "ciphertext")


def test_a_wrapped_key_does_not_open_for_another_tenant_or_version(aamu, kaste, connection_without_host):
    theirs = PrivateKey.objects.get(tenant=kaste)
    PrivateKey.objects.filter(tenant=aamu).update(wrapped_keyset=theirs.wrapped_keyset)
    row = credential(aamu, connection_without_host)
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
        with pytest.raises(keys.KeyUnavailable, match="does not open"):
            sealing.unseal(row, "ciphertext")


def test_no_tenants_key_opens_what_is_the_systems(aamu, system_key, connection_without_host):
    mail, row = OutgoingMail(), credential(aamu, connection_without_host)
    with tenant_scope(aamu.id):
        sealing.seal(mail, "ciphertext", Secret(CANARY))
        sealing.seal(row, "ciphertext", Secret(CANARY))
        mail.ciphertext, row.ciphertext = row.ciphertext, mail.ciphertext
        for each in (mail, row):
            with pytest.raises(Unopenable, match=r"^ciphertext$"):
                sealing.unseal(each, "ciphertext")


def test_the_newest_key_seals_and_the_older_ones_still_open(aamu, system_key):
    old, new = OutgoingMail(), OutgoingMail()
    sealing.seal(old, "ciphertext", Secret("old"))
    public, wrapped = keys._make_pair(keys.SYSTEM_OWNER, 2)
    SystemKey(version=2, public_keyset=public).save(force_insert=True)
    SystemPrivateKey(version=2, wrapped_keyset=wrapped).save(force_insert=True)
    sealing.seal(new, "ciphertext", Secret("new"))
    assert (old.key_version, new.key_version) == (1, 2)
    assert [sealing.unseal(each, "ciphertext").reveal_for(Use.MAIL) for each in (old, new)] == ["old", "new"]
    new.key_version = 1
    with pytest.raises(Unopenable):
        sealing.unseal(new, "ciphertext")


def place(row: uuid.UUID | None = None, field: str = "ciphertext") -> Place:
    return Place("vault_credential", row or uuid.uuid4(), field)


def test_what_the_web_seals_for_itself_opens_in_its_place_only():
    where = place(field="totp_seed")
    ciphertext = sealing.seal_for_web(where, Secret(CANARY))
    assert CANARY.encode() not in ciphertext
    assert sealing.unseal_for_web(where, ciphertext).reveal() == CANARY
    for other, altered in ((place(field="totp_seed"), ciphertext), (where, ciphertext[:-1]), (where, b"")):
        with pytest.raises(Unopenable, match=r"^totp_seed$"):
            sealing.unseal_for_web(other, altered)


def test_the_key_of_one_class_opens_nothing_of_the_other(aamu, system_key):
    where = place()
    own = sealing.seal_for_web(where, Secret(CANARY))
    mail = OutgoingMail(key_version=1, ciphertext=own)
    with pytest.raises(Unopenable):
        sealing.unseal(mail, "ciphertext")
    sealing.seal(mail, "ciphertext", Secret(CANARY))
    with pytest.raises(Unopenable):
        sealing.unseal_for_web(where, mail.ciphertext)


def test_the_web_role_has_no_right_on_private_keys_and_ciphertexts(aamu, connection_without_host):
    with tenant_scope(aamu.id):
        store_credential(connection=connection_without_host, name="api_key", secret=Secret(CANARY), actor=SYSTEM)
    for read in (
        lambda: list(PrivateKey.objects.all()),
        lambda: list(SystemPrivateKey.objects.all()),
        lambda: list(Credential.objects.values_list("ciphertext")),
        lambda: open_credentials(connection_without_host),
    ):
        with acting_as("web"), pytest.raises(ProgrammingError, match="permission denied"):
            with transaction.atomic(), tenant_scope(aamu.id):
                read()


def test_without_the_kek_nothing_opens_even_with_every_row(aamu, connection_without_host, settings):
    row = credential(aamu, connection_without_host)
    with tenant_scope(aamu.id):
        sealing.seal(row, "ciphertext", Secret(CANARY))
    keys._opener.cache_clear()
    settings.KEK_FILE = ""
    with tenant_scope(aamu.id), pytest.raises(keys.KeyUnavailable, match="PORTAL_KEK_FILE"):
        sealing.unseal(row, "ciphertext")


def test_the_web_can_replace_a_credential_without_reading_it(aamu, connection_without_host):
    with acting_as("web"), tenant_scope(aamu.id):
        store_credential(connection=connection_without_host, name="api_key", secret=Secret(CANARY), actor=SYSTEM)
        store_credential(
            connection=connection_without_host, name="api_key", secret=Secret("another-key-0123456789"), actor=SYSTEM
        )
        assert Credential.objects.values_list("hint", flat=True).get() == "6789"
    with acting_as("worker"), tenant_scope(aamu.id):
        opened = open_credentials(connection_without_host)
    assert revealed(opened.credentials["api_key"]) == "another-key-0123456789"


def test_a_new_tenant_gets_one_key_however_often_the_job_runs(aamu, work_off):
    with tenant_scope(aamu.id):
        assert TenantKey.objects.filter(tenant=aamu).count() == 1
    assert aamu.state == "active"


@pytest.fixture
def connection_without_host(aamu, settings):
    from connections.vault.services import open_connection
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {"procountor": SandboxHosts(api="https://localhost:1/api")}
    with tenant_scope(aamu.id):
        return open_connection(tenant=aamu, provider="procountor", environment="sandbox", actor=SYSTEM)


@given(st.text(min_size=1))
def test_a_secret_shows_dots_everywhere(value):
    secret = Secret(value)
    assert f"{secret} {secret!r} {secret!s} {secret:>20}" == "••• ••• ••• •••"
    assert str([secret]) == "[•••]"
    assert secret != Secret(value)
    for auth_method in (pickle.dumps, json.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            auth_method(secret)
