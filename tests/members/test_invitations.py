"""Invitations: who may send what, one use, one address, seven days, and a link that tells a stranger nothing."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from connections.tenancy.models import AuditEvent, Lookup, Tenant, TenantState
from connections.tenancy.scope import tenant_scope
from portal.members import services
from portal.members.models import Invitation, Membership, User
from portal.members.permissions import Role
from portal.notices.outbox import sent_mails
from tests.conftest import PASSWORD, joined, person
from tests.roles import acting_as

NEW = {"name": "Nelli Niemi", "password": "seven quiet herons by the lake"}


def invited(tenant: Any, owner: Any, email: str = "nelli@aamu.example", role: Role = Role.OPERATOR) -> str:
    """The path of a fresh invitation."""
    with tenant_scope(tenant.id):
        address = services.invite(tenant=tenant, email=email, role=role, actor=owner.actor, up_to=Role.OWNER)
    assert address.startswith(settings.ORIGIN)
    return address.removeprefix(settings.ORIGIN)


def test_an_invitation_sets_a_password_and_signs_in(client: Any, aamu: Any, alice: Any) -> None:
    path = invited(aamu, alice)
    page = client.get(path)
    assert page.status_code == 200
    assert b"Aamu Oy" in page.content
    answer = client.post(path, NEW)
    assert answer.status_code == 302
    assert client.get("/").headers["Location"] == "/t/aamu/"
    nelli = User.objects.get(email="nelli@aamu.example")
    assert nelli.check_password(NEW["password"])
    assert nelli.name == "Nelli Niemi"
    assert Membership.objects.get(user=nelli).role == Role.OPERATOR
    assert nelli.emailaddress_set.get().verified  # type: ignore[attr-defined]
    assert AuditEvent.objects.filter(action="invitation.accepted", actor_name=nelli.email).exists()


def test_the_new_person_signs_in_with_the_password_later(client: Any, aamu: Any, alice: Any) -> None:
    client.post(invited(aamu, alice), NEW)
    client.logout()
    answer = client.post("/account/login/", {"login": "nelli@aamu.example", "password": NEW["password"]})
    assert answer.headers["Location"] == "/"


def test_only_a_hash_of_the_token_is_kept(aamu: Any, alice: Any) -> None:
    token = invited(aamu, alice).split("/")[2]
    assert len(token) >= 43  # 32 random bytes
    row = Invitation.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT to_jsonb(i)::text FROM members_invitation i UNION SELECT to_jsonb(l)::text FROM tenancy_lookup l"
        )
        assert all(token not in text for (text,) in cursor.fetchall())
        cursor.execute("SELECT to_jsonb(a)::text FROM tenancy_auditevent a")
        assert all(token not in text for (text,) in cursor.fetchall())


def test_the_mail_carries_the_configured_address_whatever_host_asked(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, work_off: Callable[..., int], settings: Any
) -> None:
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"  # Django's test runner puts its own there
    sign_in(alice).post(
        "/t/aamu/team/invite/",
        {"email": "nelli@aamu.example", "role": "viewer"},
        headers={"Host": "localhost", "X-Forwarded-Host": "evil.example"},
    )
    work_off()
    mail = next(mail for mail in sent_mails(settings.DEMO_MAIL_DIR) if mail.to == "nelli@aamu.example")
    assert "Aamu Oy" in mail.subject
    assert "evil.example" not in mail.body
    match = re.search(re.escape(settings.ORIGIN) + r"/invitations/([\w-]+)/", mail.body)
    assert match
    assert Lookup.objects.filter(digest=hashlib.sha256(match[1].encode()).hexdigest(), tenant=aamu).exists()


@pytest.mark.parametrize("spoiled", ["wrong", "used", "withdrawn", "old", "suspended"])
def test_a_link_that_cannot_be_used_answers_alike(spoiled: str, client: Any, aamu: Any, alice: Any) -> None:
    path = invited(aamu, alice)
    row = Invitation.objects.get()
    if spoiled == "used":
        client.post(path, NEW)
        client.logout()
    elif spoiled == "withdrawn":
        with tenant_scope(aamu.id):
            services.revoke(invitation=row, actor=alice.actor)
    elif spoiled == "old":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif spoiled == "suspended":
        Tenant.objects.filter(id=aamu.id).update(state=TenantState.SUSPENDED)
    else:
        path = path[:-2] + ("A" if path[-2] != "A" else "B") + "/"
    invented = client.get("/invitations/" + "x" * 43 + "/")
    people = User.objects.count()
    for method in (client.get, client.post):
        answer = method(path, NEW)
        assert answer.status_code == 404
        assert answer.content == invented.content
    assert User.objects.count() == people


def test_whoever_joined_by_a_link_is_led_on_by_it(client: Any, aamu: Any, alice: Any, sign_in: Any) -> None:
    path = invited(aamu, alice)
    client.post(path, NEW)
    for answer in (client.get(path), client.post(path, NEW), client.get(path, headers={"Sec-Purpose": "prefetch"})):
        assert (answer.status_code, answer.headers["Location"]) == (302, "/t/aamu/")
    assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1
    assert sign_in(alice).get(path).status_code == 404  # to everybody else it tells nothing
    nelli = User.objects.get(email="nelli@aamu.example")
    Membership.objects.filter(user=nelli).delete()
    assert sign_in(nelli).get(path).status_code == 404


def test_the_button_of_an_invitation_may_be_pressed_twice(
    committed_db: Any, aamu: Any, alice: Any, bob: Any, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both presses found the invitation waiting."""
    Membership.objects.filter(user=bob).delete()
    client = sign_in(bob)
    path = invited(aamu, alice, email=bob.email)
    accept = services.accept

    def late(**offered: Any) -> None:
        monkeypatch.setattr(services, "accept", accept)
        assert client.post(path).headers["Location"] == "/t/aamu/"
        accept(**offered)

    monkeypatch.setattr(services, "accept", late)
    other = sign_in(bob)
    assert other.post(path).headers["Location"] == "/t/aamu/"
    assert Membership.objects.filter(user=bob).count() == 1


