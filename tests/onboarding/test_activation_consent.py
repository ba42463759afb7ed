"""The link of an activation names nobody: whoever chose the companies is the one who decides here, or says so by mail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from connections.jobs.services import enqueue
from connections.tenancy.models import AuditEvent, Lookup
from connections.transport.models import ActivationRequest
from connections.vault.models import Connection, Credential
from portal.members.mailing import Delivery
from portal.onboarding import consents
from portal.onboarding.models import ActivationConsent
from tests.conftest import RoleClient
from tests.onboarding.test_activation import REQUEST_ID, Chooser
from tests.signing import House

pytestmark = pytest.mark.usefixtures("committed_db")

KAISA = "kaisa@aamu.example"  # whom the provider names


@pytest.fixture
def stranger(signing: House, charlie: Any, sign_in: Any, work_off: Callable[..., int], settings: Any) -> Chooser:
    """Charlie of Kaste Oy, who came by the link of somebody at Aamu Oy."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    chooser = Chooser(sign_in(charlie), work_off)
    assert chooser.take("kaste").status_code == 302
    work_off()
    return chooser


def ask(chooser: Chooser) -> str:
    """Press "Ask by mail" and give the path of the link that was mailed."""
    chooser.client.post(f"{chooser.place}consent/", follow=True)
    match = re.search(r"https?://[^/]+(/activations/consent/\S+)", str(mail.outbox[-1].body))
    assert match
    return match[1]


def test_a_strangers_consent_gives_nobody_a_key(stranger: Chooser, signing: House) -> None:
    page = stranger.page()
    for words in ("Kaisa Kivi", KAISA, "Books 101", "connect-companies"):
        assert words not in page
    assert "k\u2026@aamu.example" in page
    assert "2 companies" in page
    answer = stranger.decide(company=["101", "102"]).content.decode()
    assert "has not confirmed" in answer
    stranger.work_off()
    assert signing.decided == []
    assert not Credential.objects.exists()
    assert not Connection.objects.exists()
    assert mail.outbox == []  # nobody is written to before a person wants it


def test_the_worker_looks_for_itself(stranger: Chooser, signing: House) -> None:
    """Whoever writes the decision past our pages reaches no key either."""
    ActivationRequest.objects.update(state="deciding", approved=["101"])
    row = ActivationRequest.objects.get()
    enqueue(kind="transport.activation_decide", subject=row.id, tenant_id=row.tenant_id)
    stranger.work_off()
    assert signing.decided == []
    assert not Credential.objects.exists()
    assert "has not confirmed to us" in stranger.page()


def test_the_person_who_chose_confirms_by_mail(stranger: Chooser, signing: House) -> None:
    link = ask(stranger)
    message = mail.outbox[0]
    assert message.to == [KAISA]
    for words in ("Kaste Oy", "charlie@kaste.example", "Books 101", "Books 102", "Procountor"):
        assert words in message.body
    assert "Kaste Oy" in message.subject
    assert "We have asked by mail" in stranger.page()
    kaisa = RoleClient()
    page = kaisa.get(link)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in page.headers["Cache-Control"]
    for words in ("Kaste Oy", "charlie@kaste.example", "Books 101", KAISA):
        assert words in page.content.decode()
    assert "Kaisa Kivi" not in stranger.page()  # looking changes nothing: mail scanners look
    assert "Its people decide now" in kaisa.post(link, {"confirm": "yes"}).content.decode()
    assert "Kaisa Kivi" in stranger.page()
    stranger.decide(company="101")
    stranger.work_off()
    assert [each["approve"] for each in signing.decided] == [["101"]]
    assert Connection.objects.get().company_id == "101"
    actions = list(AuditEvent.objects.order_by("happened_at").values_list("action", "actor_name"))
    assert ("activation.consent_asked", "charlie@kaste.example") in actions
    assert ("activation.consent_confirmed", "Pilotage") in actions
    assert AuditEvent.objects.get(action="activation.consent_confirmed").details == {"email": KAISA}


