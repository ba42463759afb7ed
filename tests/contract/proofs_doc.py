"""docs/proofs.md: the registry of proofs from the descriptions, and what was observed of every condition.

    python -m pytest tests/contract/truth_table.py     plants every condition and writes the whole document
    python -m tests.contract.proofs_doc                writes the registry anew and leaves what was observed

The document is read back by test_truth_table.py, so that neither part can fall behind what is declared.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.auth_methods import auth_methods
from tests.contract.conditions import SWITCH

if TYPE_CHECKING:
    from tests.contract.observing import Observation

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / "docs" / "proofs.md"
HEAD = """# Proofs

How each checkpoint is proved, what was made of every condition that the simulators can bring about, and every sentence
that a customer reads of them. The first part is written from the declarations in `connections/providers/`; the others by
planting each condition on a connection of its own (`python -m pytest tests/contract/truth_table.py`, some minutes). A test
fails when the document no longer says what is declared.
"""
OBSERVED = "## What was observed\n"
HEADINGS = ("Condition", "When", "Reopened", "Told as", "Mended by", "Noticed by", "Verdict")
NO_CHECKPOINT = "none"
BEFORE, LIVE = "at set-up", "live"


@dataclass(frozen=True)
class DocumentRow:
    """One line of a table of the document."""

    auth_method: str
    title: str
    reopened: tuple[str, ...]
    code: str
    verdict: str


def registry() -> str:
    """The first part: one table for each provider."""
    from django.utils import translation

    from portal.support.proofs import proof_tables

    with translation.override("en"):
        parts = [HEAD, "## Registry\n"]
        for table in proof_tables():
            parts.append(f"### {table.provider.name}\n")
            parts.append(
                _table(
                    ("Checkpoint", "Auth methods", "Proof", "Requests", "What a false answer could look like"),
                    [
                        (
                            f"{row.checkpoint.title} (`{row.slug}`)",
                            ", ".join(row.checkpoint.auth_methods) or "all",
                            str(row.proof) + ("; a person says that it is meant" if row.is_confirmed else ""),
                            ", ".join(row.requests) or "none",
                            row.checkpoint.false_answer,
                        )
                        for row in table.rows
                    ],
                )
            )
    return "\n".join(parts)


def section(way: str, observations: Sequence[Observation]) -> str:
    """What was observed of one way: a table, the switches that change nothing, and the sentences."""
    quiet = [each for each in observations if each.condition.is_switch and not each.code and not each.complaints]
    parts = [f"### {way}\n", _table(HEADINGS, [_cells(each) for each in observations if each not in quiet])]
    parts.append(f"Switches of the simulator, planted one after the other; nothing reopened ({len(quiet)}):\n")
    parts.append("".join(f"- {_inline(each.condition.title)}\n" for each in quiet))
    parts.append("What the customer reads:\n")
    parts.append("".join(_sentences(observations)))
    return "\n".join(parts)


def write(way: str, observations: Sequence[Observation]) -> None:
    """Put what was observed of one way into the document, and count anew."""
    sections = _sections(PLACE.read_text(encoding="utf-8")) if PLACE.exists() else {}
    sections[way] = section(way, observations)
    PLACE.write_text(assembled(sections), encoding="utf-8")


def assembled(sections: Mapping[str, str]) -> str:
    """The whole document: the registry as it is declared, and these sections by way."""
    body = "\n".join(sections[way].rstrip("\n") + "\n" for way in sorted(sections))
    found = rows(f"{OBSERVED}\n{body}")
    return f"{registry()}\n{OBSERVED}\n{_summary(found)}\n{body}"


def _summary(found: Sequence[DocumentRow]) -> str:
    verdicts = [row.verdict for row in found]

    def count(beginning: str) -> int:
        return sum(verdict.startswith(beginning) for verdict in verdicts)

    observed = {row.auth_method for row in found}
    left = [str(each) for each in auth_methods() if str(each) not in observed]
    return (
        f"{len(found)} conditions were planted, {sum(bool(row.code) for row in found)} of them faults with a cause. Cause, "
        f"checkpoint and name of the thing are right, or nothing is wrong and nothing was said, in {count('right')} cases; "
        f"{count('unknown')} are told as one of several, because the provider's answer is the same; of "
        f"{count('no proof can tell')} no proof can tell. Green although broken: {sum('false green' in v for v in verdicts)}. "
        f"Reopened wrongly: {sum('reopened' in v for v in verdicts)}. Wrong in anything: {count('WRONG')}."
        f" {faults_by_provider(found)}" + (f" **Not observed yet: {', '.join(left)}.**" if left else "") + "\n"
    )


def faults_by_provider(found: Sequence[DocumentRow]) -> str:
    """How many were planted at each, and how many of them were named rightly."""
    providers = {str(each): each.provider for each in auth_methods()}
    planted = Counter(providers[row.auth_method].name for row in found if row.code)
    right = Counter(providers[row.auth_method].name for row in found if row.code and row.verdict == "right")
    return (
        "Faults by provider, and of them right: "
        + "; ".join(f"{name} {planted[name]}, {right[name]}" for name in sorted(planted))
        + "."
    )


def _cells(each: Observation) -> tuple[str, ...]:
    return (
        each.condition.title,
        BEFORE if each.condition.is_before else LIVE,
        ", ".join(f"`{slug}` ({code})" for slug, code in each.reopened.items()) or NO_CHECKPOINT,
        f"`{each.code}`" if each.code else "nothing",
        each.responsible or "nobody",
        each.noticed_by or "nothing to notice",
        each.verdict + (f" ({each.condition.blind})" if each.condition.blind else ""),
    )


def _sentences(observations: Sequence[Observation]) -> Iterator[str]:
    """Each once, with the first condition that led to it and what the page says beside it."""
    seen: set[str] = set()
    for each in observations:
        if not each.sentence or each.sentence in seen:
            continue
        seen.add(each.sentence)
        beside = re.sub(r"Failing since [^.]*\. ?", "", each.page.replace(each.sentence, "")).strip()
        yield f"- `{each.code}`, {_inline(each.condition.title)}: “{_inline(each.sentence)}”" + (
            f" The page adds: “{_inline(beside)}”\n" if beside else "\n"
        )


def rows(document: str) -> list[DocumentRow]:
    """What the tables and lists of the document say, condition by condition."""
    found = []
    for way, text in _sections(document).items():
        for line in text.splitlines():
            cells = [cell.replace("&#124;", "|").strip() for cell in line.strip().strip("|").split(" | ")]
            if len(cells) == len(HEADINGS) and cells[0] not in (HEADINGS[0], "---"):
                slugs = tuple(re.findall(r"`([a-z0-9-]+)` \(", cells[2]))
                code = "" if cells[3] == "nothing" else cells[3].strip("`")
                found.append(DocumentRow(way, cells[0], slugs, code, cells[6]))
            elif line.startswith(f"- {SWITCH}"):
                found.append(DocumentRow(way, line.removeprefix("- "), (), "", "right"))
    return found


def sentences(document: str) -> list[tuple[str, str, str]]:
    """(way, code, sentence) of every sentence that the document prints."""
    return [
        (way, said[1], said[2])
        for way, text in _sections(document).items()
        for line in text.splitlines()
        if (said := re.match(r"- `([A-Za-z0-9_-]+)`, .*?: “(.*?)”(?: The page adds: “.*”)?$", line))
    ]


def _sections(document: str) -> dict[str, str]:
    """What was observed, by way."""
    parts = document.partition(OBSERVED)[2].split("\n### ")[1:]
    return {part.partition("\n")[0]: f"### {part}" for part in parts}


def ways(document: str) -> list[str]:
    """Those of which the document says what was observed."""
    return list(_sections(document))


def _inline(text: str) -> str:
    return " ".join(text.split())


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    written = [head, ["---"] * len(head), *lines]
    return "".join(
        f"| {' | '.join(_inline(str(cell)).replace('|', '&#124;') for cell in line)} |\n" for line in written
    )


def main() -> None:
    os.environ.setdefault("PORTAL_MODE", "demo")
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    PLACE.write_text(assembled(_sections(PLACE.read_text(encoding="utf-8"))), encoding="utf-8")
    sys.stdout.write(f"{PLACE.relative_to(REPOSITORY)} written\n")


if __name__ == "__main__":
    main()
