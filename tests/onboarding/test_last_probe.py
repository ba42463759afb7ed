"""What is left of an access is tried before it is destroyed: refused, it is dead; accepted, somebody has to remove it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import ProgrammingError
from django.utils import timezone

from connections.jobs.models import Job
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.transport.models import Departure, RequestLogEntry
from connections.transport.oauth import revocation
from connections.vault.models import Connection, Credential, Grant
from connections.vault.services import bind_company, mark_healthy
from tests.onboarding.conftest import Signer
from tests.roles import acting_as
from tests.signing import House, parameters

pytestmark = pytest.mark.usefixtures("committed_db")
REFUSED = {"error": "denied"}
NEEDED = "still opens your books at Procountor"


@pytest.fixture(autouse=True)
def mails_at_once(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def place(signer: Signer) -> str:
    return f"/t/aamu/c/{signer.connection.id}/"


def leave(signer: Signer, **form: str) -> None:
    signer.client.post(f"{place(signer)}disconnect/", form)
    signer.work_off()


def page(signer: Signer, address: str = "") -> str:
    answer = signer.client.get(place(signer) + address)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.fixture
def keyed(key_signer: Signer, signing: House) -> Signer:
    """A connection with a key that a login at the provider brought, and a session."""
    key_signer.come_back(state=parameters(key_signer.address())["state"], code="c")
    key_signer.work_off()
    with tenant_scope(key_signer.connection.tenant_id):
        bind_company(connection=key_signer.connection, company_id="101", company_name="Aamun Kirjat Oy")
        mark_healthy(connection=key_signer.connection)
    assert Grant.objects.get().access_ciphertext is not None
    mail.outbox.clear()
    return key_signer


def test_a_key_that_lives_is_kept_for_the_proof_and_nothing_else(keyed: Signer) -> None:
    leave(keyed)
    departure = Departure.objects.get()
    assert (departure.asked_by, departure.last_probe, departure.proof) == ("alice@aamu.example", "lives", "")
    assert Connection.objects.get().leaving == "not-offered"
    assert Credential.objects.count() == 1
    grant = Grant.objects.get()
    assert (grant.access_ciphertext, grant.refresh_ciphertext) == (None, None), "nobody needs the session"
    here = page(keyed)
    assert NEEDED in here
    assert "Delete the technical user." in here
    assert "hx-get" not in here
    assert "Needs you:" in keyed.client.get("/t/aamu/").content.decode()
    assert "This is no certificate yet" in page(keyed, "departure/")
    [message] = mail.outbox
    assert "Delete the technical user." in message.body


def test_once_the_provider_refuses_it_that_is_proved_and_everything_is_gone(keyed: Signer, signing: House) -> None:
    leave(keyed)
    signing.token_status, signing.token_body = 401, REFUSED
    keyed.client.post(f"{place(keyed)}departure/probe/")
    assert "being checked for the last time" in page(keyed)
    keyed.work_off()
    departure = Departure.objects.get()
    assert (departure.proof, departure.last_probe, departure.destroyed) == ("proved", "dead", ["api_key", "session"])
    assert not Credential.objects.exists()
    certificate = page(keyed, "departure/")
    assert str(departure.entry_id) in certificate
    assert RequestLogEntry.objects.get(id=departure.entry_id).status == 401
    for words in ("it is dead", "alice@aamu.example", "API key, Session", str(departure.id)):
        assert words in certificate
    assert "and Procountor refused it: it is dead" in mail.outbox[-1].body
    assert f"{place(keyed)}departure/" in mail.outbox[-1].body
    events = AuditEvent.objects.filter(subject=str(keyed.connection.id))
    assert events.get(action="connection.secrets_destroyed").details == {"revoked": "not-offered", "proof": "proved"}
    # Nothing is left to be tried.
    answer = keyed.client.post(f"{place(keyed)}departure/probe/", follow=True).content.decode()
    assert "there is nothing left to check" in answer


def test_a_key_that_was_removed_before_needs_nobody(keyed: Signer, signing: House) -> None:
    signing.token_status, signing.token_body = 401, REFUSED
    leave(keyed)
    assert Departure.objects.get().proof == "proved"
    assert not Credential.objects.exists()


def test_an_owner_need_not_wait_and_the_certificate_says_so(keyed: Signer) -> None:
    leave(keyed)
    assert "This cannot be undone" in page(keyed, "departure/end/")
    assert not Departure.objects.get().is_ended
    keyed.client.post(f"{place(keyed)}departure/end/")
    requests = RequestLogEntry.objects.count()
    keyed.work_off()
    departure = Departure.objects.get()
    assert (departure.proof, departure.end_asked_by) == ("not-proved", "alice@aamu.example")
    assert not Credential.objects.exists()
    assert RequestLogEntry.objects.count() == requests, "nothing was tried any more"
    certificate = page(keyed, "departure/")
    assert "It is not proved that it is dead" in certificate
    assert "Not waited for the proof" in certificate
    assert "may still open your books" in mail.outbox[-1].body


def test_seven_days_are_the_most(keyed: Signer) -> None:
    leave(keyed)
    departure, job = Departure.objects.get(), Job.objects.get(kind=revocation.PROVE, state="queued")
    assert departure.held_until is not None
    assert departure.held_until - departure.asked_at < timedelta(days=7, minutes=5)
    assert job.due_at < departure.held_until
    Departure.objects.update(held_until=timezone.now() + timedelta(minutes=59))
    Job.objects.filter(id=job.id).update(due_at=timezone.now())
    keyed.work_off()
    assert Departure.objects.get().proof == "not-proved"
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (401, {"error": "invalid_client"}, "client-refused"),
        (403, {"errors": [{"message": "INVOICEABLE_API_CLIENTS_NOT_ALLOWED"}]}, "usage-forbidden"),
    ],
)
def test_a_refusal_of_something_else_proves_nothing(
    status: int, body: dict[str, Any], fault: str, keyed: Signer, signing: House
) -> None:
    signing.token_status, signing.token_body = status, body
    leave(keyed)
    departure = Departure.objects.get()
    assert (departure.last_probe, departure.probe_fault, departure.proof) == ("unclear", fault, "")
    assert Credential.objects.count() == 1
    assert "does not settle whether the access is dead" in page(keyed)


def test_a_provider_in_trouble_is_asked_again_before_anything_is_said(keyed: Signer, signing: House) -> None:
    signing.token_status = 503
    leave(keyed)
    departure = Departure.objects.get()
    assert departure.is_probing
    assert "hx-get" in page(keyed), "the page waits for it"
    Departure.objects.update(asked_at=timezone.now() - revocation.RETRIED_FOR)
    Grant.objects.update(ask_after=None, refused_at=None)
    Job.objects.filter(kind=revocation.PROVE, state="queued").update(due_at=timezone.now())
    keyed.work_off()
    assert Departure.objects.get().last_probe == "unclear"
    assert Credential.objects.count() == 1


def test_what_a_person_consented_to_is_proved_by_what_renews_it(bound: Signer, signing: House) -> None:
    bound.come_back(state=parameters(bound.address())["state"], code="c")
    bound.work_off()
    behave = signing.server.behave
    signing.server.behave = lambda line: line.answer(200, {}) if "/logout" in line.asked else behave(line)
    leave(bound)
    departure = Departure.objects.get()
    # The provider said that it had ended the session, and went on renewing it.
    assert (Connection.objects.get().leaving, departure.last_probe) == ("revoked", "lives")
    grant = Grant.objects.get()
    assert grant.access_ciphertext is None
    assert grant.refresh_ciphertext is not None
    signing.is_ended = True
    bound.client.post(f"{place(bound)}departure/probe/")
    bound.work_off()
    assert Departure.objects.get().proof == "proved"
    assert Grant.objects.get().refresh_ciphertext is None


def test_a_second_pair_of_hands_may_look_and_not_press(keyed: Signer, bob: Any, sign_in: Callable[..., Any]) -> None:
    leave(keyed)
    operator = sign_in(bob)
    assert operator.get(f"{place(keyed)}departure/").status_code == 200
    assert "to-end" not in operator.get(place(keyed)).content.decode()
    for address in ("departure/probe/", "departure/end/", "departure/records/"):
        assert operator.post(place(keyed) + address).status_code == 404
    keyed.work_off()
    assert not Departure.objects.get().is_ended


def test_a_stolen_web_login_writes_no_proof(keyed: Signer, signing: House) -> None:
    leave(keyed)
    tries: list[Callable[[], Any]] = [
        lambda: Departure.objects.update(proof="proved"),
        lambda: Departure.objects.update(held_until=timezone.now() + timedelta(days=70)),
        lambda: Departure.objects.update(destroyed_at=timezone.now()),
        lambda: Departure.objects.update(asked_by="somebody else"),
        lambda: Departure.objects.update(deletes_at=timezone.now()),
        lambda: Departure.objects.all().delete(),
    ]
    for attempt in tries:
        with acting_as("web"), pytest.raises(ProgrammingError), tenant_scope(keyed.connection.tenant_id):
            attempt()
