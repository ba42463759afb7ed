"""Reads the answer of `GET /users/rights`: a missing right may show as an empty or a cut list instead of 403."""

from __future__ import annotations

import re
from typing import Any

from connections.spec.streams import BadPage

RIGHT = re.compile(r"\b[a-z]+[A-Za-z]*\.[a-z][A-Za-z]+\b")  # `section.name`
VALUES_WITH_RIGHTS = ("rights", "missing", "lost", "limits", "named")  # of findings
GRANTED = ("ALL_RIGHTS", "VIEWING_RIGHTS")
# Limitations that silently narrow lists (API reference, users/rights).
NARROWING = ("sales.personalSalesInvoicesOnly", "user.limitedDimensions")


def tree_of(body: Any) -> dict[str, Any]:
    """The rights by section and name. Raises BadPage."""
    tree = body.get("rights") if isinstance(body, dict) else None
    if not isinstance(tree, dict):
        message = "no rights in the answer"
        raise BadPage(message)
    return tree


def level_at(tree: Any, path: str) -> Any:
    """The level (or, for a limitation, True or False) at `section.name`; None where it is not in the answer."""
    for step in path.split("."):
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def right_in_words(path: str) -> str:
    """Procountor's own name of a right as words: `sales.customerRegister` is the Customer register (Sales)."""
    section, _dot, name = path.partition(".")
    return f"{_words(name)} ({_words(section)})"


def in_words(name: str, value: str) -> str:
    """A value of a finding as people read it: the names of rights in it as words. Any other value is left alone."""
    return RIGHT.sub(lambda match: right_in_words(match[0]), value) if name in VALUES_WITH_RIGHTS else value


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def missing(tree: Any, needs: tuple[str, ...]) -> list[str]:
    """Rights of `needs` that are not granted, as `section.name`."""
    return [path for path in needs if level_at(tree, path) not in GRANTED]


def superfluous(tree: dict[str, Any], needs: tuple[str, ...]) -> list[str]:
    """Rights beyond viewing what is needed, as `section.name`: another right, or all rights to a needed one."""
    granted = {
        f"{section}.{name}": level
        for section, names in tree.items()
        if isinstance(names, dict)
        for name, level in names.items()
        if level in GRANTED
    }
    return [path for path, level in granted.items() if path not in needs or level == "ALL_RIGHTS"]


def narrowing(tree: Any) -> list[str]:
    """Limitations by which lists would be cut without a word."""
    return [path for path in NARROWING if level_at(tree, path) is True]


def lacking(body: Any, needs: tuple[str, ...]) -> list[str]:
    """What stands between this user and whole lists. Raises BadPage."""
    tree = tree_of(body)
    return missing(tree, needs) + narrowing(tree)
