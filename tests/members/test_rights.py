"""What the web's and the staff's database roles may do to people: no password for staff, no staff role from the web."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.utils import ProgrammingError
from django.urls import reverse

from connections.tenancy.scope import staff_scope
from portal.members.models import NO_PASSWORD, User
from tests.conftest import person
from tests.roles import acting_as


def refused(statement: str, *parameters: Any) -> bool:
    try:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(statement, parameters)
    except ProgrammingError as error:
        return "permission denied" in str(error)
    return False


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password FROM members_user",
        "SELECT id FROM members_user WHERE password ~ '^pbkdf2'",
        "SELECT id FROM members_user ORDER BY password",
        "SELECT * FROM members_user",
        "UPDATE members_user SET password = 'x'",
        "UPDATE members_user SET email = 'x@x.example'",
        "INSERT INTO members_user (email, password) VALUES ('x@x.example', 'x')",
        "DELETE FROM members_user",
    ],
)
def test_the_staff_role_has_no_right_on_passwords(statement: str, alice: Any) -> None:
    with acting_as("staff"):
        assert refused(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE members_user SET staff_role = 'admin'",
        "UPDATE members_user SET staff_role = ''",
        "UPDATE members_user SET is_active = true",
        "INSERT INTO members_user (email, name, staff_role, is_active, joined_at, time_zone)"
        " VALUES ('x@x.example', '', 'admin', true, now(), 'UTC')",
        "DELETE FROM members_user",
    ],
)
def test_the_web_changes_nobodys_staff_role(statement: str, alice: Any, ada: Any) -> None:
    with acting_as("web"):
        assert refused(statement)


def test_the_web_makes_people_and_staff_make_staff(rows: None) -> None:
    with acting_as("web"):
        User.objects.create_user("new@aamu.example", "seven quiet herons by the lake", name="Nelli")
        assert User.objects.get(email="new@aamu.example").staff_role == ""
        with pytest.raises(ProgrammingError), transaction.atomic():
            User.objects.create_user("x@x.example", "seven quiet herons by the lake", staff_role="admin")
        with staff_scope():
            User(email="sam@pilotage.example", staff_role="support", password=NO_PASSWORD).save()
    sam = User.objects.get(email="sam@pilotage.example")
    assert sam.staff_role == "support"
    assert not sam.has_usable_password()


def test_look_ups_by_password_find_nothing_out(sign_in: Any, dana: Any, alice: Any) -> None:
    """Whatever the admin lets through, the database says no: one bit of a hash is a bit too much."""
    support = sign_in(dana)
    for pattern in ("^", "^nothing begins like this"):
        try:
            answer = support.get(reverse("admin:members_user_changelist"), {"password__regex": pattern})
        except ProgrammingError as error:
            assert "permission denied" in str(error)
        else:
            assert answer.status_code in (302, 400)


def test_every_way_a_page_writes_a_person_has_its_right(sign_in: Any, alice: Any, client: Any) -> None:
    from tests.conftest import PASSWORD

    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})  # last_login
    assert User.objects.get(pk=alice.pk).last_login is not None
    assert sign_in(alice).post("/you/", {"name": "A", "time_zone": "Europe/Oslo"}).status_code == 302
    person("other@aamu.example")
