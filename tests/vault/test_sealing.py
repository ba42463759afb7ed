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

from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault import keys, sealing
from connections.vault.models import Credential, HouseKey, HousePrivateKey, PrivateKey, TenantKey
from connections.vault.sealing import Place, Sealed, Unopenable
from connections.vault.secret import Secret
from connections.vault.services import open_credentials, store_credential
from tests.roles import acting_as

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3a9c-do-not-show"


def place(row: uuid.UUID | None = None, field: str = "ciphertext") -> Place:
    return Place("vault_credential", row or uuid.uuid4(), field)


def test_what_the_web_seals_a_worker_opens(aamu):
    where = place()
    with acting_as("web"), tenant_scope(aamu.id):
        sealed = sealing.seal(aamu.id, where, Secret(CANARY))
    assert CANARY.encode() not in sealed.ciphertext
    with acting_as("worker"), tenant_scope(aamu.id):
        assert sealing.unseal(aamu.id, where, sealed).reveal() == CANARY


def test_a_ciphertext_opens_in_no_other_place(aamu, kaste):
    """200 secrets: two tenants, tables, fields and rows; each tried in every other place."""
    rows = [uuid.uuid4() for _ in range(25)]
    kinds = list(
        itertools.product((aamu, kaste), ("vault_credential", "vault_grant"), ("ciphertext", "refresh"), rows)
    )
    assert len(kinds) == 200
    sealed = {}
    for tenant, table, field, row in kinds:
        with acting_as("web"), tenant_scope(tenant.id):
            sealed[tenant, table, field, row] = sealing.seal(tenant.id, Place(table, row, field), Secret(CANARY))
    openers = {}
    for tenant in (aamu, kaste):
        with acting_as("worker"), tenant_scope(tenant.id):
            openers[tenant] = keys.tenant_opener(tenant.id, 1)
    opened = 0
    for here, there in itertools.product(sealed, repeat=2):
        tenant, table, field, row = there
        context = Place(table, row, field).context(str(tenant.id))
        try:
            openers[tenant].decrypt(sealed[here].ciphertext, context)
        except Exception as error:
            assert type(error).__name__ == "TinkError"
        else:
            assert here == there
            opened += 1
    assert opened == 200


def test_an_altered_cut_or_planted_value_is_refused(aamu):
    where = place()
    with tenant_scope(aamu.id):
        sealed = sealing.seal(aamu.id, where, Secret(CANARY))
        bad = [b"", b"plain text", CANARY.encode(), sealed.ciphertext[:-1], sealed.ciphertext[5:]]
        for index in range(len(sealed.ciphertext)):
            flipped = bytearray(sealed.ciphertext)
            flipped[index] ^= 1
            bad.append(bytes(flipped))
        for ciphertext in bad:
            with pytest.raises(Unopenable) as caught:
                sealing.unseal(aamu.id, where, Sealed(1, ciphertext))
            assert CANARY not in str(caught.value)


def test_another_key_version_does_not_open(aamu):
    where = place()
    with tenant_scope(aamu.id):
        sealed = sealing.seal(aamu.id, where, Secret(CANARY))
        with pytest.raises(keys.KeyUnavailable):
            sealing.unseal(aamu.id, where, Sealed(2, sealed.ciphertext))


def test_a_wrapped_key_does_not_open_for_another_tenant_or_version(aamu, kaste):
    theirs = PrivateKey.objects.get(tenant=kaste)
    PrivateKey.objects.filter(tenant=aamu).update(wrapped_keyset=theirs.wrapped_keyset)
    with tenant_scope(aamu.id):
        sealed = sealing.seal(aamu.id, place(), Secret(CANARY))
        with pytest.raises(keys.KeyUnavailable, match="does not open"):
            sealing.unseal(aamu.id, place(), sealed)


def test_what_is_sealed_for_the_house_opens_for_a_worker_in_its_place(house_key):
    where = place(field="client_secret")
    with acting_as("web"):
        sealed = sealing.seal_for_house(where, Secret(CANARY))
    assert CANARY.encode() not in sealed.ciphertext
    with acting_as("worker"):
        assert sealing.unseal_for_house(where, sealed).reveal() == CANARY
        with pytest.raises(Unopenable, match=r"^client_secret$"):
            sealing.unseal_for_house(place(field="client_secret"), sealed)
        with pytest.raises(keys.KeyUnavailable, match="house key 2"):
            sealing.unseal_for_house(where, Sealed(2, sealed.ciphertext))


