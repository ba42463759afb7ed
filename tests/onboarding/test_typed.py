"""What customers type by mistake is recognised at its field, and nothing of it is kept or repeated."""

from __future__ import annotations

from typing import Any

import pytest

from connections.tenancy.scope import Actor, tenant_scope
from connections.vault.models import Connection, Credential, Exemption
from portal.onboarding import services
from portal.onboarding.models import Mark
from portal.onboarding.typed import BadInput
from tests.exemptions import allow
from tests.roles import acting_as

pytestmark = pytest.mark.usefixtures("db")
AINO = Actor(1, "aino@aamu.example")
KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@pytest.fixture
def give(aamu: Any, sandbox: Any) -> Any:
    """`give(provider, checkpoint, **typed)`: keeps what was typed on a connection of that provider."""
    begun: dict[str, Any] = {}

    def at(provider: str, checkpoint: str, **typed: str) -> bool:
        if provider not in begun:
            with acting_as("web"), tenant_scope(aamu.id):
                begun[provider] = services.begin(tenant=aamu, provider=provider, environment="sandbox", actor=AINO)
        with acting_as("web"), tenant_scope(aamu.id):
            mark = Mark.objects.select_related("onboarding__connection").get(
                onboarding=begun[provider], checkpoint=checkpoint
            )
            return services.give(mark=mark, values=typed, actor=AINO)

    return at


def refused(give: Any, *place: str, **typed: str) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        give(*place, **typed)
    for value in typed.values():
        if len(value) > 8:
            assert value not in str(caught.value)
            assert not any(value in str(sentence) for sentence in caught.value.sentences.values())
    assert not Credential.objects.exists()
    assert Connection.objects.get().settings == {}
    return {name: str(sentence) for name, sentence in caught.value.sentences.items()}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "empty"),
        ("http://gks.example", "begins with http"),
        ("ftp://gks.example", "not an address"),
        ("gks", "not complete"),
        ("https://", "not an address"),
        ("https://gks.example:99999", "not an address"),
        ("https://user:secret@gks.example", "name or a password"),
        ("https://gks.example/api?key=1", "question mark"),
        ("https://gks.example/#x", "question mark"),
        ("https://gks example", "in the middle"),
        ("https://-gks.example", "not an address"),
        (KEY, "private key"),
        (CERTIFICATE, "certificate"),
    ],
)
def test_what_is_no_address_is_told_at_its_field(give: Any, typed: str, said: str) -> None:
    told = refused(give, "simutek", "access", api_url=typed, client_id="gks-1234", client_secret="s3cret-0123456789")
    assert set(told) == {"api_url"}
    assert said in told["api_url"]


@pytest.mark.parametrize(
    "typed", ["gks.example", "https://gks.example/", "  https://gks.example/api/v1/ ", '"https://gks.example:8443"']
)
def test_what_can_be_an_address_is_taken(give: Any, typed: str) -> None:
    give("simutek", "access", api_url=typed, client_id="gks-1234", client_secret="s3cret-0123456789")
    kept = Connection.objects.get().settings["api_url"]
    assert kept.startswith("https://gks.example")
    assert not kept.endswith("/")


def test_the_client_id_in_the_place_of_the_secret_is_recognised(give: Any) -> None:
    same = "gks-0123456789abcdef"
    told = refused(give, "simutek", "access", api_url="https://gks.example", client_id=same, client_secret=same)
    assert "same as" in told["client_secret"]


def test_several_mistakes_are_told_at_once_and_nothing_is_kept(give: Any) -> None:
    told = refused(give, "simutek", "access", api_url="nonsense", client_id="", client_secret=KEY)
    assert set(told) == {"api_url", "client_id", "client_secret"}


def test_a_secret_left_empty_keeps_the_stored_one(give: Any) -> None:
    give("simutek", "access", api_url="https://gks.example", client_id="gks-1", client_secret="s3cret-0123456789")
    before = bytes(Credential.objects.get().ciphertext)
    same = {"api_url": " https://gks.example/api/v1 ", "client_id": "gks-2"}
    assert give("simutek", "access", **same, client_secret="") is True
    assert bytes(Credential.objects.get().ciphertext) == before
    assert Connection.objects.get().settings == {"api_url": "https://gks.example/api/v1", "client_id": "gks-2"}


def test_a_secret_is_asked_for_again_where_the_server_becomes_another_one(give: Any) -> None:
    typed = {"api_url": "https://gks.example", "client_id": "gks-1"}
    give("simutek", "access", **typed, client_secret="s3cret-0123456789")
    other = {**typed, "api_url": "https://other.example"}
    with pytest.raises(BadInput) as caught:
        give("simutek", "access", **other, client_secret="")
    assert "not sent to another one" in str(caught.value.sentences["client_secret"])
    assert Connection.objects.get().settings == typed
    before = bytes(Credential.objects.get().ciphertext)
    give("simutek", "access", **other, client_secret="s3cret-9876543210")
    assert bytes(Credential.objects.get().ciphertext) != before


def test_plain_http_is_taken_only_where_an_admin_allows_it(give: Any) -> None:
    address = {"api_url": "http://books.example/api", "auth_url": "http://id.example", "format": "json"}
    told = refused(give, "pentamic", "addresses", **address, tax_codes="text")
    assert "an admin can allow it" in told["api_url"]
    allow(Connection.objects.get(), Exemption.PLAIN_HTTP)
    give("pentamic", "addresses", **address, tax_codes="text")
    assert Connection.objects.get().settings["api_url"] == "http://books.example/api"


def test_a_choice_that_is_not_offered_is_refused(give: Any) -> None:
    address = {"api_url": "https://books.example", "auth_url": "https://id.example", "tax_codes": "text"}
    assert "those offered" in refused(give, "pentamic", "addresses", **address, format="yaml")["format"]


def test_names_may_be_written_in_any_letters(give: Any) -> None:
    give("simutek", "company", company_name="  Överkalix Tryck & Söner AB  ")
    assert Connection.objects.get().settings["company_name"] == "Överkalix Tryck & Söner AB"
