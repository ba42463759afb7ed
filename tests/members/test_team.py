"""The team: roles, the last owner, and a person who is asked once more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database

from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from portal.members import services
from portal.members.models import Invitation, Membership
from portal.members.permissions import Role
from portal.members.stepup import JOINED_AT
from tests.conftest import PASSWORD, joined, person
from tests.roles import acting_as


def of(user: Any) -> Membership:
    return Membership.objects.get(user=user)


def test_an_owner_changes_a_role(sign_in: Callable[..., Any], alice: Any, bob: Any) -> None:
    answer = sign_in(alice).post(f"/t/aamu/team/members/{of(bob).id}/role/", {"role": "viewer"}, follow=True)
    assert b"has the new role" in answer.content
    assert of(bob).role == Role.VIEWER
    event = AuditEvent.objects.get(action="member.role_changed")
    assert (event.details["before"], event.details["after"]) == ("operator", "viewer")


def test_an_owner_lets_somebody_go(sign_in: Callable[..., Any], alice: Any, bob: Any) -> None:
    sign_in(alice).post(f"/t/aamu/team/members/{of(bob).id}/remove/")
    assert not Membership.objects.filter(user=bob).exists()
    assert sign_in(bob).get("/t/aamu/").status_code == 404
    assert AuditEvent.objects.filter(action="member.removed", actor_name=alice.email).exists()


@pytest.mark.parametrize("action", ["role", "remove"])
def test_the_last_owner_stays(action: str, sign_in: Callable[..., Any], alice: Any, bob: Any) -> None:
    answer = sign_in(alice).post(f"/t/aamu/team/members/{of(alice).id}/{action}/", {"role": "viewer"}, follow=True)
    assert b"This is the last owner" in answer.content
    assert of(alice).role == Role.OWNER


def test_with_two_owners_one_may_leave(sign_in: Callable[..., Any], aamu: Any, alice: Any) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    sign_in(alice).post(f"/t/aamu/team/members/{of(alice).id}/remove/")
    assert not Membership.objects.filter(user=alice).exists()
    assert of(olga).role == Role.OWNER


@pytest.mark.parametrize("role", ["", "admin", "OWNER", "superuser"])
def test_an_invented_role_is_refused(role: str, sign_in: Callable[..., Any], alice: Any, bob: Any) -> None:
    sign_in(alice).post(f"/t/aamu/team/members/{of(bob).id}/role/", {"role": role})
    assert of(bob).role == Role.OPERATOR


def test_two_owners_who_demote_each_other_at_once_leave_one(committed_db: None, aamu: Any, alice: Any) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    gate = threading.Barrier(2)
    refused: list[str] = []

    def demote(target: Membership, actor: Any) -> None:
        try:
            with tenant_scope(aamu.id):
                gate.wait(10)
                services.change_role(membership=target, role=Role.VIEWER, actor=actor.actor, up_to=Role.OWNER)
        except services.NotAllowed as problem:
            refused.append(str(problem))
        finally:
            database.close()

    pairs = [(Membership.objects.select_related("user").get(user=a), b) for a, b in ((alice, olga), (olga, alice))]
    with acting_as("web"):
        threads = [threading.Thread(target=demote, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(refused) == 1
    assert Membership.objects.filter(tenant=aamu, role=Role.OWNER).count() == 1


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("invite/", {"email": "n@aamu.example", "role": "viewer"}),
        ("members/{bob}/role/", {"role": "viewer"}),
        ("members/{bob}/remove/", {}),
    ],
)
def test_who_has_not_shown_it_lately_is_asked_first(
    path: str, data: dict[str, str], sign_in: Callable[..., Any], alice: Any, bob: Any
) -> None:
    client = sign_in(alice, lately=False)
    answer = client.post("/t/aamu/team/" + path.format(bob=of(bob).id), data)
    assert answer.headers["Location"].startswith("/account/reauthenticate/?next=%2Fcontinue%2F")
    assert of(bob).role == Role.OPERATOR
    assert not Invitation.objects.exists()
    # Once confirmed, what was pressed is carried out, and the way leads back.
    [address] = parse_qs(urlsplit(answer.headers["Location"]).query)["next"]
    confirmed = client.post(answer.headers["Location"], {"password": PASSWORD, "next": address})
    assert confirmed.headers["Location"] == "/t/aamu/team/"
    assert Invitation.objects.exists() or not Membership.objects.filter(user=bob, role=Role.OPERATOR).exists()


def test_signing_in_counts_for_five_minutes(client: Any, alice: Any) -> None:
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    data = {"email": "n@aamu.example", "role": "viewer"}
    assert client.post("/t/aamu/team/invite/", data).headers["Location"] == "/t/aamu/team/"
    session = client.session
    session["account_authentication_methods"] = [
        {**record, "at": time.time() - 301} for record in session["account_authentication_methods"]
    ]
    session.save()
    assert JOINED_AT not in session
    assert "reauthenticate" in client.post("/t/aamu/team/invite/", data).headers["Location"]


def test_one_may_set_ones_name_and_zone(sign_in: Callable[..., Any], alice: Any) -> None:
    client = sign_in(alice)
    client.post("/you/", {"name": "Alice A.", "time_zone": "Europe/Stockholm"})
    alice.refresh_from_db()
    assert (alice.name, alice.time_zone) == ("Alice A.", "Europe/Stockholm")
    answer = client.post("/you/", {"name": "Alice B.", "time_zone": "Mars/Olympus"})
    assert b'value="Alice B."' in answer.content
    assert b"id_time_zone_error" in answer.content
    alice.refresh_from_db()
    assert alice.name == "Alice A."
