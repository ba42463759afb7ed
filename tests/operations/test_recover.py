"""`manage.py recover`: the last admin who lost the second factor gets in again, and nobody can do it unseen."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import CommandError, call_command

from connections.tenancy.models import SystemAuditEvent
from portal.members.models import EnrolmentLink
from tests.conftest import person
from tests.roles import acting_as


def recover(*arguments: str) -> str:
    out = StringIO()
    call_command("recover", *arguments, stdout=out)
    return out.getvalue()


def with_factor(user: Any) -> Any:
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    return user


def test_the_lost_factor_goes_and_a_link_comes(db: None, system_key: None, ada: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("SUDO_USER", "root-of-the-house")
    with_factor(ada)
    said = recover("Ada@Pilotage.example")
    assert not Authenticator.objects.filter(user=ada).exists()
    assert EnrolmentLink.objects.filter(user=ada, used_at=None, revoked_at=None).count() == 1
    assert len(re.findall(r"http\S+/second-factor/\S+", said)) == 1
    event = SystemAuditEvent.objects.get(action="staff.recovered")
    assert (event.subject, event.details["by"]) == (ada.email, "root-of-the-house")
    assert [each.to for each in mail.outbox] == [[ada.email]]


def test_a_lost_password_has_a_link_of_its_own(db: None, ada: Any) -> None:
    assert len(re.findall(r"http\S+", recover(ada.email, "--password"))) == 2


def test_another_admin_goes_first(db: None, system_key: None, ada: Any) -> None:
    other = with_factor(person("otto@pilotage.example", staff_role="admin"))
    with pytest.raises(CommandError, match=r"otto@pilotage\.example"):
        recover(ada.email)
    assert not EnrolmentLink.objects.exists()
    recover(ada.email, "--although-others")
    assert {each.to[0] for each in mail.outbox} == {ada.email, other.email}
    assert Authenticator.objects.filter(user=other).exists()


@pytest.mark.parametrize("email", ["nobody@aamu.example", "alice@aamu.example"])
def test_it_is_for_staff_alone(db: None, alice: Any, email: str) -> None:
    with pytest.raises(CommandError) as refused:
        recover(email)
    assert "\n" not in str(refused.value)
    assert not SystemAuditEvent.objects.filter(action="staff.recovered").exists()


def test_it_is_the_owners_alone(db: None, ada: Any) -> None:
    with acting_as("web"), pytest.raises(CommandError, match="portal_owner"):
        recover(ada.email)
