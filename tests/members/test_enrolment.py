"""A staff person's first second factor needs the password and a link by another admin, once, for a day."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction
from django.db.utils import DatabaseError
from django.urls import reverse
from django.utils import timezone

from connections.tenancy.scope import staff_scope
from portal.members import enrolment
from portal.members.models import EnrolmentLink
from portal.members.services import NotAllowed
from tests.conftest import PASSWORD, RoleClient, person
from tests.factors import code_of, with_totp
from tests.roles import acting_as


@pytest.fixture(autouse=True)
def in_production(settings: Any) -> None:
    settings.DEMO = False


@pytest.fixture
def browser() -> RoleClient:
    return RoleClient()


def link_for(user: Any, made_by: Any) -> str:
    with acting_as("web"), staff_scope():
        address = enrolment.make_link(user=user, made_by=made_by)
    return "/" + address.split("/", 3)[3]


def sign_in_with_password(browser: RoleClient, user: Any) -> None:
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
    browser.post("/account/reauthenticate/", {"password": PASSWORD})


def seed_on(page: Any) -> str:
    match = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page.content.decode().replace("\n", " "))
    assert match
    return match[1]


def set_up(browser: RoleClient, path: str) -> Any:
    """From the link to the second factor."""
    assert browser.get(path).status_code == 200
    assert browser.post(path)["Location"] == reverse("mfa_activate_totp")
    page = browser.get(reverse("mfa_activate_totp"))
    return browser.post(reverse("mfa_activate_totp"), {"code": code_of(seed_on(page))})


def test_the_password_and_the_link_together_set_it_up(
    browser: RoleClient, dana: Any, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link_for(dana, ada)
    sign_in_with_password(browser, dana)
    set_up(browser, path)
    row = Authenticator.objects.get(user=dana, type=Authenticator.Type.TOTP)
    assert EnrolmentLink.objects.get().used_at is not None
    # Set up is not used: the staff pages ask for a code first.
    address = browser.get("/admin/")["Location"]
    assert address.startswith(reverse("mfa_reauthenticate"))
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP.validate_code", lambda self, code: self.instance == row)
    browser.post(address, {"code": "123456"})
    assert browser.get("/admin/").status_code == 200


def test_the_password_alone_sets_nothing_up(browser: RoleClient, dana: Any, ada: Any) -> None:
    link_for(dana, ada)  # made, and not handed to whoever signs in here
    sign_in_with_password(browser, dana)
    assert browser.get(reverse("mfa_activate_totp")).status_code == 403
    session = browser.session
    session["mfa.totp.secret"] = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    session.save()
    answer = browser.post(reverse("mfa_activate_totp"), {"code": code_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")})
    assert answer.status_code == 403
    assert not Authenticator.objects.exists()


def test_the_link_alone_opens_nothing(browser: RoleClient, dana: Any, ada: Any) -> None:
    path = link_for(dana, ada)
    assert browser.get(path)["Location"].startswith("/account/login/")
    assert browser.post(path)["Location"].startswith("/account/login/")


@pytest.mark.parametrize("spoiled", ["used", "withdrawn", "old", "another's", "made anew", "invented", "no staff"])
def test_a_link_that_cannot_be_used_answers_alike(spoiled: str, browser: RoleClient, dana: Any, ada: Any) -> None:
    path = link_for(dana, ada)
    links = EnrolmentLink.objects.all()
    if spoiled == "used":
        links.update(used_at=timezone.now())
    elif spoiled == "withdrawn":
        with acting_as("web"), staff_scope():
            enrolment.revoke_links(user=dana)
    elif spoiled == "old":
        links.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif spoiled == "another's":
        links.update(user=person("eve@pilotage.example", staff_role="support"))
    elif spoiled == "made anew":
        link_for(dana, ada)
    elif spoiled == "no staff":
        type(dana).objects.filter(pk=dana.pk).update(staff_role="")
        links.update(revoked_at=timezone.now())
    else:
        path = "/second-factor/" + "x" * 43 + "/"
    dana.refresh_from_db()
    sign_in_with_password(browser, dana)
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "This link cannot be used" in answer.content.decode()
    assert browser.post(path).status_code == 404


def test_a_link_withdrawn_between_the_look_and_the_code_sets_nothing_up(
    browser: RoleClient, dana: Any, ada: Any
) -> None:
    path = link_for(dana, ada)
    sign_in_with_password(browser, dana)
    browser.post(path)
    seed = seed_on(browser.get(reverse("mfa_activate_totp")))
    EnrolmentLink.objects.update(revoked_at=timezone.now())
    assert browser.post(reverse("mfa_activate_totp"), {"code": code_of(seed)}).status_code == 403
    assert not Authenticator.objects.exists()


def test_a_link_used_up_at_the_same_moment_rolls_the_factor_back(
    browser: RoleClient, dana: Any, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link_for(dana, ada)
    sign_in_with_password(browser, dana)
    browser.post(path)
    seed = seed_on(browser.get(reverse("mfa_activate_totp")))
    link = EnrolmentLink.objects.get()
    EnrolmentLink.objects.update(used_at=timezone.now())
    monkeypatch.setattr(enrolment, "link_of_session", lambda request, user: link)  # it was there a moment ago
    answer = browser.post(reverse("mfa_activate_totp"), {"code": code_of(seed)}, follow=True)
    assert "used up or withdrawn" in answer.content.decode()
    assert not Authenticator.objects.exists()


def test_only_a_hash_is_kept_and_it_holds_for_a_day(dana: Any, ada: Any) -> None:
    token = link_for(dana, ada).split("/")[2]
    assert len(token) >= 43
    row = EnrolmentLink.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    lifetime = row.expires_at - timezone.now()
    assert timedelta(hours=23) < lifetime <= timedelta(hours=24)


def test_nobody_makes_their_own_link_and_customers_get_none(ada: Any, alice: Any) -> None:
    for user in (ada, alice):
        with pytest.raises(NotAllowed):
            enrolment.make_link(user=user, made_by=ada)
    with pytest.raises(IntegrityError), transaction.atomic():  # nor past our own code
        EnrolmentLink(user=ada, digest="0" * 64, made_by=ada, expires_at=timezone.now()).save()
    with acting_as("web"), pytest.raises(DatabaseError), transaction.atomic():  # nor does the web outside staff pages
        EnrolmentLink(user=ada, digest="0" * 64, expires_at=timezone.now()).save()


# -- the admin's page --------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(settings: Any, ada: Any, sign_in: Callable[..., RoleClient]) -> RoleClient:
    settings.DEMO = True
    return sign_in(ada)


def test_an_admin_makes_a_link_that_is_shown_once(
    admin: RoleClient, dana: Any, system_key: None, mailoutbox: list[Any]
) -> None:
    page = reverse("admin:members_user_change", args=[dana.pk])
    answer = admin.post(reverse("admin:members_user_make_link", args=[dana.pk]), {"sure": "yes"})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    match = re.search(r"http\S+/second-factor/([\w-]+)/", answer.content.decode())
    assert match
    assert EnrolmentLink.objects.get().digest == hashlib.sha256(match[1].encode()).hexdigest()
    assert match[1] not in admin.get(page).content.decode()
    assert [mail.to for mail in mailoutbox] == [[dana.email]]
    assert match[1] not in mailoutbox[0].body
    assert "A link waits" in admin.get(page).content.decode()
    admin.post(reverse("admin:members_user_revoke_link", args=[dana.pk]))
    assert EnrolmentLink.objects.get().revoked_at is not None


def test_a_link_for_who_lost_the_phone_voids_what_was_set_up(
    admin: RoleClient, dana: Any, system_key: None, sign_in: Callable[..., RoleClient]
) -> None:
    with_totp(dana)
    theirs = sign_in(dana)
    admin.post(reverse("admin:members_user_make_link", args=[dana.pk]), {"sure": "yes"})
    assert not Authenticator.objects.exists()
    assert theirs.get("/admin/").status_code == 302


def test_an_admins_own_page_offers_no_link(admin: RoleClient, ada: Any) -> None:
    assert "Make a link" not in admin.get(reverse("admin:members_user_change", args=[ada.pk])).content.decode()
    admin.post(reverse("admin:members_user_make_link", args=[ada.pk]), {"sure": "yes"})
    assert not EnrolmentLink.objects.exists()
