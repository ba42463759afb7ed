"""Our client id and secret per provider environment: the secret goes in and never comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from connections.vault import sealing
from connections.vault.models import ClientRegistration
from tests.roles import acting_as
from tests.signing import offer, signing_provider
from tests.support.conftest import CLIENT_SECRET, House
from tests.support.pages import Page

ADD = "admin:vault_clientregistration_add"
NEW = {
    "place": "procountor|production",
    "client_id": "  pilotage-live ",
    "client_secret": "a-brand-new-secret-of-ours",
    "redirect_uri": "https://portal.example/back",
}


@pytest.fixture
def admins(sign_in: Callable[..., Any], ada: Any) -> Any:
    return sign_in(ada)


def opened(row: ClientRegistration) -> str:
    with acting_as("worker"):
        return sealing.plaintext(row, "secret_ciphertext")


def page_of(row: ClientRegistration) -> str:
    return reverse("admin:vault_clientregistration_change", args=[row.id])


def test_a_registration_is_stored_sealed(house: House, admins: Any) -> None:
    answer = admins.post(reverse(ADD), NEW)
    assert answer.status_code == 302
    row = ClientRegistration.objects.get(environment="production")
    assert (row.provider, row.client_id, row.redirect_uri) == (
        "procountor",
        "pilotage-live",
        "https://portal.example/back",
    )
    assert opened(row) == NEW["client_secret"]
    assert NEW["client_secret"].encode() not in bytes(row.secret_ciphertext)
    entry = LogEntry.objects.get()
    assert entry.object_id == str(row.id)
    assert NEW["client_secret"] not in entry.change_message


def test_only_places_of_the_registry_that_are_free_are_offered(house: House, admins: Any) -> None:
    page = admins.get(reverse(ADD)).content.decode()
    assert 'value="procountor|production"' in page
    assert 'value="procountor|sandbox"' in page
    assert 'value="procountor|test"' not in page, "that one is registered"


@pytest.mark.parametrize("place", ["procountor|test", "procountor|moon", "nobody|test", ""])
def test_any_other_place_is_refused_and_the_secret_not_echoed(house: House, admins: Any, place: str) -> None:
    answer = admins.post(reverse(ADD), NEW | {"place": place})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert NEW["client_secret"] not in page
    assert 'value="  pilotage-live "' in page or 'value="pilotage-live"' in page
    assert ClientRegistration.objects.count() == 1


def test_an_empty_secret_keeps_the_stored_one(house: House, admins: Any) -> None:
    changed = {"client_id": "pilotage-test-2", "client_secret": "", "redirect_uri": ""}
    assert admins.post(page_of(house.registration), changed).status_code == 302
    row = ClientRegistration.objects.get()
    assert row.client_id == "pilotage-test-2"
    assert opened(row) == CLIENT_SECRET
    assert row.changed_at > house.registration.changed_at


def test_a_new_secret_replaces_the_stored_one(house: House, admins: Any) -> None:
    typed = {"client_id": "pilotage-test", "client_secret": "the-one-after-that-1234", "redirect_uri": ""}
    admins.post(page_of(house.registration), typed)
    row = ClientRegistration.objects.get()
    assert opened(row) == "the-one-after-that-1234"
    assert "client secret" in LogEntry.objects.get().get_change_message().lower()


def test_an_api_version_is_kept_and_only_one_that_fits_a_path(house: House, admins: Any) -> None:
    typed = {"client_id": "pilotage-test", "api_version": "v2406"}
    assert admins.post(page_of(house.registration), typed).status_code == 302
    assert ClientRegistration.objects.get().api_version == "v2406"
    assert admins.post(page_of(house.registration), typed | {"api_version": "../x"}).status_code == 200
    assert ClientRegistration.objects.get().api_version == "v2406"


def test_the_addresses_to_register_at_the_provider_are_shown(
    house: House, admins: Any, dana: Any, sign_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, signing_provider(activation=None))
    here = f"{settings.ORIGIN}/callback/procountor/"
    for client, address in ((admins, page_of(house.registration)), (sign_in(dana), page_of(house.registration))):
        page = client.get(address).content.decode()
        assert f">{here}</code>" in page
        assert "/activation/" not in page
    assert f">{here}</code>" in admins.get(reverse(ADD)).content.decode()
    offer(monkeypatch, signing_provider())
    page = admins.get(page_of(house.registration)).content.decode()
    assert f">{here}activation/test/</code>" in page


def test_a_registration_cannot_be_moved(house: House, admins: Any) -> None:
    typed = {"client_id": "pilotage-test", "place": "procountor|production", "environment": "production"}
    admins.post(page_of(house.registration), typed)
    assert ClientRegistration.objects.get().environment == "test"


def test_the_list_says_set_with_hint_or_not_set(house: House, admins: Any, settings: Any) -> None:
    ClientRegistration.objects.create(provider="procountor", environment="production", client_id="bare")
    rows = Page(admins.get(reverse("admin:vault_clientregistration_changelist")).content).rows
    assert [row for row in rows if f"stored, ends with {CLIENT_SECRET[-4:]}" in row]
    assert [row for row in rows if "bare" in row and "not set" in row]


def test_without_the_houses_key_it_says_what_to_do(db: None, admins: Any) -> None:
    answer = admins.post(reverse(ADD), NEW)
    page = answer.content.decode()
    assert "Start a worker" in page
    assert NEW["client_secret"] not in page
    assert not ClientRegistration.objects.exists()


def test_support_sees_that_it_is_set_and_no_form(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    page = sign_in(dana).get(page_of(house.registration)).content.decode()
    assert "pilotage-test" in page
    assert "client_secret" not in page
    assert f"ends with {CLIENT_SECRET[-4:]}" in page
