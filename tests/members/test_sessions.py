"""Sessions end: by idleness, by age, and for good by every change of who somebody is or what they may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.urls import reverse

from connections.tenancy.scope import tenant_scope
from portal.members import services
from portal.members.models import Membership, User
from portal.members.permissions import Role
from portal.members.sessions import ACTIVE_AT, LIST_STEP_SECONDS, LISTED_AT, STARTED_AT
from portal.members.stepup import JOINED_AT
from tests.conftest import PASSWORD, RoleClient, joined, person
from tests.factors import SEED, code_of, with_totp

HOURS, DAYS = 3600, 24 * 3600
HOME, ADMIN = "/t/aamu/", "/admin/"


def moved(client: RoleClient, key: str, seconds: float) -> None:
    """As if that moment of the session lay further back."""
    session = client.session
    session[key] -= seconds
    session.save()


@pytest.mark.parametrize(
    ("who", "key", "limit"),
    [
        ("dana", ACTIVE_AT, 30 * 60),
        ("dana", STARTED_AT, 12 * HOURS),
        ("alice", ACTIVE_AT, 12 * HOURS),
        ("alice", STARTED_AT, 14 * DAYS),
    ],
)
def test_a_session_ends_at_its_limit_and_not_before(
    who: str, key: str, limit: int, aamu: Any, request: Any, sign_in: Callable[..., RoleClient]
) -> None:
    page = ADMIN if who == "dana" else HOME
    client = sign_in(request.getfixturevalue(who))
    client.get(page)
    moved(client, key, limit - 20)
    assert client.get(page).status_code == 200
    moved(client, key, limit + 20)
    answer = client.get(page, follow=True)
    assert answer.redirect_chain[0][0].startswith("/account/login/")
    assert "too much time has passed" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_page_that_asks_by_itself_keeps_no_session_alive(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice)
    client.get(HOME)
    moved(client, ACTIVE_AT, 11 * HOURS)
    before = client.session[ACTIVE_AT]
    client.get(HOME, headers={"HX-Request": "true"})
    assert client.session[ACTIVE_AT] == before
    moved(client, ACTIVE_AT, 2 * HOURS)
    answer = client.get(HOME, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")
    assert client.get(HOME).status_code == 302


def test_signing_in_begins_the_age_and_confirming_does_not(client: RoleClient, alice: Any) -> None:
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    moved(client, STARTED_AT, 5 * HOURS)
    before = client.session[STARTED_AT]
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    client.get(HOME)
    assert client.session[STARTED_AT] == before


def test_confirming_gives_the_session_a_new_key_and_the_old_one_is_dead(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice, lately=False)
    old = RoleClient()
    old.cookies = client.cookies.copy()
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert client.get(HOME).status_code == 200
    assert old.get(HOME).status_code == 302


# -- changes of rights -------------------------------------------------------------------------------------------------


def of(user: Any) -> Membership:
    return Membership.objects.get(user=user)


@pytest.mark.parametrize("to", ["owner", "viewer"])
def test_a_change_of_role_ends_the_sessions_of_that_person(
    to: str, sign_in: Callable[..., RoleClient], alice: Any, bob: Any, vera: Any
) -> None:
    theirs, others = sign_in(bob), sign_in(vera)
    sign_in(alice).post(f"/t/aamu/team/members/{of(bob).id}/role/", {"role": to})
    assert of(bob).role == to
    assert theirs.get(HOME).status_code == 302
    assert others.get(HOME).status_code == 200


def test_the_end_of_a_membership_ends_the_sessions(sign_in: Callable[..., RoleClient], alice: Any, bob: Any) -> None:
    theirs = sign_in(bob)
    sign_in(alice).post(f"/t/aamu/team/members/{of(bob).id}/remove/")
    assert theirs.get("/you/").status_code == 302


def test_who_changes_their_own_rights_goes_on_under_a_new_key(
    sign_in: Callable[..., RoleClient], aamu: Any, alice: Any
) -> None:
    joined(person("olga@aamu.example"), aamu, "owner")
    here, elsewhere = sign_in(alice), sign_in(alice)
    before = here.session.session_key
    here.post(f"/t/aamu/team/members/{of(alice).id}/role/", {"role": "viewer", "sure": "yes"})
    assert here.get(HOME).status_code == 200
    assert here.session.session_key != before
    assert elsewhere.get(HOME).status_code == 302


def test_joining_a_company_gives_the_session_a_new_key(
    sign_in: Callable[..., RoleClient], aamu: Any, alice: Any, charlie: Any
) -> None:
    with tenant_scope(aamu.id):
        address = services.invite(
            tenant=aamu, email=charlie.email, role=Role.VIEWER, actor=alice.actor, up_to=Role.OWNER
        )
    here, elsewhere = sign_in(charlie), sign_in(charlie)
    before = here.session.session_key
    here.post("/" + address.split("/", 3)[3])
    assert here.get(HOME).status_code == 200
    assert here.session.session_key != before
    assert elsewhere.get(HOME).status_code == 302


@pytest.mark.parametrize(
    ("form", "undone"),
    [
        ({"staff_role": ""}, {"staff_role": "", "is_active": "on"}),
        ({"staff_role": "support", "is_active": "on"}, {"staff_role": "", "is_active": "on"}),
    ],
    ids=["switched off", "made staff"],
)
def test_an_old_cookie_stays_dead_when_the_change_is_undone(
    form: dict[str, str], undone: dict[str, str], sign_in: Callable[..., RoleClient], alice: Any, ada: Any
) -> None:
    old = sign_in(alice)
    key = old.session.session_key
    admin, page = sign_in(ada), reverse("admin:members_user_change", args=[alice.pk])
    admin.post(page, {"name": alice.name, **form})
    admin.post(page, {"name": alice.name, **undone})
    alice.refresh_from_db()
    assert (alice.is_active, alice.staff_role) == (True, "")
    assert old.cookies["session"].value == key
    assert old.get(HOME).status_code == 302


# -- the step-up -------------------------------------------------------------------------------------------------------


def signed_in_long_ago_with_a_factor(client: RoleClient, user: Any) -> None:
    with_totp(user)
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    client.post(reverse("mfa_authenticate"), {"code": code_of(SEED, 1)})
    session = client.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{**record, "at": record["at"] - 301} for record in records]
    session.save()


def test_a_password_is_no_proof_of_a_second_factor_that_was_used_long_ago(client: RoleClient, alice: Any) -> None:
    signed_in_long_ago_with_a_factor(client, alice)
    data = {"email": "n@aamu.example", "role": "viewer"}
    address = client.post("/t/aamu/team/invite/", data)["Location"]
    assert address.startswith(reverse("mfa_reauthenticate"))
    by_password = client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert by_password["Location"].startswith(reverse("mfa_reauthenticate"))
    session = client.session  # as if a password had been taken all the same
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        *records,
        {"method": "password", "at": records[0]["at"] + 301, "reauthenticated": True},
    ]
    session[JOINED_AT] = records[0]["at"] + 301
    session.save()
    assert client.post("/t/aamu/team/invite/", data)["Location"].startswith(reverse("mfa_reauthenticate"))


def test_the_factor_itself_is(client: RoleClient, alice: Any) -> None:
    signed_in_long_ago_with_a_factor(client, alice)
    client.post(reverse("mfa_reauthenticate"), {"code": code_of(SEED)})
    answer = client.post("/t/aamu/team/invite/", {"email": "n@aamu.example", "role": "viewer"})
    assert answer["Location"] == "/t/aamu/team/"


def test_staffs_changes_ask_again(sign_in: Callable[..., RoleClient], ada: Any, aamu: Any, alice: Any) -> None:
    admin = sign_in(ada, lately=False)
    buttons = [
        (reverse("admin:tenancy_tenant_suspend", args=[aamu.id]), {"sure": "yes"}),
        (reverse("admin:members_user_change", args=[alice.pk]), {"name": "A", "staff_role": "admin"}),
        (reverse("admin:tenancy_tenant_add"), {"name": "New", "slug": "new", "owner_email": "o@new.example"}),
        (reverse("admin:tenancy_tenant_changelist"), {"action": "suspend_chosen", "_selected_action": str(aamu.id)}),
    ]
    for address, form in buttons:
        answer = admin.post(address, form, headers={"Referer": f"http://testserver{address}"})
        assert answer["Location"].startswith("/account/reauthenticate/?next=%2Fcontinue%2F"), address
        page = admin.get(urlsplit(parse_qs(urlsplit(answer["Location"]).query)["next"][0]).path).content.decode()
        assert f'href="{address}"' in page, "where the form stood"
    aamu.refresh_from_db()
    alice.refresh_from_db()
    assert (aamu.state, alice.staff_role) == ("active", "")
    assert admin.get(reverse("admin:tenancy_tenant_change", args=[aamu.id])).status_code == 200  # looking is free
    far = admin.post(buttons[0][0], headers={"Referer": "https://evil.example/admin/"})
    [address] = parse_qs(urlsplit(far["Location"]).query)["next"]
    assert 'href="/admin/"' in admin.get(address).content.decode()


def test_an_admin_with_a_factor_of_long_ago_changes_nothing_by_a_password(
    client: RoleClient, ada: Any, aamu: Any, settings: Any
) -> None:
    settings.DEMO = False
    signed_in_long_ago_with_a_factor(client, ada)
    assert client.get(ADMIN).status_code == 200
    answer = client.post(reverse("admin:tenancy_tenant_suspend", args=[aamu.id]), {"sure": "yes"})
    assert answer["Location"].startswith(reverse("mfa_reauthenticate"))


def test_the_epoch_is_part_of_what_a_session_is_checked_against(alice: Any) -> None:
    before = alice.get_session_auth_hash()
    alice.session_epoch += 1
    assert alice.get_session_auth_hash() != before
    assert User(password=alice.password, session_epoch=0).get_session_auth_hash() == before


def listed(client: RoleClient, **headers: str) -> UserSession | None:
    """What the list of sessions says about this client's one, after another page."""
    assert client.get(HOME, headers=headers).status_code == 200
    return UserSession.objects.filter(session_key=client.session.session_key).first()


