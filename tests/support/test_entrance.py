"""The one way into the staff pages: the portal's own sign-in, with the second factor used outside the demo."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.urls import reverse

from tests.conftest import PASSWORD, RoleClient

INDEX = "/admin/"


@pytest.fixture
def in_production(settings: Any) -> None:
    settings.DEMO = False


@pytest.fixture
def browser() -> RoleClient:
    return RoleClient()


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def with_totp(user: Any) -> str:
    """Sets up the second factor and returns its seed."""
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    TOTP.activate(user, secret)
    return secret


def sign_in_at_the_door(browser: RoleClient, email: str, address: str = INDEX) -> Any:
    door = browser.get(address)
    assert door.status_code == 302
    assert urlsplit(door["Location"]).path == reverse("account_login")
    return browser.post(door["Location"], {"login": email, "password": PASSWORD, "next": address})


def test_in_the_demo_a_password_is_enough(dana: Any, browser: RoleClient) -> None:
    answer = sign_in_at_the_door(browser, dana.email)
    assert answer["Location"] == INDEX
    assert browser.get(INDEX).status_code == 200


def test_the_asked_page_is_reached_after_the_sign_in(dana: Any, browser: RoleClient) -> None:
    address = reverse("admin:tenancy_tenant_changelist") + "?q=aamu"
    assert sign_in_at_the_door(browser, dana.email, address)["Location"] == address


@pytest.mark.usefixtures("in_production")
def test_without_a_second_factor_staff_are_told_whom_to_ask(dana: Any, ada: Any, browser: RoleClient) -> None:
    sign_in_at_the_door(browser, dana.email)
    for address in (INDEX, reverse("mfa_activate_totp")):
        answer = browser.get(address)
        assert answer.status_code == 403
        page = answer.content.decode()
        assert "Staff pages need a second factor" in page
        assert "Ada" in page
        assert ada.email not in page


@pytest.mark.usefixtures("in_production")
def test_setting_it_up_is_not_using_it(dana: Any, browser: RoleClient) -> None:
    """Whoever stole a signed-in session must not get in by adding a factor of their own and going on."""
    sign_in_at_the_door(browser, dana.email)
    with_totp(dana)
    answer = browser.get(INDEX)
    assert urlsplit(answer["Location"]).path == reverse("mfa_reauthenticate")


@pytest.mark.usefixtures("in_production")
def test_a_session_that_used_the_second_factor_gets_in(dana: Any, browser: RoleClient) -> None:
    secret = with_totp(dana)
    answer = sign_in_at_the_door(browser, dana.email)
    assert urlsplit(answer["Location"]).path == reverse("mfa_authenticate")
    answer = browser.post(answer["Location"], {"code": code_of(secret)})
    assert answer["Location"] == INDEX
    assert browser.get(INDEX).status_code == 200


@pytest.mark.usefixtures("in_production")
def test_a_session_from_before_is_asked_for_the_factor_and_then_gets_in(dana: Any, browser: RoleClient) -> None:
    sign_in_at_the_door(browser, dana.email)
    secret = with_totp(dana)
    challenge = browser.get(INDEX)["Location"]
    assert parse_qs(urlsplit(challenge).query) == {"next": [INDEX]}
    assert browser.post(challenge, {"code": "000000"}).status_code == 200
    assert browser.get(INDEX).status_code == 302
    answer = browser.post(challenge, {"code": code_of(secret)})
    assert answer["Location"] == INDEX
    assert browser.get(INDEX).status_code == 200


@pytest.mark.usefixtures("in_production")
def test_every_page_asks_not_only_the_first(dana: Any, browser: RoleClient, sign_in: Callable[..., Any]) -> None:
    half_way = sign_in(dana)
    for name in ("index", "search", "transport_requestlogentry_changelist", "tenancy_tenant_add", "jsi18n"):
        assert half_way.get(reverse(f"admin:{name}")).status_code == 403, name
        assert half_way.post(reverse(f"admin:{name}")).status_code == 403, name


def test_the_seed_is_sealed(dana: Any) -> None:
    secret = with_totp(dana)
    stored = Authenticator.objects.get(user=dana, type=Authenticator.Type.TOTP).data["secret"]
    assert secret not in stored
    assert get_adapter().decrypt(stored) == secret


def test_djangos_own_login_lets_nobody_in(dana: Any, browser: RoleClient) -> None:
    answer = browser.post(reverse("admin:login"), {"username": dana.email, "password": PASSWORD})
    assert answer.status_code == 302
    assert urlsplit(answer["Location"]).path == reverse("account_login")
    assert "_auth_user_id" not in browser.session


def test_a_customer_is_not_told_that_there_is_a_door(alice: Any, sign_in: Callable[..., Any]) -> None:
    customer = sign_in(alice)
    assert customer.get(reverse("admin:login")).status_code == 404
    assert customer.get(INDEX).content == customer.get("/nothing/here/").content


def test_signing_out_and_passwords_are_the_portals(dana: Any, sign_in: Callable[..., Any]) -> None:
    browser = sign_in(dana)
    assert browser.post(reverse("admin:logout"))["Location"] == reverse("account_logout")
    assert browser.get(reverse("admin:password_change"))["Location"] == reverse("account_change_password")
    page = browser.get(INDEX).content.decode()
    assert f'action="{reverse("account_logout")}"' in page


def test_a_post_without_its_token_is_refused(ada: Any, aamu: Any) -> None:
    browser = RoleClient(enforce_csrf_checks=True)
    browser.force_login(ada)
    answer = browser.post(reverse("admin:tenancy_tenant_suspend", args=[aamu.id]), {"sure": "yes"})
    assert answer.status_code == 403
    aamu.refresh_from_db()
    assert aamu.state == "active"


def test_who_looked_where_stands_in_the_log_but_not_what_for(
    dana: Any, sign_in: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="portal.admin_site")
    sign_in(dana).get(reverse("admin:search"), {"q": "somebody@aamu.example"})
    assert f"staff {dana.pk}: GET /admin/search/" in caplog.text
    assert "somebody" not in caplog.text
