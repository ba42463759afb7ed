"""allauth's pages: what changes how somebody signs in is confirmed first, told to the old address and written down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from connections.tenancy.models import AuditEvent
from tests.conftest import PASSWORD, RoleClient, person
from tests.factors import SEED, code_of, with_totp

NEW = "thief@elsewhere.example"
REAUTHENTICATE = "/account/reauthenticate/"

# What needs nobody to be signed in, or is on the way in. Everything else under /account/ must ask first.
ON_THE_WAY_IN = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",
    "account_email_verification_sent",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_reauthenticate",
    "mfa_authenticate",
    "mfa_reauthenticate",
}
ONLY_LOOKED_AT = {"account_email", "mfa_index", "usersessions_list"}


def account_pages() -> Iterator[str]:
    def names(patterns: list[Any]) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern.name or ""
            else:
                yield from names(pattern.url_patterns)

    root = get_resolver().url_patterns
    yield from names([p for p in root if isinstance(p, URLResolver) and str(p.pattern) == "account/"])


def address_of(name: str, user: Any) -> str:
    if name == "account_confirm_email":
        added = EmailAddress.objects.create(user=user, email=NEW)
        return reverse(name, args=[EmailConfirmationHMAC(added).key])
    return reverse(name)


def test_every_page_of_allauth_asks_first(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    """A page that a newer allauth brings is asked for here, too."""
    open_session = sign_in(alice, lately=False)
    names = sorted(set(account_pages()) - ON_THE_WAY_IN)
    assert len(names) >= 10
    for name in names:
        address = address_of(name, alice)
        if name not in ONLY_LOOKED_AT | {"account_confirm_email"}:
            answer = open_session.get(address)
            assert answer.status_code == 302, name
            assert answer["Location"].startswith(REAUTHENTICATE), name
        answer = open_session.post(address, {"email": NEW, "action_add": ""})
        assert answer.status_code == 302, name
        assert answer["Location"].startswith(REAUTHENTICATE), name
    assert not EmailAddress.objects.filter(email=NEW, verified=True).exists()
    assert not Authenticator.objects.exists()


def test_the_way_from_an_open_session_to_somebodys_account_is_closed(
    sign_in: Callable[..., RoleClient], alice: Any, mailoutbox: list[Any]
) -> None:
    thief = sign_in(alice, lately=False)
    email = reverse("account_email")
    thief.post(email, {"action_add": "", "email": NEW})
    EmailAddress.objects.create(user=alice, email=NEW, verified=True)
    thief.post(email, {"action_primary": "", "email": NEW})
    thief.post(email, {"action_remove": "", "email": alice.email})
    thief.post(email, {"action_send": "", "email": NEW})
    alice.refresh_from_db()
    assert alice.email == "alice@aamu.example"
    assert EmailAddress.objects.get(user=alice, primary=True).email == alice.email
    assert mailoutbox == []


def first_lines(mailoutbox: list[Any]) -> dict[str, list[str]]:
    """The first lines of security mails, by recipient."""
    lines: dict[str, list[str]] = {}
    for mail in mailoutbox:
        if mail.subject == "Your sign-in at Pilotage was changed":
            lines.setdefault(mail.to[0], []).append(mail.body.splitlines()[0])
    return lines


def test_each_step_of_a_change_of_address_tells_the_old_one_and_is_written_down(
    sign_in: Callable[..., RoleClient], alice: Any, mailoutbox: list[Any]
) -> None:
    client = sign_in(alice)
    email = reverse("account_email")
    client.post(email, {"action_add": "", "email": "new@aamu.example"})
    link = re.search(r"http://[^/]+(/account/confirm-email/\S+)", "".join(mail.body for mail in mailoutbox))
    assert link
    client.post(link[1])
    client.post(email, {"action_primary": "", "email": "new@aamu.example"})
    client.post(email, {"action_remove": "", "email": "alice@aamu.example"})
    assert first_lines(mailoutbox) == {
        "alice@aamu.example": [
            "The address new@aamu.example was added to your sign-in. It must still be confirmed.",
            "The address new@aamu.example of your sign-in was confirmed.",
            "You sign in with new@aamu.example from now on, instead of alice@aamu.example.",
            "The address alice@aamu.example was removed from your sign-in.",
        ],
        "new@aamu.example": ["The address alice@aamu.example was removed from your sign-in."],
    }
    events = AuditEvent.objects.filter(action__startswith="address.").order_by("happened_at")
    assert [event.action for event in events] == [
        "address.added",
        "address.confirmed",
        "address.changed",
        "address.removed",
    ]
    assert {event.actor_id for event in events} == {alice.pk}
    assert client.get("/t/aamu/").status_code == 200  # whoever did it stays


def test_a_confirmation_that_did_its_work_says_so(
    sign_in: Callable[..., RoleClient], client: RoleClient, alice: Any, bob: Any
) -> None:
    address = address_of("account_confirm_email", alice)
    alices = sign_in(alice)
    alices.post(address)
    for answer in (alices.get(address, follow=True), alices.post(address, follow=True)):
        assert answer.request["PATH_INFO"] == reverse("account_email")
        assert "is confirmed already" in answer.content.decode()
    assert client.get(address).headers["Location"].startswith("/account/login/?next=/account/confirm-email/")
    for other in (address[:-2] + "x/", reverse("account_confirm_email", args=["made-up"])):
        assert "expired or is invalid" in alices.get(other).content.decode()
    assert "expired or is invalid" in sign_in(bob).get(address).content.decode()
    EmailAddress.objects.filter(user=alice, primary=False).delete()
    assert "expired or is invalid" in alices.get(address).content.decode()


def test_a_confirmation_is_its_persons_own(
    sign_in: Callable[..., RoleClient], client: RoleClient, alice: Any, bob: Any
) -> None:
    address = address_of("account_confirm_email", alice)
    for answer in (client.get(address), client.post(address)):
        assert answer["Location"].startswith("/account/login/")
    other = sign_in(bob)
    for answer in (other.get(address), other.post(address)):
        assert answer.status_code == 404
    assert other.get("/t/aamu/").status_code == 200
    assert not EmailAddress.objects.get(email=NEW).verified


def test_who_has_no_confirmed_address_yet_confirms_without_signing_in(client: RoleClient, aamu: Any) -> None:
    user = person("eino@aamu.example")
    EmailAddress.objects.filter(user=user).update(verified=False)
    client.post(reverse("account_confirm_email", args=[EmailConfirmationHMAC(user.emailaddress_set.get()).key]))
    assert user.emailaddress_set.get().verified


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_is_told_written_down_and_ends_other_sessions(
    way: str, sign_in: Callable[..., RoleClient], client: RoleClient, alice: Any, mailoutbox: list[Any]
) -> None:
    elsewhere = sign_in(alice)
    new = "nine slow boats at dusk"
    if way == "change":
        sign_in(alice).post(
            reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
        )
    else:
        client.post(reverse("account_reset_password"), {"email": alice.email})
        link = re.search(r"http://[^/]+(/account/password/reset/key/\S+)", mailoutbox[0].body)
        assert link
        page = client.get(link[1], follow=True)
        client.post(page.redirect_chain[-1][0], {"password1": new, "password2": new})
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert first_lines(mailoutbox) == {alice.email: ["Your password was changed."]}
    assert AuditEvent.objects.get(action="password.changed").actor_id == alice.pk
    assert elsewhere.get("/t/aamu/").status_code == 302


def test_a_second_factor_is_told_written_down_and_ends_other_sessions(
    sign_in: Callable[..., RoleClient], alice: Any, mailoutbox: list[Any]
) -> None:
    elsewhere = sign_in(alice)
    client = sign_in(alice, lately=False)
    client.post(REAUTHENTICATE, {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp")).content.decode().replace("\n", " ")
    seed = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)
    assert seed
    before = client.session.session_key
    client.post(reverse("mfa_activate_totp"), {"code": code_of(seed[1])})
    assert Authenticator.objects.filter(user=alice).count() == 2  # the app, and recovery codes
    assert client.session.session_key != before
    assert elsewhere.get("/t/aamu/").status_code == 302
    assert client.get(reverse("mfa_view_recovery_codes")).status_code == 200  # a code was shown just now

    elsewhere = sign_in(alice)
    client.post(reverse("mfa_generate_recovery_codes"))
    assert elsewhere.get("/t/aamu/").status_code == 302
    elsewhere = sign_in(alice)
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()
    assert elsewhere.get("/t/aamu/").status_code == 302
    assert client.get("/t/aamu/").status_code == 200
    assert first_lines(mailoutbox) == {
        alice.email: [
            "A second factor was set up for your sign-in.",
            "The recovery codes of your sign-in were shown.",
            "New recovery codes were made for your sign-in. The old ones no longer work.",
            "The second factor was removed from your sign-in.",
        ]
    }
    assert AuditEvent.objects.filter(action__in=["second_factor.set_up", "second_factor.removed"]).count() == 2
    assert AuditEvent.objects.filter(action__startswith="recovery_codes.").count() == 2


def test_downloading_codes_and_ending_sessions_are_told_too(
    sign_in: Callable[..., RoleClient], alice: Any, mailoutbox: list[Any]
) -> None:
    with_totp(alice)
    RecoveryCodes.activate(alice)
    client = sign_in(alice)
    client.post(reverse("mfa_reauthenticate"), {"code": code_of(SEED)})
    assert client.get(reverse("mfa_download_recovery_codes")).status_code == 200
    elsewhere = sign_in(alice)
    client.post(reverse("usersessions_list"))
    assert elsewhere.get("/t/aamu/").status_code == 302
    assert client.get("/t/aamu/").status_code == 200
    assert first_lines(mailoutbox)[alice.email] == [
        "The recovery codes of your sign-in were shown.",
        "All other sessions of your sign-in were ended.",
    ]
    assert AuditEvent.objects.filter(action="sessions.ended").exists()
