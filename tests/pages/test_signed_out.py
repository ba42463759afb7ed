"""Who is no longer signed in comes back to what they sent, sees it alone, and sends it themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse

from connections.tenancy.models import Tenant
from portal.members.sessions import ACTIVE_AT
from tests.conftest import PASSWORD, RoleClient, joined, person
from tests.pages.test_pending_request import INVITE, TEAM, WHOM, invited

pytestmark = pytest.mark.django_db


def signed_out(alice: Any) -> RoleClient:
    """A browser in which she signed in once, with a session that is over."""
    client = RoleClient()
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    session = client.session
    session[ACTIVE_AT] = 0.0
    session.save()
    return client


def sign_in_again(client: RoleClient, asked: Any, who: Any) -> Any:
    page = client.get(asked["Location"])
    wanted = re.search(r'name="next" value="([^"]+)"', page.content.decode())
    assert wanted
    return client.post("/account/login/", {"login": who.email, "password": PASSWORD, "next": wanted[1]})


def send_on(client: RoleClient, page: str) -> Any:
    """Press the button of the page that keeps what was sent."""
    form = re.search(r'<main.*?<form method="post" action="([^"]+)">(.*?)</form>', page, re.S)
    assert form
    return client.post(
        form[1], dict(re.findall(r'<input type="hidden" name="(?!csrf)([^"]+)" value="([^"]*)"', form[2]))
    )


def test_who_was_signed_out_comes_back_to_what_they_sent(alice: Any) -> None:
    client = signed_out(alice)
    asked = client.post(INVITE, WHOM, headers={"Referer": f"http://testserver{TEAM}"})
    assert asked["Location"].startswith("/account/login/?next=/continue/")
    assert "Sign in, and send it from the next page." in client.get(asked["Location"]).content.decode()
    answer = sign_in_again(client, asked, alice)
    page = client.get(answer["Location"]).content.decode()
    assert "Send an invitation" in page
    assert not invited(), "nothing is carried out by a sign-in alone"
    assert f'href="{TEAM}"' in page
    assert send_on(client, page)["Location"] == TEAM
    assert invited()


def test_so_does_whose_cookies_are_gone_but_for_the_one_that_knows_the_browser(alice: Any) -> None:
    client = signed_out(alice)
    del client.cookies["session"]
    client.cookies.pop("csrf", None)
    client.handler.enforce_csrf_checks = True
    asked = client.post(INVITE, WHOM, headers={"Sec-Fetch-Site": "same-origin"})
    assert asked["Location"].startswith("/account/login/?next=/continue/")
    client.handler.enforce_csrf_checks = False
    page = client.get(sign_in_again(client, asked, alice)["Location"]).content.decode()
    assert WHOM["email"] in page


def test_somebody_else_who_signs_in_there_does_not_see_it(alice: Any, aamu: Any) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    client = signed_out(alice)
    asked = client.post(INVITE, WHOM)
    page = client.get(sign_in_again(client, asked, olga)["Location"], follow=True).content.decode()
    assert WHOM["email"] not in page


def test_a_stranger_makes_no_row(client: RoleClient, alice: Any) -> None:
    before = Session.objects.count()
    asked = client.post(INVITE, WHOM, headers={"Referer": f"http://testserver{TEAM}"})
    assert asked["Location"] == f"/account/login/?next={TEAM}"
    assert "What you typed was not kept" in client.get(asked["Location"]).content.decode()
    assert Session.objects.count() == before


@pytest.mark.parametrize(
    "referer", ["", "https://evil.example/t/aamu/", "http://testserver//evil.example/", "http://testserver/\\evil"]
)
def test_nobody_is_led_off_the_site(referer: str, client: RoleClient, alice: Any) -> None:
    asked = client.post(INVITE, WHOM, headers={"Referer": referer})
    assert asked["Location"] == "/account/login/?next=/"


def test_staff_who_were_signed_out_come_back_to_what_they_sent(ada: Any, aamu: Any) -> None:
    client = signed_out(ada)
    address = reverse("admin:tenancy_tenant_suspend", args=[aamu.id])
    asked = client.post(address, {"sure": "yes"})
    page = client.get(sign_in_again(client, asked, ada)["Location"]).content.decode()
    assert Tenant.objects.get(id=aamu.id).state == "active"
    send_on(client, page)
    assert Tenant.objects.get(id=aamu.id).state == "suspended"


def test_a_form_whose_token_is_old_can_be_sent_from_the_page_that_says_so(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice)
    client.handler.enforce_csrf_checks = True
    answer = client.post(INVITE, WHOM, headers={"Origin": "http://testserver"})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "The form was too old" in page
    client.handler.enforce_csrf_checks = False
    send_on(client, page)
    assert invited()


def test_an_old_form_of_a_page_for_strangers_opens_anew(client: RoleClient) -> None:
    client.handler.enforce_csrf_checks = True
    answer = client.post(
        "/account/login/",
        {"login": "a@b.example", "password": "canary"},
        headers={"Origin": "http://testserver", "Referer": "http://testserver/account/login/?next=/you/"},
    )
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "canary" not in page
    assert 'href="/account/login/?next=/you/"' in page


def test_what_was_kept_over_a_sign_in_is_never_carried_out_by_a_password(alice: Any) -> None:
    client = signed_out(alice)
    asked = client.post(INVITE, WHOM)
    [wanted] = parse_qs(urlsplit(asked["Location"]).query)["next"]
    sign_in_again(client, asked, alice)
    client.post("/account/reauthenticate/", {"password": PASSWORD, "next": wanted})
    assert not invited()
