"""The engine and the pages never name a provider: everything of one stands in its own folders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connections.providers.registry import all_providers

REPOSITORY = Path(__file__).resolve().parents[2]
SLUGS = sorted(all_providers())
NAMED = re.compile("|".join(SLUGS), re.IGNORECASE)
OWN_ROOMS = ("connections/providers/", "connections/sandbox/", "templates/providers/", "static/providers/")


def elsewhere(*suffixes: str) -> Iterator[Path]:
    for room in ("portal", "connections", "templates", "static"):
        for path in sorted((REPOSITORY / room).rglob("*")):
            own = any(str(path.relative_to(REPOSITORY)).startswith(folder) for folder in OWN_ROOMS)
            # The registry of providers is the engine's; only the folders below it are a provider's.
            inside = path.parent.name == "providers" and path.suffix == ".py"
            # A migration carries over what there was, under the names that it had.
            if path.suffix in suffixes and (not own or inside) and path.parent.name != "migrations":
                yield path


def spoken(source: str) -> list[str]:
    """What code says: names and strings. Comments and docstrings may tell where a fact comes from."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    said = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            said.append(node.value)
        elif isinstance(node, ast.Name | ast.Attribute | ast.alias | ast.ClassDef | ast.FunctionDef | ast.arg):
            said += [str(getattr(node, part, "")) for part in ("id", "attr", "name", "arg")]
        if isinstance(node, ast.ImportFrom):
            said.append(node.module or "")
    return [word for word in said if NAMED.search(word)]


@pytest.mark.parametrize("path", list(elsewhere(".py")), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_module_names_a_provider(path: Path) -> None:
    assert spoken(path.read_text(encoding="utf-8")) == []


def test_no_template_style_or_script_names_a_provider() -> None:
    named = {
        str(path.relative_to(REPOSITORY)): found
        for path in elsewhere(".html", ".txt", ".css", ".js", ".svg")
        if (found := NAMED.findall(path.read_text(encoding="utf-8")))
    }
    assert named == {}


def test_a_planted_name_is_seen_and_a_source_of_a_fact_is_not() -> None:
    assert spoken('if slug == "hesabit": pass') == ["hesabit"]
    assert spoken("from connections.providers.procountor import provider")
    assert spoken("class PentamicClient: pass")
    assert spoken('"""Procountor certification 7."""\nx = 1  # Procountor says so\n') == []
