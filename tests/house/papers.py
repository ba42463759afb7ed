"""Reads the papers of this repository: which files, modules, classes and links they mention, and what of it is missing.

A paper names a file by its whole path in backquotes (`connections/jobs/lease.py`), a class, function or constant by its
dotted name (`connections.jobs.lease.Lease`), and a folder with a slash at its end. `<slug>` and `*` stand for any one name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("portal", "connections", "tests")
FOLDERS = (*ROOMS, "templates", "static", "docs", ".ci")

_QUOTED = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(rf"(?:{'|'.join(re.escape(name) for name in FOLDERS)})/[\w.<>*/-]*")
_DOTTED = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+")
_FILE = re.compile(r"[\w*-]+\.(?:md|toml|in|lock)|manage\.py|Makefile|LICENSE|\.editorconfig|\.gitignore")
# Settings of a database session, which look like names of code.
_SESSION = ("portal.tenant_id", "portal.user_id", "portal.user_name")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def papers() -> list[Path]:
    """Every page of words that belongs to the repository."""
    return [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]


def migrations() -> list[Path]:
    """Those of our packages; a few of them define functions of the database."""
    return [
        path for room in ("connections", "portal") for path in sorted((REPOSITORY / room).glob("*/migrations/0*.py"))
    ]


def text_of(paper: Path) -> str:
    return paper.read_text(encoding="utf-8")


def quoted(text: str) -> list[str]:
    """What stands in backquotes, outside blocks of code."""
    return _QUOTED.findall(_FENCED.sub("", text))


def leaning(text: str) -> list[str]:
    """What stands in italics, in lower case."""
    return [each.lower() for each in re.findall(r"(?<!\*)\*([^*`\n]+)\*(?!\*)", text)]


def mentions(text: str) -> list[str]:
    """Paths and dotted names in backquotes, in the order in which they come."""
    return [each for each in quoted(text) if is_path(each) or is_dotted(each)]


def is_path(mention: str) -> bool:
    return bool(_PATH.fullmatch(mention) or _FILE.fullmatch(mention))


def is_dotted(mention: str) -> bool:
    return bool(_DOTTED.fullmatch(mention)) and mention not in _SESSION


def missing(text: str) -> dict[str, str]:
    """Mentions of what is not there, each with where something of the same name is today ('' where nothing is)."""
    return {each: suggestion(each) for each in mentions(text) if not exists(each)}


def exists(mention: str) -> bool:
    if is_dotted(mention) and not (REPOSITORY / mention).exists():
        return _dotted_exists(mention)
    return bool(places(mention))


def places(path: str) -> list[str]:
    """The files or folders that a path with placeholders stands for, as paths from the root."""
    pattern = re.sub(r"<\w+>", "*", path)
    found = [each for each in REPOSITORY.glob(pattern.rstrip("/")) if "__pycache__" not in each.parts]
    return sorted(str(each.relative_to(REPOSITORY)) for each in found if each.is_dir() or not path.endswith("/"))


def suggestion(mention: str) -> str:
    """Where a file or a class of this name stands, for whoever has moved it."""
    name = mention.rstrip("/").rsplit("." if is_dotted(mention) else "/", 1)[-1]
    found = []
    for path in modules():
        dotted = _dotted_of(path)
        if name in (path.name, path.stem) or (is_dotted(mention) and name in _names(path)):
            found.append(f"{dotted}.{name}" if is_dotted(mention) and name in _names(path) else str(_relative(path)))
    return " or ".join(found)


@cache
def modules() -> tuple[Path, ...]:
    """Every module of ours, migrations left out."""
    found = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
    return tuple(path for path in found if "migrations" not in path.parts and "__pycache__" not in path.parts)


def broken_links(paper: Path) -> list[str]:
    """Links to files or headings of this repository that are not there."""
    broken = []
    for link in _LINK.findall(_FENCED.sub("", text_of(paper))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (paper.parent / path).resolve() if path else paper
        if not target.exists() or (anchor and anchor not in anchors(text_of(target))):
            broken.append(link)
    return broken


def anchors(text: str) -> set[str]:
    """The names by which a page's headings are linked to."""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in _HEADING.findall(_FENCED.sub("", text))
    }


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its rank. Raises LookupError."""
    match = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    if match is None:
        message = f"no heading {title!r}"
        raise LookupError(message)
    rank = len(match[1])
    rest = text[match.start(2) :]
    end = re.search(rf"^#{{1,{rank}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text, without their heads."""
    lines = [*text.splitlines(), ""]
    for line, following in pairwise(lines):
        if line.startswith("|") and not _is_rule(line) and not _is_rule(following):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def _is_rule(line: str) -> bool:
    return bool(re.match(r"\|\s*:?-{3,}", line))


def _relative(path: Path) -> Path:
    return path.relative_to(REPOSITORY)


def _dotted_of(path: Path) -> str:
    return ".".join(_relative(path).with_suffix("").parts).removesuffix(".__init__")


def _dotted_exists(dotted: str) -> bool:
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        base = REPOSITORY.joinpath(*parts[:length])
        path = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if path.is_file():
            return ".".join(parts[length:]) in _names(path) or length == len(parts)
    return False


@cache
def _names(path: Path) -> frozenset[str]:
    """What a module defines: `name` at its top, `Class.name` one floor below."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(_defined(tree.body))


def _defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        yield f"{prefix}{each.id}"
