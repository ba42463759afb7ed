"""One table says who may do what: nobody else names a role to decide, templates name its actions, the page is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portal.members.permissions import LEAST_ROLE, LEAST_STAFF_ROLE, Action, Role, StaffAction, StaffRole
from tests.house import roles_doc

REPOSITORY = Path(__file__).resolve().parents[2]
NAMED = re.compile(
    r"\b(?:Staff)?Role\.(?:OWNER|OPERATOR|VIEWER|SUPPORT|ADMIN|NONE)\b"  # Role.OWNER
    r"|\brole\b[^\n=!]{0,3}(?:==|!=|\bin\b|\bis\b)\s*[\"'(\[]"  # role == "owner", role in ("owner", ...)
    r"|role(?:__in)?=[\"'(\[]"  # filter(role="owner")
)
TABLE = "portal/members/permissions.py"
# Where a role is handed out, not asked about.
HANDED_OUT = {
    "portal/operations/bootstrap.py": {"StaffRole.ADMIN"},  # the first admin of a new installation
    "portal/devserver/demo_data.py": {
        "Role.OWNER",
        "Role.OPERATOR",
        "Role.VIEWER",
        "StaffRole.SUPPORT",
        "StaffRole.ADMIN",
    },
}


def named_roles(text: str) -> set[str]:
    return {match.group() for match in NAMED.finditer(text)}


def code_of(file: Path) -> str:
    """The file's code: of a template only its tags, as HTML has an attribute called role."""
    text = file.read_text(encoding="utf-8")
    return text if file.suffix == ".py" else "\n".join(re.findall(r"{%.*?%}|{{.*?}}", text))


def test_no_other_place_names_a_role_to_decide_anything() -> None:
    named = {
        path: roles
        for room in ("portal", "templates")
        for file in sorted((REPOSITORY / room).rglob("*"))
        if file.suffix in (".py", ".html", ".txt") and "migrations" not in file.parts
        if (path := str(file.relative_to(REPOSITORY))) != TABLE
        if (roles := named_roles(code_of(file)))
    }
    assert named == HANDED_OUT


@pytest.mark.parametrize(
    ("line", "is_named"),
    [
        ("if membership.role == Role.OWNER:", True),
        ('if membership.role == "owner":', True),
        ('filter(role="owner")', True),
        ("filter(role__in=[...])", True),
        ('{% if membership.role == "owner" %}', True),
        ("if user.staff_role != StaffRole.NONE:", True),
        ("if membership.can(Action.DISCONNECT):", False),
        ("role = form.cleaned_data['role']", False),
        ("filter(role__in=Role.that_can(Action.RECORD))", False),
        ("{% if role.value == member.role %}", False),
    ],
)
def test_the_search_finds_roles_that_decide(line: str, is_named: bool) -> None:
    assert bool(named_roles(line)) is is_named


def test_templates_ask_only_for_actions_that_exist() -> None:
    asked = {
        name
        for path in (REPOSITORY / "templates").rglob("*.html")
        for tag in re.findall(r"{%.*?%}|{{.*?}}", path.read_text(encoding="utf-8"))
        for name in re.findall(r"(?<![\w.])can\.(\w+)", tag)
    }
    assert asked
    assert asked - {action.value for action in Action} == set()


def test_every_action_has_a_least_role() -> None:
    assert set(LEAST_ROLE) == set(Action)
    assert set(LEAST_STAFF_ROLE) == set(StaffAction)


def test_a_role_may_do_all_that_a_lower_one_may() -> None:
    allowed = [{action for action in Action if role.can(action)} for role in (Role.OWNER, Role.OPERATOR, Role.VIEWER)]
    assert allowed[0] > allowed[1] > allowed[2]
    assert not any(StaffRole.NONE.can(action) for action in StaffAction)
    assert all(StaffRole.ADMIN.can(action) for action in StaffAction)


def test_docs_roles_is_up_to_date() -> None:
    assert roles_doc.PLACE.read_text(encoding="utf-8") == roles_doc.document(), "run: python -m tests.house.roles_doc"