def test_the_person_who_chose_says_no(stranger: Chooser, signing: House) -> None:
    link = ask(stranger)
    assert "All are declined" in RoleClient().post(link, {"decline": "yes"}).content.decode()
    stranger.work_off()
    assert [each["companyId"] for each in signing.decided[0]["reject"]] == ["101", "102"]
    assert not Connection.objects.exists()
    assert "says that you are not meant" in stranger.page()
    assert "has not confirmed" in stranger.decide(company="101").content.decode()


def test_a_post_that_says_neither_confirms_nothing(stranger: Chooser) -> None:
    RoleClient().post(ask(stranger), {})
    assert ActivationConsent.objects.get().confirmed_at is None


@pytest.mark.parametrize("spoiled", ["used", "declined", "old", "replaced", "wrong", "other end", "expired there"])
def test_a_link_that_cannot_be_used_is_answered_alike(spoiled: str, stranger: Chooser) -> None:
    visitor = RoleClient()
    link = ask(stranger)
    match spoiled:
        case "used" | "declined":
            visitor.post(link, {"confirm" if spoiled == "used" else "decline": "yes"})
        case "old":
            ActivationConsent.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "replaced":
            ActivationConsent.objects.update(asked_at=timezone.now() - timedelta(minutes=3))
            assert ask(stranger) != link
        case "wrong":
            link = f"{link[:-2]}x/"
        case "other end":
            ActivationRequest.objects.update(state="failed")
        case _:
            ActivationConsent.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
            ActivationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    before = list(ActivationConsent.objects.values("confirmed_at", "declined_at"))
    never = visitor.get("/activations/consent/never-was/")
    for answer in (visitor.get(link), visitor.post(link, {"confirm": "yes"})):
        assert answer.status_code == never.status_code == 404
        assert "This link cannot be used" in answer.content.decode()
    assert list(ActivationConsent.objects.values("confirmed_at", "declined_at")) == before


@pytest.mark.parametrize("answer", ["confirm", "decline"])
def test_whoever_answered_by_a_link_is_told_so_again(
    answer: str, stranger: Chooser, alice: Any, bob: Any, sign_in: Any
) -> None:
    EmailAddress.objects.create(user=alice, email=KAISA, verified=True)
    link, kaisa = ask(stranger), sign_in(alice)
    assert kaisa.get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 200
    first = kaisa.post(link, {answer: "yes"}).content.decode()
    words = "Its people decide now" if answer == "confirm" else "All are declined"
    assert words in first
    for again in (kaisa.get(link), kaisa.post(link, {"confirm": "yes"}), kaisa.post(link, {"decline": "yes"})):
        assert again.status_code == 200
        assert words in again.content.decode()
    assert sign_in(bob).get(link).status_code == RoleClient().get(link).status_code == 404
    assert AuditEvent.objects.filter(action__startswith="activation.consent_").count() == 2  # asked, answered


def test_who_may_decide_is_led_to_the_request(stranger: Chooser, charlie: Any) -> None:
    link = ask(stranger)
    EmailAddress.objects.create(user=charlie, email=KAISA, verified=True)
    stranger.client.post(link, {"confirm": "yes"})
    assert stranger.client.get(link).headers["Location"] == stranger.place


def test_the_link_stands_nowhere_but_in_the_mail(stranger: Chooser, settings: Any) -> None:
    token = ask(stranger).rstrip("/").rpartition("/")[2]
    row = ActivationConsent.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert row.expires_at - timezone.now() <= consents.VALID_FOR
    assert Lookup.objects.filter(digest=row.digest).count() == 1
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{token}%"])
            assert cursor.fetchone() == (0,), table
    RoleClient().post(f"/activations/consent/{token}/", {"confirm": "yes"})
    assert RoleClient().get(f"/activations/consent/{token}/").status_code == 404


