"""Signing in and out, the second factor and a forgotten password, through the pages as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.urls import reverse

from tests.conftest import PASSWORD
from tests.pages.test_pages import assert_whole

pytestmark = pytest.mark.django_db


def code_for(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


def test_a_wrong_password_says_nothing_about_the_address(client: Any, alice: Any) -> None:
    known, unknown = (
        client.post("/account/login/", {"login": address, "password": "wrong wrong wrong"})
        for address in (alice.email, "nobody@aamu.example")
    )
    errors = [
        re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', page.content.decode(), re.S) for page in (known, unknown)
    ]
    assert errors[0] == errors[1] != []
    assert b"wrong wrong wrong" not in known.content


def test_nobody_signs_up_uninvited(client: Any) -> None:
    answer = client.post("/account/signup/", {"email": "x@x.example", "password1": "a long enough password"})
    assert b"By invitation only" in answer.content


def test_a_second_factor_is_set_up_used_and_turned_off(client: Any, alice: Any) -> None:
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert client.get(reverse("mfa_activate_totp")).headers["Location"].startswith("/account/reauthenticate/")
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    assert_whole(page)
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page.content.decode().replace("\n", " "))
    assert secret
    assert "data:image/svg+xml" in page.content.decode()
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_for(secret[1])})
    assert answer.status_code == 302
    for name in ("mfa_index", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_deactivate_totp"):
        assert_whole(client.get(reverse(name)))

    client.post("/account/logout/")
    answer = client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert answer.headers["Location"] == reverse("mfa_authenticate")
    assert client.get("/t/aamu/").status_code == 302  # half signed in is not signed in
    assert_whole(client.get(reverse("mfa_authenticate")))
    refused = client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert_whole(refused)
    assert client.get("/t/aamu/").status_code == 302


def test_a_forgotten_password_is_set_anew(client: Any, alice: Any, mailoutbox: list[Any]) -> None:
    answer = client.post("/account/password/reset/", {"email": alice.email}, follow=True)
    assert_whole(answer)
    link = re.search(r"http://[^/]+(/account/password/reset/key/\S+)", mailoutbox[0].body)
    assert link
    page = client.get(link[1], follow=True)
    assert_whole(page)
    client.post(
        page.redirect_chain[-1][0], {"password1": "nine slow boats at dusk", "password2": "nine slow boats at dusk"}
    )
    alice.refresh_from_db()
    assert alice.check_password("nine slow boats at dusk")
    assert_whole(client.get(link[1]))  # used up


def test_signing_out_ends_the_session(sign_in: Callable[..., Any], alice: Any) -> None:
    client = sign_in(alice)
    client.post("/account/logout/")
    assert client.get("/t/aamu/").status_code == 302


@pytest.mark.parametrize("address", ["alice@aamu.example", "nobody@aamu.example"])
def test_mails_carry_the_configured_address_whatever_host_asked(
    address: str, client: Any, alice: Any, mailoutbox: list[Any], settings: Any
) -> None:
    settings.ORIGIN = "https://pilotage.example"
    client.post(
        "/account/password/reset/",
        {"email": address},
        headers={"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"},
    )
    text = mailoutbox[0].subject + mailoutbox[0].body
    assert "127.0.0.1" not in text
    assert "evil.example" not in text
    links = re.findall(r"https?://\S+", text)
    assert all(link.startswith("https://pilotage.example/") for link in links)
    assert links or address != alice.email