def test_the_list_of_sessions_is_written_every_few_minutes(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice)
    first = listed(client)
    assert first is not None
    assert listed(client).last_seen_at == first.last_seen_at
    moved(client, LISTED_AT, LIST_STEP_SECONDS)
    assert listed(client).last_seen_at > first.last_seen_at


def test_the_list_of_sessions_is_not_written_by_a_page_that_asks_by_itself(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice)
    assert listed(client, **{"HX-Request": "true"}) is None
    first = listed(client)
    moved(client, LISTED_AT, LIST_STEP_SECONDS)
    assert listed(client, **{"HX-Request": "true"}).last_seen_at == first.last_seen_at


def test_another_browser_and_another_key_of_a_session_are_listed_at_once(
    sign_in: Callable[..., RoleClient], alice: Any
) -> None:
    client = sign_in(alice)
    listed(client)
    assert listed(client, **{"User-Agent": "Another/2"}).user_agent == "Another/2"
    session = client.session
    session.cycle_key()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert listed(client) is not None


def test_a_session_that_was_ended_in_the_list_is_over_at_once(sign_in: Callable[..., RoleClient], alice: Any) -> None:
    client = sign_in(alice)
    listed(client).end()
    assert client.get(HOME).status_code == 302
    assert client.get(HOME, headers={"HX-Request": "true"}).status_code == 302
    assert UserSession.objects.filter(user=alice).count() == 0
