"""Every numbered requirement and fact that code, tests or papers cite stands in docs/security.md, built and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import papers

PLACE = papers.REPOSITORY / "docs" / "security.md"
REQUIREMENT = re.compile(r"\b(?:OAU|SEC|TEN|NET|WEB|STF|LOG|JOB|RTE|OPS)-\d+\b")
FACT = re.compile(r"\bF\d{1,2}\b(?=[).,: ]| to F)")
# Order numbers of a shop there look alike: WEB-1.
ELSEWHERE = papers.REPOSITORY / "tests" / "sandbox"
NOT_BUILT = "not built"


def listed(title: str) -> dict[str, list[str]]:
    """The rows of a section's table by their number."""
    return {cells[0]: cells[1:] for cells in papers.rows(papers.section(papers.text_of(PLACE), title))}


def sources() -> Iterator[Path]:
    """Code, tests and the other papers. This page itself is judged by its rows."""
    yield from (path for path in papers.modules() if ELSEWHERE not in path.parents and path != Path(__file__))
    yield from (paper for paper in papers.papers() if paper != PLACE)


def cited(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Each number with the files that cite it."""
    found: dict[str, list[str]] = {}
    for path in sources():
        for number in pattern.findall(_spoken(path)):
            found.setdefault(number, []).append(str(path.relative_to(papers.REPOSITORY)))
    return found


def _spoken(path: Path) -> str:
    """Comments and docstrings of code, the whole of a paper."""
    text = papers.text_of(path)
    if path.suffix != ".py":
        return text
    return "\n".join(
        re.findall(r"#[^\n]*", text) + re.findall(r'"""(.*?)"""', text, re.DOTALL) + re.findall(r'"[^"\n]*"', text)
    )


def test_what_is_cited_is_listed_and_what_is_listed_is_cited() -> None:
    in_code, on_page = cited(REQUIREMENT), listed("Numbered requirements")
    assert len(in_code) > 10
    assert {number: files for number, files in in_code.items() if number not in on_page} == {}
    assert {
        number for number, cells in on_page.items() if number not in in_code and NOT_BUILT not in cells[1]
    } == set()


def test_facts_that_are_cited_are_listed() -> None:
    on_page = listed("Facts about libraries")
    assert list(on_page) == [f"F{number}" for number in range(1, len(on_page) + 1)]
    assert {number: files for number, files in cited(FACT).items() if number not in on_page} == {}


def test_the_page_cites_what_it_lists() -> None:
    numbers = set(REQUIREMENT.findall(papers.text_of(PLACE)))
    assert numbers == set(listed("Numbered requirements"))


@pytest.mark.parametrize("number", listed("Numbered requirements"))
def test_a_requirement_names_the_code_that_meets_it_and_the_test_that_shows_it(number: str) -> None:
    sentence, built_in, shown_by = listed("Numbered requirements")[number]
    assert sentence.endswith(".")
    if NOT_BUILT in built_in:
        return
    for cell, room in ((built_in, ("connections", "portal")), (shown_by, ("tests",))):
        places = papers.mentions(cell)
        assert places
        assert [place for place in places if not place.startswith(room) or not papers.exists(place)] == []


def test_a_number_that_nobody_explains_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "planted.py"
    module.write_text('"""As RTE-99 asks, and F77."""\nORDER = 1  # OAU-98\n')
    assert set(REQUIREMENT.findall(_spoken(module))) == {"OAU-98", "RTE-99"}
    assert "F77" in _spoken(module)