def test_an_invitation_lives_seven_days(aamu: Any, alice: Any) -> None:
    invited(aamu, alice)
    lifetime = Invitation.objects.get().expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < lifetime <= timedelta(days=7)


def test_looking_at_the_link_uses_nothing_up(client: Any, aamu: Any, alice: Any) -> None:
    path = invited(aamu, alice)
    for _ in range(3):  # a mail scanner follows links
        assert client.get(path).status_code == 200
    assert Invitation.objects.get().accepted_at is None


def test_the_role_and_the_address_come_from_the_invitation_and_not_from_the_form(
    client: Any, aamu: Any, alice: Any
) -> None:
    client.post(
        invited(aamu, alice, role=Role.VIEWER),
        {**NEW, "role": "owner", "email": "evil@evil.example", "tenant": "kaste", "staff_role": "admin"},
    )
    nelli = User.objects.get(email="nelli@aamu.example")
    assert Membership.objects.get(user=nelli).role == Role.VIEWER
    assert nelli.staff_role == ""
    assert not User.objects.filter(email="evil@evil.example").exists()


def test_somebody_else_who_is_signed_in_cannot_take_it(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, charlie: Any
) -> None:
    path = invited(aamu, alice)
    client = sign_in(charlie)
    for method in (client.get, client.post):
        answer = method(path)
        assert answer.status_code == 403
        assert b"nelli" not in answer.content
        assert b"Aamu" not in answer.content
    assert not Membership.objects.filter(tenant=aamu, user=charlie).exists()
    assert Invitation.objects.get().accepted_at is None


