"""How the house is written: names that mean one thing, modules that say what they are for, files of a readable length."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FORBIDDEN_MODULES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
# Where Django looks for a database backend.
ALLOWED_MODULES = {"connections/tenancy/postgresql/base.py"}
FORBIDDEN_ENDINGS = ("Manager", "Handler", "Processor")
# Django's own word for a table's door, which its user model must have.
ALLOWED_CLASSES = {"UserManager"}
LONGEST = 400
WITH_SIDES = re.compile(
    r"(?<![\w-])((margin|padding|border|inset)-(left|right|top|bottom)\b|(left|right)\s*:|text-align\s*:\s*(left|right)"
    r"|float\s*:\s*(left|right)|border-(top|bottom)-(left|right)-radius)"
)


def files(*suffixes: str) -> Iterator[Path]:
    for room in ("portal", "connections", "tests", "templates", "static"):
        for path in sorted((REPOSITORY / room).rglob("*")):
            if path.suffix in suffixes and "migrations" not in path.relative_to(REPOSITORY).parts and path.is_file():
                yield path


def shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def modules() -> Iterator[Path]:
    yield from (path for path in files(".py") if path.parts[len(REPOSITORY.parts)] != "tests")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_no_module_is_a_dumping_ground() -> None:
    names = {
        shown(path) for path in files(".py") if {path.stem, *path.relative_to(REPOSITORY).parts} & FORBIDDEN_MODULES
    }
    assert names == ALLOWED_MODULES


def test_every_module_opens_by_saying_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in [*modules(), *(path for path in files(".py") if path.name.startswith("test_"))]
        if not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


def test_no_class_is_named_for_nothing() -> None:
    found = {
        f"{shown(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(FORBIDDEN_ENDINGS)
        and node.name not in ALLOWED_CLASSES
    }
    assert found == set()


@pytest.mark.parametrize("suffix", [".py", ".html", ".css", ".js"])
def test_no_file_is_too_long_to_read(suffix: str) -> None:
    long = {shown(path): lines for path in files(suffix) if (lines := len(path.read_text().splitlines())) > LONGEST}
    assert long == {}


def test_styles_know_no_left_and_right() -> None:
    """Persian reads from right to left: sides are logical (inline-start, block-end)."""
    found = {
        shown(path): [match.group() for match in matches]
        for path in files(".css")
        if (matches := list(WITH_SIDES.finditer(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL))))
    }
    assert found == {}


def test_translated_texts_are_whole() -> None:
    """An f-string inside gettext is never found by translators."""
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("_", "gettext", "gettext_lazy", "ngettext", "pgettext")
        and any(not isinstance(argument, ast.Constant) for argument in node.args[:1])
    ]
    assert found == []


def test_templates_hold_no_inline_style_or_script() -> None:
    """The Content-Security-Policy would block them; here they are caught before a browser does."""
    inline = re.compile(
        r"<style\b|<script(?![^>]*\bsrc=)(?![^>]*application/json)|\sstyle=|\son\w+=|hx-on", re.IGNORECASE
    )
    found = {
        shown(path): inline.findall(path.read_text()) for path in files(".html") if inline.search(path.read_text())
    }
    assert found == {}


@pytest.mark.parametrize(
    ("css", "bad"),
    [
        ("a{margin-left:0}", True),
        ("a{ left : 0 }", True),
        ("a{text-align:right}", True),
        ("a{margin-inline-start:0}", False),
        ("a{inset-block-start:0}", False),
        (".leftover{color:red}", False),
    ],
)
def test_the_eye_for_sides_is_sharp(css: str, bad: bool) -> None:
    assert bool(WITH_SIDES.search(css)) is bad