def test_it_is_not_asked_again_and_again(stranger: Chooser) -> None:
    for _ in range(20):
        stranger.client.post(f"{stranger.place}consent/")
    assert len(mail.outbox) == 1
    assert "a moment ago" in stranger.client.post(f"{stranger.place}consent/", follow=True).content.decode()


def test_confirming_for_one_tenant_is_not_confirming_for_another(
    stranger: Chooser, aamu: Any, bob: Any, sign_in: Any, signing: House
) -> None:
    """The same link, opened in two tenants: what Kaisa says of one says nothing of the other."""
    other = Chooser(sign_in(bob), stranger.work_off)
    other.take("aamu")
    other.work_off()
    RoleClient().post(ask(other), {"confirm": "yes"})
    assert "connect-companies" in other.page()
    assert "connect-companies" not in stranger.page()
    stranger.decide(company="101")
    stranger.work_off()
    assert signing.decided == []


@pytest.mark.parametrize(
    ("email", "is_verified", "is_theirs"),
    [
        ("KAISA@Aamu.Example", True, True),
        (KAISA, False, False),
        ("kaisa@aamu.example.evil.example", True, False),
        ("\u212aaisa@aamu.example", True, False),  # a Kelvin sign, which turns into a k when it is made small
        ("kaisa+x@aamu.example", True, False),
    ],
)
def test_only_a_verified_address_letter_by_letter_is_ones_own(
    email: str, is_verified: bool, is_theirs: bool, stranger: Chooser, charlie: Any, signing: House
) -> None:
    EmailAddress.objects.create(user=charlie, email=email, verified=is_verified)
    assert ("connect-companies" in stranger.page()) is is_theirs
    stranger.decide(company="101")
    stranger.work_off()
    assert bool(signing.decided) is is_theirs


def test_somebody_elses_address_is_not_ones_own(stranger: Chooser, alice: Any, signing: House) -> None:
    EmailAddress.objects.create(user=alice, email=KAISA, verified=True)
    assert "connect-companies" not in stranger.page()


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c"])
def test_where_the_provider_names_nobody_nothing_is_connected(
    email: Any, signing: House, charlie: Any, sign_in: Any, work_off: Callable[..., int]
) -> None:
    """There is nobody to ask; an address that the holder of the link types would be their own."""
    behave = signing.server.behave

    def nameless(line: Any) -> None:
        if not line.asked.startswith("GET"):
            return behave(line)
        companies = [{"companyId": 101, "extraInfo": "Books 101"}]
        who = {"email": email, "userFullName": "Kaisa Kivi"}
        line.answer(200, {"initiator": who, "companiesToIntegrate": companies, "expires": "2099-01-01T00:00:00"})

    signing.server.behave = nameless
    chooser = Chooser(sign_in(charlie), work_off)
    chooser.take("kaste")
    work_off()
    page = chooser.page()
    assert "does not say who chose these companies" in page
    assert "ask-consent" not in page
    chooser.client.post(f"{chooser.place}consent/")
    chooser.decide(company="101")
    work_off()
    assert mail.outbox == []
    assert signing.decided == []


def test_a_mail_that_does_not_arrive_is_said(stranger: Chooser, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(stranger)
    monkeypatch.setattr(consents, "deliveries_of", lambda rows: dict.fromkeys(rows, Delivery.REFUSED))
    assert "could not be delivered" in stranger.page()


def test_only_those_who_may_connect_may_ask(stranger: Chooser, vera: Any, kaste: Any, sign_in: Any) -> None:
    from tests.conftest import joined

    joined(vera, kaste, "viewer")
    assert sign_in(vera).post(f"{stranger.place}consent/").status_code == 404
    assert RoleClient().post(f"{stranger.place}consent/").status_code == 302
    assert mail.outbox == []


def test_the_request_id_is_not_told_to_the_person_who_is_asked(stranger: Chooser) -> None:
    link = ask(stranger)
    assert REQUEST_ID not in str(mail.outbox[0].message())
    assert REQUEST_ID not in RoleClient().get(link).content.decode()