def test_no_tenants_key_opens_what_is_the_houses(aamu, house_key):
    where = place()
    theirs = sealing.seal_for_house(where, Secret(CANARY))
    with tenant_scope(aamu.id):
        with pytest.raises(Unopenable, match=r"^ciphertext$"):
            sealing.unseal(aamu.id, where, theirs)
        with pytest.raises(Unopenable, match=r"^ciphertext$"):
            sealing.unseal_for_house(where, sealing.seal(aamu.id, where, Secret(CANARY)))


def test_the_newest_key_seals_and_the_older_ones_still_open(aamu, house_key):
    where = place()
    old = sealing.seal_for_house(where, Secret("old"))
    public, wrapped = keys._pair(keys.HOUSE, 2)
    HouseKey(version=2, public_keyset=public).save(force_insert=True)
    HousePrivateKey(version=2, wrapped_keyset=wrapped).save(force_insert=True)
    new = sealing.seal_for_house(where, Secret("new"))
    assert (old.key_version, new.key_version) == (1, 2)
    assert [sealing.unseal_for_house(where, each).reveal() for each in (old, new)] == ["old", "new"]
    with pytest.raises(Unopenable):
        sealing.unseal_for_house(where, Sealed(1, new.ciphertext))


def test_what_the_web_seals_for_itself_opens_in_its_place_only():
    where = place(field="totp_seed")
    ciphertext = sealing.seal_for_web(where, Secret(CANARY))
    assert CANARY.encode() not in ciphertext
    assert sealing.unseal_for_web(where, ciphertext).reveal() == CANARY
    for other, altered in ((place(field="totp_seed"), ciphertext), (where, ciphertext[:-1]), (where, b"")):
        with pytest.raises(Unopenable, match=r"^totp_seed$"):
            sealing.unseal_for_web(other, altered)


def test_the_key_of_one_class_opens_nothing_of_the_other(aamu, house_key):
    where = place()
    own = sealing.seal_for_web(where, Secret(CANARY))
    with pytest.raises(Unopenable):
        sealing.unseal_for_house(where, Sealed(1, own))
    with pytest.raises(Unopenable):
        sealing.unseal_for_web(where, sealing.seal_for_house(where, Secret(CANARY)).ciphertext)


def test_the_web_role_has_no_right_on_private_keys_and_ciphertexts(aamu, connection_without_host):
    with tenant_scope(aamu.id):
        store_credential(connection=connection_without_host, name="api_key", secret=Secret(CANARY), actor=SYSTEM)
    for read in (
        lambda: list(PrivateKey.objects.all()),
        lambda: list(HousePrivateKey.objects.all()),
        lambda: list(Credential.objects.values_list("ciphertext")),
        lambda: open_credentials(connection_without_host),
    ):
        with acting_as("web"), pytest.raises(ProgrammingError, match="permission denied"):
            with transaction.atomic(), tenant_scope(aamu.id):
                read()


def test_without_the_kek_nothing_opens_even_with_every_row(aamu, settings):
    where = place()
    with tenant_scope(aamu.id):
        sealed = sealing.seal(aamu.id, where, Secret(CANARY))
    keys._opener.cache_clear()
    settings.KEK_FILE = ""
    with tenant_scope(aamu.id), pytest.raises(keys.KeyUnavailable, match="PORTAL_KEK_FILE"):
        sealing.unseal(aamu.id, where, sealed)


def test_the_web_can_replace_a_credential_without_reading_it(aamu, connection_without_host):
    with acting_as("web"), tenant_scope(aamu.id):
        store_credential(connection=connection_without_host, name="api_key", secret=Secret(CANARY), actor=SYSTEM)
        store_credential(
            connection=connection_without_host, name="api_key", secret=Secret("another-key-0123456789"), actor=SYSTEM
        )
        assert Credential.objects.values_list("hint", flat=True).get() == "6789"
    with acting_as("worker"), tenant_scope(aamu.id):
        opened = open_credentials(connection_without_host)
    assert opened.credentials["api_key"].reveal() == "another-key-0123456789"


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
    for way in (pickle.dumps, json.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            way(secret)
