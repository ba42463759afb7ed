"""What a sealed value is bound to, part by part, and where an opened one may go."""

from __future__ import annotations

import uuid

import pytest

from connections.providers import registry
from connections.spec.origins import origin_of
from connections.spec.uses import Use
from connections.tenancy.scope import tenant_scope
from connections.vault import sealing
from connections.vault.binding import Binding
from connections.vault.fields import sealed_field
from connections.vault.models import ClientRegistration, Connection, Credential
from connections.vault.sealing import Unopenable
from connections.vault.secret import Secret
from portal.notices.models import OutgoingMail
from tests.vault.test_sealing import CANARY, columns

pytestmark = pytest.mark.django_db


def test_the_same_row_opens_for_nothing_else_that_it_could_be_bound_to(aamu):
    """As after an UPDATE of its connection, its name, or where its connection leads."""
    connection = Connection(tenant=aamu, provider="procountor", environment="test")
    others = {
        "connection": Connection(tenant=aamu, provider="procountor", environment="test"),
        "provider": Connection(id=connection.id, tenant=aamu, provider="smartbusiness", environment="test"),
        "environment": Connection(id=connection.id, tenant=aamu, provider="procountor", environment="production"),
    }
    for row, name in columns(aamu, connection):
        if not hasattr(row, "connection"):
            continue
        with tenant_scope(aamu.id):
            sealing.seal(row, name, Secret(CANARY))
            assert sealing.plaintext(row, name) == CANARY
            for other in others.values():
                row.connection = other
                with pytest.raises(Unopenable):
                    sealing.plaintext(row, name)
            row.connection = connection
            if named_by := sealed_field(row, name).named_by:
                before = getattr(row, named_by)
                setattr(row, named_by, "another")
                with pytest.raises(Unopenable):
                    sealing.plaintext(row, name)
                setattr(row, named_by, before)
            assert sealing.plaintext(row, name) == CANARY


def test_what_is_written_into_a_ciphertext_is_spelled_as_ever(aamu):
    """Another spelling would make everything that is stored void. It changes with a migration that lists what stands."""
    connection = Connection(
        id=uuid.UUID(int=7),
        tenant=aamu,
        provider="pentamic",
        environment="production",
        settings={"api_url": "https://API.one.example/x", "auth_url": "http://id.one.example:81"},
    )
    row = Credential(id=uuid.UUID(int=8), tenant_id=aamu.id, connection=connection, name="client_secret")
    assert sealing._context(row, sealed_field(row, "ciphertext")).decode() == (
        f"v2|{aamu.id}|vault_credential|00000000-0000-0000-0000-000000000008|ciphertext|"
        '{"connection":"00000000-0000-0000-0000-000000000007","environment":"production","name":"client_secret",'
        '"origins":["api_url=https://api.one.example:443","auth_url=http://id.one.example:81"],"provider":"pentamic",'
        '"uses":["token-request"]}'
    )
    ours = ClientRegistration(id=uuid.UUID(int=9), provider="hesabit", environment="test")
    assert sealing._context(ours, sealed_field(ours, "secret_ciphertext")).decode() == (
        "v2|house|vault_clientregistration|00000000-0000-0000-0000-000000000009|secret_ciphertext|"
        '{"connection":"","environment":"test","name":"","origins":[],"provider":"hesabit","uses":["basic","token-request"]}'
    )


def test_a_code_for_a_key_goes_to_the_api_where_the_provider_hands_out_keys(aamu, settings):
    """A login page whose code is exchanged for a key is answered by the API itself; elsewhere no token request is."""
    for provider, api_answers in (("procountor", True), ("smartbusiness", False)):
        side = next(iter(registry.find(provider).hosts))
        hosts = registry.hosts_of(registry.find(provider), side)
        binding = Binding(frozenset({Use.TOKEN_REQUEST, Use.HEADER}), provider=provider, environment=side)
        allowed = binding.destinations()
        assert origin_of(hosts.token) in allowed[Use.TOKEN_REQUEST]
        if origin_of(hosts.api) != origin_of(hosts.token):
            assert (origin_of(hosts.api) in allowed[Use.TOKEN_REQUEST]) is api_answers
        assert allowed[Use.HEADER] == {origin_of(hosts.api)}


def test_what_is_no_sealed_column_is_none():
    with pytest.raises(TypeError, match="no sealed column"):
        sealed_field(OutgoingMail(), "state")
