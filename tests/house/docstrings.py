"""Which public functions say too little: no docstring, although their name does not tell what they return or raise.

Judged are the public functions and methods of public classes in `portal/` and `connections/`, simulators left out. A docstring
is due where the function raises, has a body of more than LONGEST lines, or returns a shape or a number that a type does
not explain. None is due where

- the name is the framework's: a base class has the method already, or a form calls it for a field (`clean_...`);
- it is a view, which takes a request: its address, its decorators and its template say what it is;
- a protocol of ours explains it: a method of that name has its words there;
- it is registered as a check of Django's, which all return the same, or shown in a column of the admin;
- all it raises is that a subclass must write it.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.house import papers

LONGEST = 10  # lines of a body that is read at a glance
UNEXPLAINED = re.compile(r"(tuple|dict|Mapping)\b|float$|int$|Any$")
# A number whose name says its unit.
SAYS_IT = re.compile(r"_(count|seconds|ms|days|hours|months)$")


@dataclass(frozen=True)
class Silent:
    """One function without a docstring, and why one is due."""

    place: str
    why: str


def silent() -> list[Silent]:
    """Every public function of ours that should have a docstring and has none."""
    return [found for path in judged() for found in silent_in(papers.text_of(path), dotted(path))]


def judged() -> list[Path]:
    return [
        path
        for path in papers.modules()
        if path.relative_to(papers.REPOSITORY).parts[0] != "tests" and "sandbox" not in path.parts
    ]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(papers.REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def silent_in(source: str, module: str) -> Iterator[Silent]:
    """Of one module's source; `module`: its dotted name, by which its classes are looked up."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield from _judge(node, module)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                is_public = isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                if is_public and not _is_inherited(module, node, inner.name):
                    yield from _judge(inner, f"{module}.{node.name}")


def _judge(node: ast.FunctionDef, where: str) -> Iterator[Silent]:
    decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
    parameters = [argument.arg for argument in node.args.args]
    is_view = "request" in parameters[:2]
    is_method = node.col_offset > 0
    is_explained = is_method and node.name in _protocols()
    if ast.get_docstring(node) or is_view or is_explained or re.search(r"\b(register|display)\b", decorators):
        return
    returned = ast.unparse(node.returns) if node.returns else ""
    lines = (node.end_lineno or 0) - node.body[0].lineno + 1
    if any(isinstance(each, ast.Raise) and _is_told(each) for each in _own(node)):
        yield Silent(f"{where}.{node.name}", "raises")
    elif lines > LONGEST:
        yield Silent(f"{where}.{node.name}", f"{lines} lines")
    elif UNEXPLAINED.match(returned) and not SAYS_IT.search(node.name) and "property" not in decorators:
        yield Silent(f"{where}.{node.name}", f"returns {returned}")


def _is_told(node: ast.Raise) -> bool:
    return node.exc is not None and "NotImplementedError" not in ast.unparse(node.exc)


@cache
def _protocols() -> frozenset[str]:
    """Names of methods that a protocol explains."""
    return frozenset(
        inner.name
        for path in judged()
        for node in ast.parse(papers.text_of(path)).body
        if isinstance(node, ast.ClassDef) and "Protocol" in [ast.unparse(base) for base in node.bases]
        for inner in node.body
        if isinstance(inner, ast.FunctionDef) and ast.get_docstring(inner)
    )


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What a function does itself, without the functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from _own(child)


def _is_inherited(module: str, node: ast.ClassDef, name: str) -> bool:
    """Whether a base class has it, with the words that there are, or Django's forms call it by its name."""
    if name.startswith("clean_"):
        return True
    if not node.bases:
        return False
    bases = getattr(importlib.import_module(module), node.name).__mro__[1:]
    return any(name in vars(base) for base in bases)
