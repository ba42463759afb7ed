"""README's table of environment variables names every variable that the code reads, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# Not ours: a server's own, and those that Celery and oauthlib would obey (a start refuses them).
OTHERS = {"PATH", "LD_LIBRARY_PATH", "SUDO_USER"}
READERS = {"text", "choice", "number", "names", "networks"}  # functions of portal/env.py, as it calls them itself
ROW = re.compile(r"\| (`[A-Z].*?) \|")
NAME = re.compile(r"`([A-Z_]+)`( \*)?")


def documented() -> dict[str, bool]:
    """Each variable of the table, and whether it is marked as one whose value a file may hold (`NAME_FILE`)."""
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("\n## Configuration\n")[1].split("\n## ")[0]
    first_columns = [row[1] for line in section.splitlines() if (row := ROW.match(line))]
    return {name: bool(mark) for column in first_columns for name, mark in NAME.findall(column)}


@cache
def read_by_the_code() -> frozenset[tuple[str, str]]:
    """Each variable and the function that reads it: of portal/env.py, or `environ` for a look at os.environ itself."""
    variables: set[tuple[str, str]] = set()
    for path in sorted((REPOSITORY / "portal").rglob("*.py")):
        if "migrations" in path.parts or "env" not in (text := path.read_text(encoding="utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            variables.update(_reads(node, is_env=path == REPOSITORY / "portal" / "env.py"))
    return frozenset(variables)


def _reads(node: ast.AST, *, is_env: bool) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func)
        is_own = is_env and called in READERS
        if called.startswith("env.") or called == "os.environ.get" or is_own:
            yield from _constant(node.args[0], called.rpartition(".")[2].replace("get", "environ"))
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
        yield from _constant(node.slice, "environ")
    elif is_env and isinstance(node, ast.FunctionDef):
        for default in node.args.defaults:  # smtp(name="PORTAL_SMTP_URL")
            yield from ((name, "text") for name, _ in _constant(default, "") if name.startswith("PORTAL_"))


def _constant(node: ast.expr, reader: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value, reader


def test_the_table_and_the_code_name_the_same_variables() -> None:
    table = documented()
    # What may stand in a file is read as NAME or as NAME_FILE.
    in_files = {f"{name}_FILE" for name, may_be_a_file in table.items() if may_be_a_file}
    read = {name for name, _ in read_by_the_code()} - OTHERS - in_files
    assert len(read) > 20
    assert read - table.keys() == set(), "read, and not in README's table"
    assert table.keys() - read == set(), "in README's table, and read by nobody"


def test_only_what_is_read_as_a_text_is_said_to_stand_in_a_file() -> None:
    as_text = {name for name, reader in read_by_the_code() if reader in ("text", "database", "broker")}
    assert {name for name, may_be_a_file in documented().items() if may_be_a_file} <= as_text


@pytest.mark.parametrize(
    "line",
    ['env.text("PORTAL_NEW")', 'os.environ.get("PORTAL_NEW")', 'os.environ["PORTAL_NEW"]', 'env.names("PORTAL_NEW")'],
)
def test_a_new_variable_would_be_found(line: str) -> None:
    assert {name for node in ast.walk(ast.parse(line)) for name, _ in _reads(node, is_env=False)} == {"PORTAL_NEW"}
