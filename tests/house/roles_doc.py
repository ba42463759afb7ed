"""Writes docs/roles.md: which role may do what, and the pages that ask for it.

python -m tests.house.roles_doc

The actions and roles come from portal/members/permissions.py, the pages from the views' decorators.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

PLACE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"
HEAD = """# Roles

Who may do what. Written by `python -m tests.house.roles_doc` from the tables in `portal/members/permissions.py` and from the
views' `@member(Action...)`; a test fails when it is out of date. To let another role do something, change the table there:
decorators, templates (`{% if can.disconnect %}`) and tests follow.

A page that a role may not open, and one of another company, answer 404 like a page that does not exist.
"""


def document() -> str:
    from portal.members.permissions import LEAST_ROLE, LEAST_STAFF_ROLE, Role, StaffRole

    roles = list(reversed(Role))
    pages = pages_by_action()
    rows = [
        [f"`{action.value}`", action.label, *(_yes(role.can(action)) for role in roles), _pages(pages.get(action, []))]
        for action in LEAST_ROLE
    ]
    staff_roles = [role for role in StaffRole if role.value]
    staff_rows = [
        [f"`{action.value}`", action.label, *(_yes(role.can(action)) for role in staff_roles)]
        for action in LEAST_STAFF_ROLE
    ]
    return "\n".join(
        [
            HEAD,
            "## Members of a company\n",
            *_table(["Action", "may ...", *(role.value for role in roles), "Pages, by URL name"], rows),
            "",
            "## Our own people, on the staff pages\n",
            *_table(["Action", "may ...", *(role.value for role in staff_roles)], staff_rows),
            "",
        ]
    )


def pages_by_action() -> dict[str, list[str]]:
    """The names of the addresses inside a tenant, by the value of the action that their view asks for."""
    from django.urls import URLPattern, get_resolver

    pages: dict[str, list[str]] = {}
    for group in get_resolver().url_patterns:
        for pattern in getattr(group, "url_patterns", [group]):
            action = getattr(pattern.callback, "action", None) if isinstance(pattern, URLPattern) else None
            if action is not None:
                pages.setdefault(action, []).append(pattern.name)
    return pages


def _pages(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none of its own"


def _yes(may: bool) -> str:
    return "yes" if may else ""


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    from tests.throwaway import migrated_database

    with migrated_database():
        PLACE.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"docs/{PLACE.name} written\n")


if __name__ == "__main__":
    main()
