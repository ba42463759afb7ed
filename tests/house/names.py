"""Reads what papers call by its name, and tells which of these names the code does not have.

What stands in backquotes counts as a name of code where it looks like one: an identifier, `a.b`, `call(...)`,
`name=value`, a code with hyphens, an option, a template tag, a command. Addresses, SQL and whole sentences do not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from django.apps import apps
from django.core.management import get_commands

from connections.providers.registry import all_providers
from tests.house import papers

# Words that are right and are not ours, by whose they are.
FOREIGN = {
    # SQL and PostgreSQL, systemd, JavaScript
    *("jsonb", "pgmq", "LISTEN", "ENABLE", "FORCE", "eval"),
    # the Python library and requests
    *("is_global", "REQUESTS_CA_BUNDLE"),
    # stand for whatever one writes there
    *("NAME", "NAME_FILE", "package.verb_thing"),
    # endings of names
    *("_at", "_on", "_id"),
}

_TAG = re.compile(r"\{[{%].*?[}%]\}")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_CALL = re.compile(r"@?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\((.*)\)")
_SET = re.compile(r"([A-Za-z_]\w*)=[^\s=]*")
_CODE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
_OPTION = re.compile(r"(--[a-z][a-z-]*)\b.*")
_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:manage\.py|\.venv/bin/manage\.py) (\w+).*")
_MODULE = re.compile(r"(?:\.venv/bin/)?python -m ([\w.]+)(?: .*)?")


@dataclass
class Code:
    """What the code calls things."""

    names: set[str] = field(default_factory=set)  # of variables, functions, parameters, columns, folders, ...
    texts: set[str] = field(default_factory=set)  # whole constants: codes, settings of the environment, kinds of jobs
    parameters: dict[str, set[str]] = field(default_factory=dict)  # of whatever can be called, by its bare name
    by_home: dict[str, set[str]] = field(default_factory=dict)  # all names that stand in a module or beside a class
    in_templates: set[str] = field(default_factory=set)  # dotted names of tags and variables


@cache
def code() -> Code:
    found = Code()
    for path in papers.modules():
        if path.name == "test_names.py":
            continue  # full of names that are not there
        _read(path.stem, ast.parse(papers.text_of(path)), found, is_apart=bool({"tests", "sandbox"} & set(path.parts)))
        found.names |= {path.stem, *path.relative_to(papers.REPOSITORY).parent.parts}
    for path in (papers.REPOSITORY / "templates").rglob("*"):
        if path.is_file():
            tags = " ".join(_TAG.findall(papers.text_of(path)))
            found.in_templates |= set(_DOTTED.findall(tags))
            found.names |= set(_IDENTIFIER.findall(tags)) | {path.stem, path.parent.name}
    for model in apps.get_models(include_auto_created=True):
        columns = {each.column for each in model._meta.concrete_fields}
        found.names |= {model._meta.db_table, *columns}
        found.by_home.setdefault(model._meta.db_table, set()).update(columns)
    found.names |= set(re.findall(r"^([A-Z_]+) *[:?]?=", papers.text_of(papers.REPOSITORY / "Makefile"), re.MULTILINE))
    found.names |= set(get_commands())
    found.names |= set(re.findall(r"CREATE FUNCTION (\w+)", "".join(map(papers.text_of, papers.migrations()))))
    found.texts |= {operation.name for provider in all_providers().values() for operation in provider.operations}
    found.texts |= {f"{name}_FILE" for name in found.texts if re.fullmatch(r"[A-Z_]+", name)}  # portal/env.py
    return found


def _read(stem: str, tree: ast.Module, found: Code, *, is_apart: bool) -> None:
    """Adds what one module names. What is defined inside a function, in a test or a simulator, is called by nobody else."""
    names: set[str] = set()
    parameters: dict[str, set[str]] = {} if is_apart else found.parameters
    inner = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for each in ast.walk(node)
        if each is not node
    }
    homes = {stem}
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if id(node) not in inner:
                    parameters.setdefault(node.name, set()).update(each.arg for each in given)
                names.add(node.name)
            case ast.ClassDef():
                homes.add(node.name)
                fields = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                parameters.setdefault(node.name, set()).update(fields)
                names.add(node.name)
            case ast.Name():
                names.add(node.id)
            case ast.Attribute():
                names.add(node.attr)
            case ast.arg():
                names.add(node.arg)
            case ast.keyword(arg=str(name)):
                names.add(name)
            case ast.alias():
                last = node.asname or node.name.rpartition(".")[2]
                parameters.setdefault(last, set())
                names |= {last, *node.name.split(".")}
            case ast.Constant(value=str(text)):
                found.texts.add(text)
                if re.fullmatch(r"\w+(\.\w+){2,}", text):  # a class that settings name by its path
                    found.names.add(text.rpartition(".")[2])
    found.names |= names
    for home in homes:
        found.by_home.setdefault(home, set()).update(names)


def unknown(text: str) -> list[str]:
    """What a paper has in backquotes as a name of code, and the code does not have."""
    return [
        each for each in papers.quoted(text) if not (papers.is_path(each) or papers.is_dotted(each)) and wrong(each)
    ]


def wrong(mention: str) -> list[str]:
    """The parts of one mention that the code does not have; none where it is no name of code."""
    if mention in FOREIGN or _is_file(mention):
        return []
    return [each for each in _parts_that_are_missing(mention) if each not in FOREIGN]


def _is_file(mention: str) -> bool:
    """A file by its bare name, or by its path below a room."""
    return bool(re.fullmatch(r"[\w./]+\.\w+|\.?\w+", mention)) and any(
        any((papers.REPOSITORY / room).rglob(mention)) for room in papers.ROOMS if "." in mention
    )


def _parts_that_are_missing(mention: str) -> Iterator[str]:
    known = code()
    if tags := _TAG.findall(mention):
        yield from (each for tag in tags for each in _DOTTED.findall(tag) if each not in known.in_templates)
    elif match := _COMMAND.fullmatch(mention):
        yield from {match[1]} - set(get_commands())
    elif match := _MODULE.fullmatch(mention):
        yield from (name for name in [match[1]] if papers.is_dotted(name) and not papers.exists(name))
    elif match := _CALL.fullmatch(mention):
        yield from _missing_of_call(match[1], match[2])
    elif match := _SET.fullmatch(mention):
        yield from {match[1]} - known.names - known.texts
    elif match := _OPTION.fullmatch(mention):
        yield from {match[1]} - known.texts
    elif _CODE.fullmatch(mention):
        yield from {mention} - known.texts - known.names
    elif _DOTTED.fullmatch(mention) and not _has(mention):
        yield mention


def _has(dotted: str) -> bool:
    """As it is written somewhere, or its last part in a module or beside a class of the name before it."""
    known = code()
    if dotted in known.texts or dotted in known.names:
        return True
    *_before, home, name = ["", *dotted.split(".")]
    if not home:
        return False
    return name in known.by_home[home] if home in known.by_home else {home, name} <= known.names


def _missing_of_call(dotted: str, arguments: str) -> Iterator[str]:
    """A function or class that nobody defines or imports; an argument that it does not take."""
    name = dotted.rpartition(".")[2]
    takes = code().parameters.get(name)
    if takes is None or not (dotted == name or _has(dotted)):
        yield dotted
        return
    for argument in re.split(r",\s*", arguments):
        given = argument.partition("=")[0].removesuffix("...")
        if not _DOTTED.fullmatch(given):
            continue  # a text, a figure, or nothing
        is_constant = given[0].isupper()
        if (is_constant and not _has(given)) or (not is_constant and takes and given not in takes):
            yield given
