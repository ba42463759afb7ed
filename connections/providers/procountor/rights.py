"""Reads the answer of `GET /users/rights`: a missing right may show as an empty list instead of 403."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connections.spec.streams import BadPage

GRANTED = ("ALL_RIGHTS", "VIEWING_RIGHTS")


def tree_of(body: Any) -> dict[str, Any]:
    """The rights by section and name. Raises BadPage."""
    tree = body.get("rights") if isinstance(body, dict) else None
    if not isinstance(tree, dict):
        message = "no rights in the answer"
        raise BadPage(message)
    return tree


def level_at(tree: Any, path: str) -> Any:
    """The level (or, for a limitation, True or False) at `section.name`; None when it is not told."""
    for step in path.split("."):
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def may_read(path: str) -> Callable[[Any], bool]:
    """Judges an answer: whether the right at `path` is given. What is called raises BadPage."""
    return lambda body: level_at(tree_of(body), path) in GRANTED
