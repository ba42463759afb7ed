"""A set-up that was given up is removed by an owner: what was stored for it is destroyed, and nobody else can do it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import ProgrammingError

from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.transport.models import AuthorizationAttempt
from connections.vault.fields import SealedField
from connections.vault.models import Connection, Credential
from connections.vault.secret import Secret
from connections.vault.services import store_credential
from tests.onboarding.conftest import Signer
from tests.roles import acting_as
from tests.signing import House, parameters

pytestmark = pytest.mark.usefixtures("committed_db")
REMOVE = "Remove this set-up"


@pytest.fixture
def given_up(signer: Signer, alice: Any) -> Signer:
    """A set-up with everything that one can hold: a session, a key, a login that came back and one that did not."""
    signer.come_back(state=parameters(signer.address())["state"], code="c")
    signer.work_off()
    signer.address()
    with tenant_scope(signer.connection.tenant_id):
        store_credential(connection=signer.connection, name="api_key", secret=Secret("k" * 40), actor=alice.actor)
    assert Connection.objects.get().state == "setup"
    assert len(sealed_values(signer.connection)) == 5
    return signer


def page_of(signer: Signer) -> str:
    return f"/t/aamu/c/{signer.connection.id}/disconnect/"


def sealed_values(connection: Connection) -> list[str]:
    """Every sealed value that is kept for this connection, in whatever table."""
    places = []
    for model in apps.get_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, SealedField)]
        if names and any(field.name == "connection" for field in model._meta.concrete_fields):
            rows = model._base_manager.filter(connection_id=connection.id).values(*names)
            places += [f"{model._meta.db_table}.{name}" for row in rows for name in names if row[name] is not None]
    return places


def test_an_owner_removes_it_and_nothing_sealed_is_left(given_up: Signer, signing: House) -> None:
    owner, page = given_up.client, page_of(given_up)
    for place in (given_up.checklist, f"/t/aamu/c/{given_up.connection.id}/"):
        assert f'href="{page}"' in owner.get(place).content.decode(), "the press stands on the set-up's pages"
    page_text = owner.get(page).content.decode()
    assert f"{REMOVE} of" in page_text
    assert "Nothing was read yet" in page_text
    assert Connection.objects.get().state == "setup", "looking removes nothing"

    answer = owner.post(page, follow=True)
    assert answer.redirect_chain[-1][0] == "/t/aamu/"
    assert "The set-up is removed." in answer.content.decode()
    given_up.work_off()
    assert sealed_values(given_up.connection) == []
    assert len(signing.asked("/logout")) == 1, "the access was given back first"

    home = owner.get("/t/aamu/")
    assert home.context["home"].summaries == []
    assert str(given_up.connection.id) not in home.content.decode()
    events = AuditEvent.objects.filter(subject=str(given_up.connection.id))
    assert events.get(action="connection.setup_removed").actor_name == "alice@aamu.example"
    assert events.get(action="connection.secrets_destroyed").details["revoked"] == "revoked"
    assert not events.filter(action="connection.disconnected").exists(), "nothing had been connected"
    # A second press, and a bookmark, break nothing.
    assert owner.post(page, follow=True).status_code == 200
    assert owner.get(given_up.checklist).status_code == 200
    assert events.filter(action="connection.setup_removed").count() == 1


def test_who_was_not_there_lately_is_asked_first(given_up: Signer, alice: Any, sign_in: Callable[..., Any]) -> None:
    owner = sign_in(alice, lately=False)
    assert owner.get(page_of(given_up)).status_code == 200
    assert owner.post(page_of(given_up))["Location"].startswith("/account/reauthenticate/")
    given_up.work_off()
    assert Connection.objects.get().state == "setup"
    assert len(sealed_values(given_up.connection)) == 5


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_other_roles_are_not_offered_it_and_cannot(
    given_up: Signer, who: str, request: pytest.FixtureRequest, sign_in: Callable[..., Any]
) -> None:
    client = sign_in(request.getfixturevalue(who))
    assert [client.get(page_of(given_up)).status_code, client.post(page_of(given_up)).status_code] == [404, 404]
    for place in (given_up.checklist, f"/t/aamu/c/{given_up.connection.id}/"):
        assert REMOVE not in client.get(place).content.decode()
    assert Connection.objects.get().state == "setup"


def test_another_tenants_owner_hears_what_a_missing_one_says(
    given_up: Signer, charlie: Any, sign_in: Callable[..., Any]
) -> None:
    client = sign_in(charlie)
    for send in (client.get, client.post):
        for slug in ("aamu", "kaste"):
            answers = [send(f"/t/{slug}/c/{key}/disconnect/") for key in (given_up.connection.id, uuid.UUID(int=7))]
            assert [answer.status_code for answer in answers] == [404, 404]
            first, second = (
                re.sub(r'value="[^"]{64}"|nonce-[\w+/=]+|"X-CSRFToken": "[^"]*"', "", a.content.decode())
                for a in answers
            )
            assert first == second
    assert Connection.objects.get().state == "setup"


def test_neither_staff_nor_a_stolen_web_login_can_do_a_workers_part(given_up: Signer) -> None:
    """The web may ask for it; what was sealed for a login, and what was noted of it all, it cannot make disappear."""
    tries: list[tuple[str, Callable[[], Any]]] = [
        ("staff", lambda: Connection.objects.update(state="disconnected")),
        ("staff", lambda: Credential.objects.all().delete()),
        ("web", lambda: AuthorizationAttempt.objects.update(verifier_ciphertext=None)),
        ("web", lambda: Connection.objects.all().delete()),
        ("web", lambda: AuditEvent.objects.all().delete()),
    ]
    for role, attempt in tries:
        with acting_as(role), pytest.raises(ProgrammingError), tenant_scope(given_up.connection.tenant_id):
            attempt()
    assert Connection.objects.get().state == "setup"
    assert len(sealed_values(given_up.connection)) == 5
