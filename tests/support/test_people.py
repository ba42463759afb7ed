"""People for staff: found by e-mail; only admins say who is staff, and nobody says so of themselves."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.admin.models import LogEntry
from django.db import connection as database
from django.urls import reverse

from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import staff_scope, tenant_scope
from portal.members import staff
from portal.members.models import Invitation, Membership, User
from portal.members.permissions import Role, StaffRole
from portal.members.services import NotAllowed, invite
from tests.conftest import person
from tests.roles import acting_as
from tests.support.pages import Page


def page_of(user: User) -> str:
    return reverse("admin:members_user_change", args=[user.pk])


def test_a_person_is_found_by_e_mail(alice: Any, charlie: Any, dana: Any, sign_in: Callable[..., Any]) -> None:
    page = Page(sign_in(dana).get(reverse("admin:members_user_changelist"), {"q": "alice@aamu"}).content)
    assert [row for row in page.rows if "alice@aamu.example" in row]
    assert not [row for row in page.rows if "charlie" in row]


def test_an_admin_makes_somebody_staff(alice: Any, ada: Any, sign_in: Callable[..., Any]) -> None:
    before = alice.password
    answer = sign_in(ada).post(page_of(alice), {"name": "Alice A.", "staff_role": "support", "is_active": "on"})
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.staff_role, alice.password) == ("Alice A.", "support", before)
    entry = LogEntry.objects.get()
    assert entry.user == ada
    assert "Staff role" in entry.get_change_message()


def test_switching_a_sign_in_off_works_at_once(alice: Any, ada: Any, sign_in: Callable[..., Any]) -> None:
    customer = sign_in(alice)
    sign_in(ada).post(page_of(alice), {"name": alice.name, "staff_role": ""})
    alice.refresh_from_db()
    assert not alice.is_active
    assert customer.get("/t/aamu/").status_code == 302


def test_nobody_changes_their_own_role(ada: Any, sign_in: Callable[..., Any]) -> None:
    answer = sign_in(ada).post(page_of(ada), {"name": "Ada L.", "staff_role": "support"})
    assert answer.status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.staff_role, ada.is_active) == ("Ada L.", "admin", True)


@pytest.mark.parametrize("field", ["email", "password", "is_superuser", "joined_at", "id"])
def test_other_fields_cannot_be_posted(alice: Any, ada: Any, sign_in: Callable[..., Any], field: str) -> None:
    before = User.objects.filter(pk=alice.pk).values().get()
    form = {"name": alice.name, "staff_role": "", "is_active": "on", field: "999999"}
    sign_in(ada).post(page_of(alice), form)
    assert User.objects.filter(pk=alice.pk).values().get() == before


def test_support_sees_a_person_and_changes_nothing(alice: Any, dana: Any, sign_in: Callable[..., Any]) -> None:
    support = sign_in(dana)
    page = support.get(page_of(alice)).content.decode()
    assert "alice@aamu.example" in page
    assert 'name="staff_role"' not in page
    assert support.post(page_of(dana), {"name": "Dana", "staff_role": "admin"}).status_code == 403
    dana.refresh_from_db()
    assert dana.staff_role == "support"


def test_a_person_shows_where_they_belong_and_whether_a_second_factor_is_set_up(
    alice: Any, dana: Any, sign_in: Callable[..., Any]
) -> None:
    support = sign_in(dana)
    assert "not set up" in Page(support.get(page_of(alice)).content).text
    seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    TOTP.activate(alice, seed)
    answer = support.get(page_of(alice))
    page = Page(answer.content)
    assert "not set up" not in page.text
    assert seed.encode() not in answer.content
    assert "Aamu Oy" in page.links
    assert "(owner)" in page.text


# -- staff are added, changed and removed ------------------------------------------------------------------------------


def test_an_admin_adds_a_staff_person_who_belongs_to_no_tenant(
    ada: Any, system_key: None, sign_in: Callable[..., Any], client: Any, mailoutbox: list[Any]
) -> None:
    form = {"email": "Sam@Pilotage.example", "name": "Sam", "staff_role": "support"}
    answer = sign_in(ada).post(reverse("admin:members_user_add"), form)
    assert answer.status_code == 302
    sam = User.objects.get(email="sam@pilotage.example")
    assert (sam.staff_role, sam.is_active, sam.has_usable_password()) == ("support", True, False)
    assert not Membership.objects.filter(user=sam).exists()
    [mail] = mailoutbox
    assert mail.to == [sam.email]
    link = re.search(r"http://[^/]+(/account/password/reset/key/\S+)", mail.body)
    assert link
    page = client.get(link[1], follow=True)
    new = "nine slow boats at dusk"
    client.post(page.redirect_chain[-1][0], {"password1": new, "password2": new})
    answer = client.post("/account/login/", {"login": sam.email, "password": new}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("admin:index")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "alice@aamu.example"},
        {"email": "second@aamu.example"},
        {"staff_role": ""},
        {"staff_role": "owner"},
        {"email": "nobody"},
    ],
)
def test_nobody_is_added_twice_or_without_a_role(
    wrong: dict[str, str], alice: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    EmailAddress.objects.create(user=alice, email="second@aamu.example", verified=True)
    people = User.objects.count()
    form = {"email": "sam@pilotage.example", "name": "Sam", "staff_role": "support", **wrong}
    answer = sign_in(ada).post(reverse("admin:members_user_add"), form)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert User.objects.count() == people


def test_support_adds_nobody(dana: Any, sign_in: Callable[..., Any]) -> None:
    form = {"email": "sam@pilotage.example", "name": "Sam", "staff_role": "admin"}
    assert sign_in(dana).post(reverse("admin:members_user_add"), form).status_code == 403
    assert not User.objects.filter(email="sam@pilotage.example").exists()


def test_a_change_of_role_is_written_down_with_its_value_and_told(
    alice: Any, ada: Any, sign_in: Callable[..., Any], mailoutbox: list[Any]
) -> None:
    sign_in(ada).post(page_of(alice), {"name": alice.name, "staff_role": "support", "is_active": "on"})
    event = AuditEvent.objects.get(action="staff.role_changed")
    assert event.actor_id == ada.pk
    assert event.details == {"before": "", "after": "support"}
    assert [mail.to for mail in mailoutbox] == [[alice.email]]
    assert "Your staff role was changed" in mailoutbox[0].body


def test_a_factor_from_before_does_not_make_it_into_the_staff_role(
    alice: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    """It was set up with a password alone."""
    TOTP.activate(alice, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    sign_in(ada).post(page_of(alice), {"name": alice.name, "staff_role": "support", "is_active": "on"})
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("form", [{"staff_role": "support", "is_active": "on"}, {"staff_role": "admin"}])
def test_what_an_admin_promised_ends_with_the_role(
    form: dict[str, str], aamu: Any, ada: Any, sign_in: Callable[..., Any]
) -> None:
    other = person("olli@pilotage.example", name="Olli", staff_role="admin")
    with tenant_scope(aamu.id):
        invite(tenant=aamu, email="x@aamu.example", role=Role.OWNER, actor=other.actor, up_to=Role.OWNER)
    User.objects.filter(pk=other.pk).update(email="since-changed@pilotage.example")
    sign_in(ada).post(page_of(other), {"name": other.name, **form})
    assert Invitation.objects.get().revoked_at is not None


def test_of_two_admins_who_demote_each_other_one_stays(committed_db: None, ada: Any, rf: Any) -> None:
    olli = person("olli@pilotage.example", name="Olli", staff_role="admin")
    gate, refused = threading.Barrier(2), []

    def demote(target: Any, actor: Any) -> None:
        request = rf.post("/")
        request.user = actor
        try:
            with staff_scope():
                gate.wait(10)
                staff.change(user=target, staff_role=StaffRole.NONE, is_active=True, actor=actor, request=request)
        except NotAllowed as problem:
            refused.append(str(problem))
        finally:
            database.close()

    with acting_as("web"):
        threads = [threading.Thread(target=demote, args=pair) for pair in ((ada, olli), (olli, ada))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(refused) == 1
    assert User.objects.filter(staff_role="admin").count() == 1


def test_an_event_is_found_by_the_address_a_person_has_now(
    alice: Any, aamu: Any, dana: Any, sign_in: Callable[..., Any]
) -> None:
    with tenant_scope(aamu.id):
        invite(tenant=aamu, email="x@aamu.example", role=Role.VIEWER, actor=alice.actor, up_to=Role.OWNER)
    User.objects.filter(pk=alice.pk).update(email="alice@new.example")
    page = sign_in(dana).get(reverse("admin:tenancy_auditevent_changelist"), {"q": "alice@new.example"})
    assert "member.invited" in page.content.decode()
