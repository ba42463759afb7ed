"""What was pressed before a sign-in or a password was asked for: carried out once, for its person, and never for another site."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse

from portal.members.models import Invitation, Membership
from portal.members.pending_request import IN_SESSION, KEPT_SECONDS
from portal.members.request_labels import LABELS
from portal.rate_limits import database
from tests.conftest import PASSWORD, RoleClient, joined, person
from tests.factors import SEED, code_of
from tests.pages.crowd import ADDRESSES, Address, settle

pytestmark = pytest.mark.django_db

INVITE, TEAM = "/t/aamu/team/invite/", "/t/aamu/team/"
WHOM = {"email": "canary-invited@aamu.example", "role": "viewer"}
PRESSED = [address for address in ADDRESSES if address.method == "post"]
# Their forms may hold secrets, or what leaves for the provider: not kept, and the person is told.
NOT_KEPT = {"submit_credentials", "download_export"}
ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f-]{24,27}")


def invited() -> bool:
    return Invitation.objects.filter(email=WHOM["email"]).exists()


def confirm(client: RoleClient, asked: Any, password: str = PASSWORD) -> Any:
    """Give the password where one was sent to, as the page's own form does."""
    page = client.get(asked["Location"])
    wanted = re.search(r'name="next" value="([^"]+)"', page.content.decode())
    assert wanted
    return client.post(asked["Location"].split("?")[0], {"password": password, "next": wanted[1]})


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, ID.sub("ID", answer.headers.get("Location", ""))


# -- a password is asked for -------------------------------------------------------------------------------------------


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    joined(person("olga@aamu.example"), aamu, "owner")
    return settle(aamu, alice)


def test_every_press_that_asks_for_the_password_is_carried_out_by_it(
    every_button: None, sign_in: Callable[..., RoleClient], alice: Any, ids: dict[str, Any]
) -> None:
    ids = {**ids, "membership": Membership.objects.get(user__email="olga@aamu.example").id}
    asking, wrong = set(), {}
    for address in PRESSED:
        empty_counts()
        with transaction.atomic():
            direct = outcome(send(sign_in(alice), address, ids))
            transaction.set_rollback(True)
        with transaction.atomic():
            client = sign_in(alice, lately=False)
            asked = send(client, address, ids)
            if "reauthenticate" in asked.headers.get("Location", ""):
                asking.add(address.name)
                is_kept = "continue" in asked["Location"]
                answer = confirm(client, asked)
                expected = direct if is_kept else outcome(answer)
                if outcome(answer) != expected or is_kept == (address.name in NOT_KEPT):
                    wrong[address.name] = (outcome(answer), expected, is_kept)
            transaction.set_rollback(True)
    assert wrong == {}
    assert asking >= {
        "invite",
        "remove_member",
        "change_role",
        "revoke_invitation",
        "disconnect",
        "move_server",
        "start_login",
    }
    assert asking >= {"start_recording", "delete_recording", "decide_activation", *NOT_KEPT}


def empty_counts() -> None:
    """No limit is what is tried here."""
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM rate_limits_usage; DELETE FROM rate_limits_cacheentry")


def send(client: RoleClient, address: Address, ids: dict[str, Any]) -> Any:
    return client.post(address.url("aamu", ids), address.data)


def staff_buttons(tenant: Any, somebody: Any) -> list[tuple[str, dict[str, str]]]:
    return [
        (reverse("admin:tenancy_tenant_suspend", args=[tenant.id]), {"sure": "yes"}),
        (reverse("admin:members_user_change", args=[somebody.pk]), {"name": "Another", "is_active": "on"}),
        (reverse("admin:tenancy_tenant_add"), {"name": "New", "slug": "new", "owner_email": "o@new.example"}),
        (reverse("admin:tenancy_tenant_add"), {"name": "New", "slug": "Not a slug", "owner_email": "o@new.example"}),
        (reverse("admin:tenancy_tenant_changelist"), {"action": "suspend_chosen", "_selected_action": str(tenant.id)}),
        (reverse("admin:tenancy_tenant_invite", args=[tenant.id]), {"email": "n@new.example", "role": "viewer"}),
        (reverse("admin:members_user_make_link", args=[somebody.pk]), {}),
    ]


def test_so_is_every_press_of_staff(sign_in: Callable[..., RoleClient], ada: Any, aamu: Any, alice: Any) -> None:
    for address, form in staff_buttons(aamu, alice):
        with transaction.atomic():
            direct = sign_in(ada).post(address, form)
            transaction.set_rollback(True)
        with transaction.atomic():
            client = sign_in(ada, lately=False)
            answer = confirm(client, client.post(address, form))
            transaction.set_rollback(True)
        assert outcome(answer) == outcome(direct), address
        assert "reauthenticate" not in outcome(answer)[1], address
        if answer.status_code == 200:
            sent_to = re.findall(r"<form[^>]*method=\"post\"[^>]*>", answer.content.decode())
            assert [form for form in sent_to if "action=" not in form] == [], address


def test_the_page_that_asks_says_what_is_carried_out(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice, lately=False)
    page = client.get(client.post(INVITE, WHOM)["Location"]).content.decode()
    assert "Confirm that it is you, and it is carried out: Send an invitation." in page


def test_every_press_has_words() -> None:
    assert {address.name for address in PRESSED} - set(LABELS) == set()


