"""Writes the picture in docs/architecture.md: the floors from the import contracts, and what each room imports, from the code.

python -m tests.house.architecture_doc

The floors are the contracts of pyproject.toml, which `make check` holds; the words beside them are the first lines of the
rooms themselves, and the arrows are the imports that there are. What stands outside the two marks is written by hand.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

from tests.house.security_sealed import table

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / "docs" / "architecture.md"
BEGIN = "<!-- Below: written by `python -m tests.house.architecture_doc`. -->\n"
END = "<!-- Above: written by `python -m tests.house.architecture_doc`. -->\n"
ROOTS = ("portal", "connections")


@dataclass(frozen=True)
class Building:
    """One contract of floors: the package whose rooms it orders, and its floors from the roof down."""

    package: str
    floors: Sequence[Sequence[str]]

    @property
    def rooms(self) -> list[str]:
        return [room for floor in self.floors for room in floor]


def document(written: str) -> str:
    """The whole page; `written` is the page as it is. Raises LookupError where it has lost its marks."""
    before, begin, rest = written.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        message = "docs/architecture.md has lost a mark of what is written by a program"
        raise LookupError(message)
    return before + BEGIN + generated() + END + after


def buildings() -> list[Building]:
    """Every contract of floors that stands for one package, the outer packages first."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    found = [
        Building(package, [re.findall(r"\w+", floor) for floor in contract["layers"]])
        for contract in contracts["contracts"]
        if contract["type"] == "layers"
        for package in contract.get("containers", [])
    ]
    return sorted(found, key=lambda building: building.package.count("."))


def generated() -> str:
    """The marked part of the page."""
    graph = imports()
    parts = []
    for building in buildings():
        parts.append(f"### `{building.package}`\n")
        parts.append("```\n" + "".join(f"{'  |  '.join(floor)}\n" for floor in building.floors) + "```\n")
        rows = [(f"`{room}`", purpose(building, room), used(building, room, graph) or "–") for room in building.rooms]
        parts.append(table(("Package", "What it is for", "imports"), rows))
    found = circles({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    told = "; ".join(" → ".join(f"`{name}`" for name in circle) for circle in found)
    parts.append(f"Cycles of imports among modules, those for the type checker alone included: {told or 'none'}.\n")
    return "\n" + "\n".join(parts) + "\n"


def imports() -> grimp.ImportGraph:
    """Who imports whom, module by module; imports for the type checker alone count like all others."""
    return grimp.build_graph(*ROOTS, cache_dir=None)


def purpose(building: Building, room: str) -> str:
    """The first sentence that the room says of itself."""
    base = REPOSITORY.joinpath(*building.package.split("."), room)
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sentence = " ".join(said.split("\n\n")[0].split())
    return re.sub(r"SECURITY ([A-Z]+-\d+)", r"[\1](security.md#numbered-requirements)", sentence)


def used(building: Building, room: str, graph: grimp.ImportGraph) -> str:
    """The rooms that it imports: those of its own building by their names, those of another with its name before them."""
    name = f"{building.package}.{room}"
    inside = {name, *graph.find_descendants(name)}
    targets = {target for module in inside for target in graph.find_modules_directly_imported_by(module)} - inside
    mine = [each for each in building.rooms if _is_in(targets, f"{building.package}.{each}")]
    others = [
        f"{other.package}.{each}"
        for other in buildings()
        if other.package in ROOTS and other.package != building.package and building.package in ROOTS
        for each in other.rooms
        if _is_in(targets, f"{other.package}.{each}")
    ]
    return ", ".join([*mine, *others])


def _is_in(targets: set[str], room: str) -> bool:
    return any(target == room or target.startswith(f"{room}.") for target in targets)


def circles(imported: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules in which each one reaches every other (Tarjan), sorted by name."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for root in sorted(imported):
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(sorted(imported[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, targets = work[-1]
            target = next(
                (each for each in targets if each in imported and (each not in index or each in stack)), None
            )
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = stack[stack.index(node) :]
                    del stack[stack.index(node) :]
                    found += [sorted(group)] if len(group) > 1 else []
            elif target in index:
                low[node] = min(low[node], index[target])
            else:
                index[target] = low[target] = len(index)
                stack.append(target)
                work.append((target, iter(sorted(imported[target]))))
    return sorted(found)


def main() -> None:
    PLACE.write_text(document(PLACE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PLACE.relative_to(REPOSITORY)} written\n")


if __name__ == "__main__":
    main()
