"""The small breaks: what else could stand in the place of an expression or a statement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

Changeable = ast.expr | ast.stmt
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Div,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.UAdd: ast.USub,
    ast.USub: ast.UAdd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_PAIRS = (
    ("lower", "upper"),
    ("lstrip", "rstrip"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("removeprefix", "removesuffix"),
    ("partition", "rpartition"),
)
METHODS = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
STATEMENT = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|SET)\b")
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
    (r"\btrue\b", "false"),
    (r"(?<=[ (])\d+\b", lambda match: str(int(match[0]) + 1)),
)


def changed(node: Changeable) -> Iterator[Changeable]:
    """Everything else that could stand there."""
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)):
            yield from map(ast.Constant, _sql(value) if STATEMENT.match(value) else _texts(value))
        case ast.Constant(value=bytes(value)):
            yield ast.Constant(b"XX" + value + b"XX")
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            yield _with(node, value=ast.Constant("" if _is_none(value) else None))
        case ast.AugAssign(target=target, op=op, value=value):
            yield ast.Assign([target], value)
            yield from (_with(node, op=other) for other in _other(op))
        case ast.BinOp(op=op) | ast.BoolOp(op=op):
            yield from (_with(node, op=other) for other in _other(op))
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield operand
        case ast.UnaryOp(op=op):
            yield from (_with(node, op=other) for other in _other(op))
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                yield from (_with(node, ops=[*ops[:at], other, *ops[at + 1 :]]) for other in _other(op))
        case ast.Call():
            yield from _calls(node)
        case ast.Lambda(body=body):
            yield _with(node, body=ast.Constant(0 if _is_none(body) else None))
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.Match(cases=cases) if len(cases) > 1:
            yield from (_with(node, cases=[*cases[:at], *cases[at + 1 :]]) for at in range(len(cases)))
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Break():
            yield ast.Return()
        case ast.Continue():
            yield ast.Break()


def _calls(node: ast.Call) -> Iterator[ast.Call]:
    """Without one argument, with None for it, or of the method that works from the other side."""
    some, named = node.args, node.keywords
    is_single = len(some) + len(named) == 1
    for at, each in enumerate(some):
        if not is_single:
            yield _with(node, args=[*some[:at], *some[at + 1 :]])
        if not (isinstance(each, ast.Starred) or _is_none(each)):
            yield _with(node, args=[*some[:at], ast.Constant(None), *some[at + 1 :]])
    for at, keyword in enumerate(named):
        if not is_single:
            yield _with(node, keywords=[*named[:at], *named[at + 1 :]])
        if keyword.arg is not None and not _is_none(keyword.value):
            nothing = ast.keyword(keyword.arg, ast.Constant(None))
            yield _with(node, keywords=[*named[:at], nothing, *named[at + 1 :]])
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        other = METHODS.get(name) or ({"split": "rsplit", "rsplit": "split"}.get(name) if not is_single else None)
        if other:
            yield _with(node, func=_with(node.func, attr=other))


def _texts(value: str) -> Iterator[str]:
    yield f"XX{value}XX"
    yield value.lower()
    yield value.upper()


def _sql(value: str) -> Iterator[str]:
    for pattern, other in SQL:
        for match in re.finditer(pattern, value):
            there = other if isinstance(other, str) else other(match)
            yield value[: match.start()] + there + value[match.end() :]


def _other(operator: ast.AST) -> Iterator[ast.AST]:
    if (other := OTHER.get(type(operator))) is not None:
        yield other()


def _with(node: Any, **fields: Any) -> Any:
    """The node with other fields; what is below it stays the same."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
