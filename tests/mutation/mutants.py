"""A module's mutants: mutmut's operators, and one for SQL, applied to one place at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

SQL = (
    (r"\bgreatest\b", "least"),
    (r"\bmax\b", "min"),
    (r"\bon\b", "off"),
    (r"\boff\b", "on"),
    (r"\bDESC\b", "ASC"),
    (r"\bAND\b", "OR"),
    (r"\bUNION ALL\b", "UNION"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r" < ", " <= "),
    (r" >= ", " > "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"(?<=[ (])\d+\b", lambda found: str(int(found[0]) + 1)),
)
STATEMENT = re.compile("""["'](SELECT|SET) """)
# Words for people and for types, and what mutmut itself leaves alone: no behaviour is in them.
LEFT_OUT = (
    m.Annotation()
    | m.ImportFrom()
    | m.FunctionDef(name=m.Name("__repr__"))
    | m.If(test=m.Name("TYPE_CHECKING"))
    | m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])
    | m.Assign(targets=[m.AssignTarget(m.Name("message"))], value=m.SimpleString())
    | m.Expr(value=m.SimpleString() | m.ConcatenatedString())
    | m.Call(func=m.Name("len") | m.Name("isinstance") | m.Name("_") | m.Name("gettext") | m.Name("gettext_lazy"))
    | m.Call(func=m.Attribute(value=m.Name("logger") | m.Name("log")))
)


@dataclass(frozen=True)
class Mutant:
    """`line`, `old` and `new` for people; `reach`: the lines of the statement, one of which is run where it matters."""

    line: int
    old: str
    new: str
    reach: range
    source: str


class _Places(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if m.matches(node, LEFT_OUT):
            return False
        for kind, operator in (*mutation_operators, (cst.SimpleString, _other_sql)):
            if isinstance(node, kind):
                self.found += [(node, changed) for changed in operator(node) if not _is_same_sql(node, changed)]
        return True


def _is_same_sql(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """In another case, a statement is the same statement."""
    if not (isinstance(node, cst.SimpleString) and isinstance(changed, cst.SimpleString)):
        return False
    return bool(STATEMENT.match(node.value)) and node.value.lower() == changed.value.lower()


def _other_sql(node: cst.SimpleString) -> Iterator[cst.SimpleString]:
    if not re.search(r'^"""(?s:.*)\b(SELECT|INSERT|UPDATE)\b', node.value):
        return
    for pattern, other in SQL:
        for found in re.finditer(pattern, node.value):
            there = other if isinstance(other, str) else other(found)
            yield node.with_changes(value=node.value[: found.start()] + there + node.value[found.end() :])


def mutants(source: str) -> list[Mutant]:
    """Every one that is other source and still Python, once, in the order of the lines."""
    places = _Places()
    module = MetadataWrapper(cst.parse_module(source)).module  # where no node stands twice
    module.visit(places)
    made: dict[str, Mutant] = {}
    unbroken = ast.dump(ast.parse(source))
    for node, changed in places.found:
        code = cst.ensure_type(module.deep_replace(node, changed), cst.Module).code
        try:
            parsed = ast.parse(code)
            compile(parsed, "mutant", "exec")
        except SyntaxError:
            continue
        if code not in made and ast.dump(parsed) != unbroken:
            made[code] = _told(source, code)
    return sorted(made.values(), key=lambda mutant: mutant.line)


def _told(source: str, code: str) -> Mutant:
    before, after = source.splitlines(), code.splitlines()
    first = _shared(before, after)
    same = _shared(before[first:][::-1], after[first:][::-1])
    old, new = (" ".join(map(str.strip, lines[first : len(lines) - same])) for lines in (before, after))
    return Mutant(first + 1, old, new, _statement(source, first + 1), code)


def _shared(some: list[str], others: list[str]) -> int:
    """How many lines both begin with."""
    return next((at for at, (one, other) in enumerate(zip(some, others, strict=False)) if one != other), 0)


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
