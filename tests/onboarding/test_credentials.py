"""What customers type by mistake is recognised at its field, and nothing of it is kept or repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from connections.tenancy.scope import Actor, tenant_scope
from connections.vault import sealing
from connections.vault.models import Connection, Credential, Exemption
from portal.onboarding import services
from portal.onboarding.credentials import clean_credentials
from portal.onboarding.models import Mark
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

    def at(provider: str, checkpoint: str, **typed: str) -> Sequence[str]:
        if provider not in begun:
            with acting_as("web"), tenant_scope(aamu.id):
                begun[provider] = services.begin(tenant=aamu, provider=provider, environment="sandbox", actor=AINO)
        with acting_as("web"), tenant_scope(aamu.id):
            mark = Mark.objects.select_related("onboarding__connection").get(
                onboarding=begun[provider], checkpoint=checkpoint
            )
            credentials = clean_credentials(mark=mark, values=typed)
            services.store_credentials(credentials=credentials, actor=AINO)
            return tuple(map(str, credentials.left_out))

    return at


def refused(give: Any, *place: str, **typed: str) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        give(*place, **typed)
    for value in typed.values():
        if len(value) > 8:
            assert value not in str(caught.value)
            assert not any(value in sentence for [sentence] in caught.value.message_dict.values())
    assert not Credential.objects.exists()
    assert Connection.objects.get().settings == {}
    return {name: sentence for name, [sentence] in caught.value.message_dict.items()}


@pytest.mark.parametrize(
    ("typed", "sentence"),
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
def test_what_is_no_address_is_told_at_its_field(give: Any, typed: str, sentence: str) -> None:
    errors = refused(give, "simutek", "access", api_url=typed, client_id="gks-1234", client_secret="s3cret-0123456789")
    assert set(errors) == {"api_url"}
    assert sentence in errors["api_url"]


@pytest.mark.parametrize(
    "typed", ["gks.example", "https://gks.example/", "  https://gks.example/api/v1/ ", '"https://gks.example:8443"']
)
def test_what_can_be_an_address_is_taken(give: Any, typed: str) -> None:
    give("simutek", "access", api_url=typed, client_id="gks-1234", client_secret="s3cret-0123456789")
    address = Connection.objects.get().settings["api_url"]
    assert address.startswith("https://gks.example")
    assert not address.endswith("/")


def test_the_client_id_in_the_place_of_the_secret_is_recognised(give: Any) -> None:
    same = "gks-0123456789abcdef"
    errors = refused(give, "simutek", "access", api_url="https://gks.example", client_id=same, client_secret=same)
    assert "same as" in errors["client_secret"]


def test_several_mistakes_are_told_at_once_and_nothing_is_kept(give: Any) -> None:
    errors = refused(give, "simutek", "access", api_url="nonsense", client_id="", client_secret=KEY)
    assert set(errors) == {"api_url", "client_id", "client_secret"}


def test_a_secret_left_empty_keeps_the_stored_one(give: Any) -> None:
    give("simutek", "access", api_url="https://gks.example", client_id="gks-1", client_secret="s3cret-0123456789")
    before = bytes(Credential.objects.get().ciphertext)
    assert give("simutek", "access", api_url=" https://gks.example ", client_id="gks-2", client_secret="") == (
        "blanks around it",
    )
    assert bytes(Credential.objects.get().ciphertext) == before
    assert Connection.objects.get().settings["client_id"] == "gks-2"


def test_a_secret_is_asked_for_again_where_the_server_becomes_another_one(give: Any) -> None:
    typed = {"api_url": "https://gks.example", "client_id": "gks-1", "client_secret": "s3cret-0123456789"}
    give("simutek", "access", **typed)
    before = bytes(Credential.objects.get().ciphertext)
    for address in ("https://other.example", "https://gks.example:8443", "https://gks.example.other.example"):
        with pytest.raises(ValidationError) as caught:
            give("simutek", "access", **{**typed, "api_url": address, "client_secret": ""})
        assert "Enter it once more" in str(caught.value.message_dict["client_secret"][0])
        assert Connection.objects.get().settings["api_url"] == "https://gks.example"
    # Written in another way it is the same server.
    give("simutek", "access", **{**typed, "api_url": "https://GKS.example:443/api/v1", "client_secret": ""})
    assert bytes(Credential.objects.get().ciphertext) == before
    give("simutek", "access", **{**typed, "api_url": "https://other.example"})
    assert bytes(Credential.objects.get().ciphertext) != before


def test_what_was_stored_for_another_server_is_destroyed_where_it_stands_elsewhere(give: Any) -> None:
    address = {
        "api_url": "https://books.example",
        "auth_url": "https://id.example",
        "format": "json",
        "tax_codes": "text",
    }
    give("pentamic", "addresses", **address)
    give("pentamic", "access", client_id="p-1", client_secret="s3cret-0123456789", scope="api")
    assert Credential.objects.count() == 1
    with pytest.raises(ValidationError):
        give("pentamic", "access", client_id="p-1", client_secret="p-1", scope="api")
    give("pentamic", "addresses", **{**address, "auth_url": "https://other.example"})
    assert not Credential.objects.exists()


def test_plain_http_is_taken_only_where_an_admin_allows_it(give: Any) -> None:
    address = {"api_url": "http://books.example/api", "auth_url": "http://id.example", "format": "json"}
    errors = refused(give, "pentamic", "addresses", **address, tax_codes="text")
    assert "an admin can allow it" in errors["api_url"]
    allow(Connection.objects.get(), Exemption.PLAIN_HTTP)
    give("pentamic", "addresses", **address, tax_codes="text")
    assert Connection.objects.get().settings["api_url"] == "http://books.example/api"


def test_a_choice_that_is_not_offered_is_refused(give: Any) -> None:
    address = {"api_url": "https://books.example", "auth_url": "https://id.example", "tax_codes": "text"}
    assert "those offered" in refused(give, "pentamic", "addresses", **address, format="yaml")["format"]


def test_names_may_be_written_in_any_letters(give: Any) -> None:
    give("simutek", "company", company_name="  Överkalix Tryck & Söner AB  ")
    assert Connection.objects.get().settings["company_name"] == "Överkalix Tryck & Söner AB"


SECRET = "s3cret-0123456789=="
HIDDEN, BLANKS, MARKS = "characters that cannot be seen", "blanks around it", "quotation marks"
NAME, BEARER = "the name in front of it", "the word \u201cBearer\u201d"


@pytest.mark.parametrize(
    ("typed", "left_out"),
    [
        (f"\u200b{SECRET}\ufeff", (HIDDEN,)),
        ("s3cret\u2060-\u00ad0123456789=\u200d=", (HIDDEN,)),
        (f"\u00a0{SECRET}\u202f\n", (BLANKS,)),
        (f"\u00ab{SECRET}\u00bb", (MARKS,)),
        (f"`{SECRET}`", (MARKS,)),
        (f"Bearer {SECRET}", (BEARER,)),
        (f"Authorization: bearer {SECRET}", (NAME, BEARER)),
        (f"client_secret={SECRET}", (NAME,)),
        (f"Client secret: {SECRET}", (NAME,)),
        (f'"client_secret": "{SECRET}",', (NAME, MARKS)),
        (f'{{"client_secret": "{SECRET}"}}', (NAME,)),
        (SECRET, ()),
        ("key-of:mine=0123456789", ()),
    ],
)
def test_what_pasting_brings_along_is_left_out_and_said(
    give: Any, typed: str, left_out: tuple[str, ...], aamu: Any
) -> None:
    address = {"api_url": "https://gks.example", "client_id": "gks-1"}
    assert give("simutek", "access", **address, client_secret=typed) == left_out
    with acting_as("worker"), tenant_scope(aamu.id):
        stored = sealing.plaintext(Credential.objects.select_related("connection").get(), "ciphertext")
    assert stored in (SECRET, "key-of:mine=0123456789")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("client_id=gks-1234", "this is \u201cClient id\u201d"),
        ("Your company's name: Aamu Oy", "this is \u201cYour company's name\u201d"),
        ('{"client_id": "gks-1", "expires": 1}', "whole piece of JSON"),
        ("s3cret-01234\n56789", "line break in the middle"),
        ("s3cret-01234\u00a056789", "blank"),
        ("\u200b\u200b\ufeff", "the field is empty"),
        ("s3cret\u0441-0123456789", "never has"),
    ],
)
def test_what_is_not_plain_is_refused_in_words(give: Any, typed: str, sentence: str) -> None:
    errors = refused(give, "simutek", "access", api_url="https://gks.example", client_id="gks-1", client_secret=typed)
    assert sentence in errors["client_secret"]


@pytest.mark.parametrize(
    ("typed", "stored_name"),
    [
        ("Aamu\u00a0Oy", "Aamu Oy"),
        ("\u200bAamu Oy\ufeff", "Aamu Oy"),
        (
            "\u0634\u0631\u06a9\u062a \u0645\u06cc\u200c\u0646\u0627",
            "\u0634\u0631\u06a9\u062a \u0645\u06cc\u200c\u0646\u0627",
        ),
        ("name: Aamu Oy", "name: Aamu Oy"),
    ],
)
def test_names_keep_what_belongs_to_their_spelling(give: Any, typed: str, stored_name: str) -> None:
    give("simutek", "company", company_name=typed)
    assert Connection.objects.get().settings["company_name"] == stored_name


@pytest.mark.parametrize("typed", ["", "   ", "\u200b", "\u00a0\u00a0"])
def test_a_name_of_nothing_is_no_name(give: Any, typed: str) -> None:
    assert "empty" in refused(give, "simutek", "company", company_name=typed)["company_name"]