def test_a_person_who_signs_in_already_joins_with_one_press(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, charlie: Any
) -> None:
    path = invited(aamu, alice, email="Charlie@Kaste.example", role=Role.VIEWER)
    client = sign_in(charlie)
    assert client.get(path).status_code == 200
    assert client.post(path).headers["Location"] == "/t/aamu/"
    assert Membership.objects.get(tenant=aamu, user=charlie).role == Role.VIEWER
    assert client.get(path).headers["Location"] == "/t/aamu/"
    assert sign_in(alice).get(path).status_code == 404


def test_an_address_that_signs_in_already_gets_no_second_person(client: Any, aamu: Any, alice: Any) -> None:
    path = invited(aamu, alice)
    person("nelli@aamu.example", name="Nelli")
    answer = client.post(path, {**NEW, "password": "another long password here"})
    assert answer.status_code == 200
    assert b"Sign in first" in answer.content
    nelli = User.objects.get(email="nelli@aamu.example")
    assert nelli.check_password(PASSWORD)
    assert Invitation.objects.get().accepted_at is None


@pytest.mark.parametrize("password", ["short", "password1234", "nelli@aamu.example"])
def test_a_weak_password_is_refused_at_its_field_and_never_shown(
    password: str, client: Any, aamu: Any, alice: Any
) -> None:
    answer = client.post(invited(aamu, alice), {"name": "Nelli Niemi", "password": password})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Nelli Niemi"' in page
    assert 'id="id_password_error"' in page
    assert f'value="{password}"' not in page.replace('value="nelli@aamu.example" readonly', "")
    assert not User.objects.filter(email="nelli@aamu.example").exists()


def test_inviting_anew_withdraws_the_first_link(client: Any, aamu: Any, alice: Any) -> None:
    first, second = invited(aamu, alice), invited(aamu, alice)
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200


def test_who_is_a_member_already_is_not_invited(sign_in: Callable[..., Any], aamu: Any, alice: Any, bob: Any) -> None:
    answer = sign_in(alice).post("/t/aamu/team/invite/", {"email": "BOB@aamu.example", "role": "viewer"})
    assert b"a member already" in answer.content
    assert b"BOB@aamu.example" in answer.content  # what was typed is kept
    assert not Invitation.objects.exists()


def test_nobody_gives_more_than_their_own_role(aamu: Any, bob: Any) -> None:
    with tenant_scope(aamu.id), pytest.raises(services.NotAllowed):
        services.invite(tenant=aamu, email="x@aamu.example", role=Role.OWNER, actor=bob.actor, up_to=Role.OPERATOR)
    assert not Invitation.objects.exists()


def test_the_invitations_of_a_member_end_with_the_membership(client: Any, aamu: Any, alice: Any) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    path = invited(aamu, olga)
    with tenant_scope(aamu.id):
        services.remove(membership=Membership.objects.get(user=olga), actor=alice.actor, up_to=Role.OWNER)
    assert client.get(path).status_code == 404


