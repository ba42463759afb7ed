"""A module's mutants: one operator at one place each, and the module compiled with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

from tests.mutation.operators import changed

# Words for people and for types, and what fails wherever it is changed: no behaviour is in them.
SILENT_CALLS = ("len", "isinstance", "_", "gettext", "gettext_lazy")
LOGS = ("logger", "log")
TYPES = ("annotation", "returns")


@dataclass(frozen=True)
class Mutant:
    """`line`, `old` and `new` for people; `reach`: the lines of the statement, one of which is run where it matters."""

    line: int
    old: str
    new: str
    reach: range
    code: CodeType


def mutants(source: str) -> list[Mutant]:
    """Every one that is other source and still Python, once, in the order of the lines."""
    tree = ast.parse(source)
    unbroken = ast.unparse(tree)
    by_text: dict[str, Mutant] = {}
    for holder, field, place, node in list(_places(tree)):
        for other in list(changed(node)):
            ast.fix_missing_locations(ast.copy_location(other, node))
            _put(holder, field, place, other)
            text = ast.unparse(tree)
            if text != unbroken and text not in by_text:
                try:
                    code = compile(tree, "mutant", "exec")
                except SyntaxError:
                    pass
                else:
                    by_text[text] = Mutant(node.lineno, *_told(unbroken, text), _statement(source, node.lineno), code)
            _put(holder, field, place, node)
    return sorted(by_text.values(), key=lambda mutant: mutant.line)


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.expr | ast.stmt]]:
    """All below a node where something has behaviour: in which field of what it stands, and at which place of a list."""
    for field, value in ast.iter_fields(node):
        if field in TYPES:
            continue
        for place, each in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(each, ast.AST) or _is_silent(node, each):
                continue
            if isinstance(each, ast.expr | ast.stmt):
                yield node, field, place, each
            yield from _places(each)


def _is_silent(holder: ast.AST, node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef(name="__repr__"):
            return True
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name("TYPE_CHECKING")):
            return True
        case (
            ast.Assign(targets=[ast.Name("__all__")]) | ast.Assign(targets=[ast.Name("message")], value=ast.Constant())
        ):
            return True
        case ast.Expr(value=ast.Call() as call):
            return _is_silent(node, call)
        case ast.Call(func=ast.Name(name)):
            return name in SILENT_CALLS
        case ast.Call(func=ast.Attribute(value=ast.Name(name))):
            return name in LOGS
        case ast.Constant():
            return isinstance(holder, ast.JoinedStr)
    return False


def _put(holder: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(holder, field, node)
    else:
        getattr(holder, field)[place] = node


def _told(before: str, after: str) -> tuple[str, str]:
    """What differs of two texts of a module, in which each statement has a line."""
    old, new = before.splitlines(), after.splitlines()
    first = _shared(old, new)
    same = _shared(old[first:][::-1], new[first:][::-1])
    one, other = (" ".join(map(str.strip, lines[first : len(lines) - same])) for lines in (old, new))
    return _near(one, other), _near(other, one)


def _near(text: str, other: str) -> str:
    """What is long (SQL) only near the place where it differs."""
    first = max(_shared(text, other) - 60, 0)
    return text if len(text) <= 200 else f"... {text[first : first + 160]} ..."


def _shared(some: Sequence[str], others: Sequence[str]) -> int:
    """With how many of the same both begin."""
    pairs = zip(some, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(some), len(others)))


def _statement(source: str, line: int) -> range:
    """The lines of the innermost statement there; of one that holds others, its head."""
    reach = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):  # outer ones first
        if isinstance(node, ast.stmt) and node.end_lineno is not None:
            start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            body = getattr(node, "body", None)
            end = max(body[0].lineno, node.lineno + 1) if body else node.end_lineno + 1
            if line in range(start, end):
                reach = range(start, end)
    return reach
