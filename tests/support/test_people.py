"""People for staff: found by e-mail; only admins say who is staff, and nobody says so of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from portal.members.models import User
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