def test_staff_invite_within_their_own_scope(aamu: Any, ada: Any) -> None:
    from connections.tenancy.scope import staff_scope

    with acting_as("web"), staff_scope():
        services.invite(tenant=aamu, email="first@aamu.example", role=Role.OWNER, actor=ada.actor, up_to=Role.OWNER)
    assert Invitation.objects.get().email == "first@aamu.example"


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_who_accept_at_once_one_gets_in(attempt: int, committed_db: None, aamu: Any, alice: Any) -> None:
    path = invited(aamu, alice)
    token = path.split("/")[2]
    gate, outcomes = threading.Barrier(2), []

    def accept(name: str) -> None:
        try:
            with services.opened(token) as offer:
                assert offer is not None
                gate.wait(10)
                services.accept_as_new(offer=offer, name=name, password=NEW["password"])
            outcomes.append(name)
        except services.NotAllowed:
            outcomes.append("refused")
        finally:
            database.close()

    with acting_as("web"):
        threads = [threading.Thread(target=accept, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(outcomes) == 2
    assert outcomes.count("refused") == 1
    assert Membership.objects.filter(user__email="nelli@aamu.example").count() == 1
    assert User.objects.filter(email="nelli@aamu.example").count() == 1


def test_what_is_withdrawn_between_the_look_and_the_press_is_not_accepted(aamu: Any, alice: Any) -> None:
    token = invited(aamu, alice).split("/")[2]
    with acting_as("web"), services.opened(token) as offer:
        assert offer is not None
        services.revoke(invitation=Invitation.objects.get(id=offer.id), actor=alice.actor)
        with pytest.raises(services.NotAllowed):
            services.accept_as_new(offer=offer, name="Nelli", password=NEW["password"])
    assert not User.objects.filter(email="nelli@aamu.example").exists()


# -- people are matched by who they are, not by what they are called ---------------------------------------------------


def renamed(user: Any, email: str) -> None:
    """The person signs in with another address from now on."""
    EmailAddress.objects.filter(user=user).update(email=email)
    User.objects.filter(pk=user.pk).update(email=email)
    user.refresh_from_db()


@pytest.mark.parametrize("end", ["removed", "lowered"])
def test_a_removed_owner_does_not_come_back_by_an_invitation_sent_under_another_address(
    end: str, client: Any, aamu: Any, alice: Any
) -> None:
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    path = invited(aamu, olga, email="second@olga.example", role=Role.OWNER)
    renamed(olga, "olga@new.example")
    membership = Membership.objects.select_related("user").get(user=olga)
    with tenant_scope(aamu.id):
        if end == "removed":
            services.remove(membership=membership, actor=alice.actor, up_to=Role.OWNER)
        else:
            services.change_role(membership=membership, role=Role.VIEWER, actor=alice.actor, up_to=Role.OWNER)
    assert client.get(path).status_code == 404
    assert client.post(path, NEW).status_code == 404
    assert Membership.objects.filter(tenant=aamu, role=Role.OWNER).count() == 1


@pytest.mark.parametrize("how", ["gone", "lowered", "switched off"])
def test_an_invitation_falls_with_its_inviter_whatever_path_took_the_right(
    how: str, client: Any, aamu: Any, alice: Any
) -> None:
    """Written past our services, as an upgrade from before or a hand in the database would leave it."""
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    path = invited(aamu, olga)
    if how == "gone":
        Membership.objects.filter(user=olga).delete()
    elif how == "lowered":
        Membership.objects.filter(user=olga).update(role=Role.VIEWER)
    else:
        User.objects.filter(pk=olga.pk).update(is_active=False)
    assert client.get(path).status_code == 404


def test_the_invitations_of_others_stay(client: Any, aamu: Any, alice: Any) -> None:
    """Even of somebody who has the removed person's old address by now."""
    olga = joined(person("olga@aamu.example"), aamu, "owner")
    path = invited(aamu, alice)
    renamed(olga, "olga@new.example")
    renamed(alice, "olga@aamu.example")
    with tenant_scope(aamu.id):
        services.remove(
            membership=Membership.objects.select_related("user").get(user=olga), actor=alice.actor, up_to=Role.OWNER
        )
    assert client.get(path).status_code == 200


def test_an_invitation_is_for_whoever_has_confirmed_the_address(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, charlie: Any
) -> None:
    path = invited(aamu, alice, email="second@kaste.example", role=Role.VIEWER)
    EmailAddress.objects.create(user=charlie, email="second@kaste.example", verified=False)
    assert sign_in(charlie).post(path).status_code == 403
    EmailAddress.objects.filter(email="second@kaste.example").update(verified=True)
    assert sign_in(charlie).post(path).headers["Location"] == "/t/aamu/"


def test_a_member_is_known_by_a_second_address_too(aamu: Any, alice: Any, bob: Any) -> None:
    EmailAddress.objects.create(user=bob, email="bob@home.example", verified=True)
    with pytest.raises(services.NotAllowed):
        invited(aamu, alice, email="bob@home.example")