def test_it_is_carried_out_by_the_second_factor_where_there_is_one(client: RoleClient, alice: Any) -> None:
    from tests.members.test_sessions import signed_in_long_ago_with_a_factor

    signed_in_long_ago_with_a_factor(client, alice)
    asked = client.post(INVITE, WHOM)["Location"]
    assert asked.startswith("/account/2fa/reauthenticate/")
    wanted = re.search(r'name="next" value="([^"]+)"', client.get(asked).content.decode())
    assert wanted
    assert client.post("/account/2fa/reauthenticate/", {"code": "000000", "next": wanted[1]}).status_code == 200
    assert not invited()
    answer = client.post("/account/2fa/reauthenticate/", {"code": code_of(SEED), "next": wanted[1]})
    assert answer["Location"] == TEAM
    assert invited()


def test_a_wrong_password_carries_nothing_out_and_the_right_one_does(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice, lately=False)
    asked = client.post(INVITE, WHOM)
    assert confirm(client, asked, "wrong wrong wrong").status_code == 200
    assert not invited()
    assert confirm(client, asked)["Location"] == TEAM
    assert invited()


def test_it_is_carried_out_once(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice, lately=False)
    asked = client.post(INVITE, WHOM)
    confirm(client, asked)
    Invitation.objects.all().delete()
    again = confirm(client, asked)
    assert "/continue/" in again["Location"]
    page = client.get(again["Location"], follow=True).content.decode()
    assert "What you pressed is no longer kept" in page
    assert not invited()


def test_another_tab_carries_out_its_own(sign_in: Callable[..., RoleClient], alice: Any, bob: Any) -> None:
    client = sign_in(alice, lately=False)
    first = client.post(INVITE, WHOM)
    client.post(f"/t/aamu/team/members/{Membership.objects.get(user=bob).id}/remove/")
    confirm(client, first)
    assert invited()
    assert Membership.objects.filter(user=bob).exists()


def test_a_password_that_is_asked_for_another_reason_carries_nothing_out(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice, lately=False)
    client.post(INVITE, WHOM)
    client.post("/account/reauthenticate/", {"password": PASSWORD, "next": TEAM})
    client.get(TEAM)
    assert not invited()


def test_it_is_not_carried_out_after_ten_minutes(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    now = datetime.now(timezone.utc)
    with time_machine.travel(now, tick=False):
        client = sign_in(alice, lately=False)
        asked = client.post(INVITE, WHOM)
    with time_machine.travel(now + timedelta(seconds=KEPT_SECONDS + 1), tick=False):
        answer = client.get(confirm(client, asked)["Location"], follow=True)
    assert not invited()
    assert "more than 10 minutes have passed" in answer.content.decode()


def test_who_has_lost_the_right_meanwhile_carries_nothing_out(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice, lately=False)
    asked = client.post(INVITE, WHOM)
    Membership.objects.filter(user=alice).update(role="operator")
    assert confirm(client, asked).status_code == 404
    assert not invited()


# -- what is kept, and where -------------------------------------------------------------------------------------------


def test_nothing_typed_stands_in_the_session_or_in_an_address(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice, lately=False)
    asked = client.post(INVITE, WHOM)
    assert "canary" not in asked["Location"]
    stored = Session.objects.get(session_key=client.session.session_key).get_decoded()
    assert len(stored[IN_SESSION]) == 1
    assert "canary" not in str(stored)


def test_what_may_hold_a_secret_is_not_kept_and_that_is_said(
    every_button: None, sign_in: Callable[..., RoleClient], alice: Any, ids: dict[str, Any]
) -> None:
    address = next(address for address in ADDRESSES if address.name == "submit_credentials")
    client = sign_in(alice, lately=False)
    asked = send(client, address, ids)
    assert IN_SESSION not in client.session
    assert "What you typed may hold a secret, so it was not kept" in client.get(asked["Location"]).content.decode()
    assert confirm(client, asked)["Location"].endswith("/checklist/api-key/")
    asked = client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": "x", "password2": "x"})
    assert IN_SESSION not in client.session


@pytest.mark.parametrize("by", ["token", "origin"])
def test_what_another_site_sent_is_neither_kept_nor_carried_out(
    by: str, sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice, lately=False)
    if by == "token":
        client.handler.enforce_csrf_checks = True
        answer = client.post(INVITE, WHOM, headers={"Origin": "https://evil.example"})
    else:
        answer = client.post(INVITE, WHOM, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "canary" not in answer.content.decode()
    assert IN_SESSION not in client.session


@pytest.mark.parametrize("method", ["options", "put", "delete", "trace"])
def test_no_other_method_becomes_a_press(
    method: str, sign_in: Callable[..., RoleClient], alice: Any, bob: Any
) -> None:
    """Of some of them no token is asked for."""
    client = sign_in(alice, lately=False)
    address = f"/t/aamu/team/members/{Membership.objects.get(user=bob).id}/remove/"
    getattr(client, method)(address)
    getattr(client, method)(reverse("admin:index"))
    assert IN_SESSION not in client.session
    assert Membership.objects.filter(user=bob).exists()


def test_what_somebody_else_pressed_is_not_carried_out(
    sign_in: Callable[..., RoleClient], alice: Any, aamu: Any
) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    theirs, own = sign_in(olga, lately=False), sign_in(alice, lately=False)
    asked = theirs.post(INVITE, WHOM)
    answer = confirm(own, asked)  # the number alone, in another session
    assert own.get(answer["Location"]).status_code == 302
    session = own.session  # and even with what that session holds
    session[IN_SESSION] = theirs.session[IN_SESSION]
    session.save()
    confirm(own, asked)
    assert not invited()
    assert own.get(f"/continue/{uuid4()}/").status_code == 302
