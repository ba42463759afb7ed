"""The papers of the repository: what they name is there, what they link to is there, and they lean on nothing outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import papers

DECISIONS = papers.REPOSITORY / "docs" / "decisions"
PARTS = ("Context", "Decision", "What it costs", "Alternatives")


def shown(path: Path) -> str:
    return str(path.relative_to(papers.REPOSITORY))


@pytest.mark.parametrize("paper", papers.papers(), ids=shown)
def test_what_a_paper_names_is_there(paper: Path) -> None:
    """Where something of the same name stands elsewhere today, the failure says so."""
    assert papers.missing(papers.text_of(paper)) == {}


@pytest.mark.parametrize("paper", papers.papers(), ids=shown)
def test_what_a_paper_links_to_is_there(paper: Path) -> None:
    assert papers.broken_links(paper) == []


@pytest.mark.parametrize(
    ("mention", "is_there"),
    [
        ("connections/jobs/lease.py", True),
        ("connections/jobs/", True),
        ("connections/jobs/lease.py/", False),
        ("connections/jobs/leases.py", False),
        ("connections/providers/<slug>/faults.py", True),
        ("connections/providers/<slug>/nothing.py", False),
        ("connections.jobs.lease", True),
        ("connections.jobs.lease.Lease", True),
        ("connections.jobs.lease.Lease.check", True),
        ("connections.jobs.lease.Lease.nothing", False),
        ("connections.jobs.registry.QUEUES", True),
        ("connections.jobs.nothing", False),
        ("Makefile", True),
        ("makefile.md", False),
    ],
)
def test_what_is_gone_is_seen(mention: str, is_there: bool) -> None:
    assert papers.mentions(f"a `{mention}` b") == [mention]
    assert (papers.missing(f"a `{mention}` b") == {}) is is_there


def test_the_new_place_of_what_has_moved_is_named() -> None:
    assert papers.missing("`connections.old.place.LeaseLost`") == {
        "connections.old.place.LeaseLost": "connections.jobs.lease.LeaseLost"
    }
    assert papers.missing("`portal/old/lease.py`") == {"portal/old/lease.py": "connections/jobs/lease.py"}


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    paper = tmp_path / "paper.md"
    paper.write_text(
        "# A title\n\n[a](#a-title) [b](#no-title) [c](gone.md) [d](paper.md#a-title) [e](https://x.example)\n"
    )
    assert papers.broken_links(paper) == ["#no-title", "gone.md"]


# -- nothing outside ---------------------------------------------------------------------------------------------------

OUTSIDE = re.compile(r"\b(?:ARCHITECTURE|PERFORMANCE|DEPENDENCIES|STYLE|FIELD|SECURITY)(?:\.md)? \(?F?\d")


def test_papers_and_code_lean_on_no_page_outside_the_repository() -> None:
    sources = [*papers.papers(), papers.REPOSITORY / "pyproject.toml", *papers.modules()]
    cited = {shown(path): match.group() for path in sources if (match := OUTSIDE.search(papers.text_of(path)))}
    assert cited == {}


# -- decisions ---------------------------------------------------------------------------------------------------------


def decisions() -> list[Path]:
    return sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")


def test_decisions_are_numbered_without_a_gap_and_stand_in_the_index() -> None:
    assert [int(path.name[:4]) for path in decisions()] == list(range(1, len(decisions()) + 1))
    index = list(papers.rows(papers.text_of(DECISIONS / "README.md")))
    titles = [papers.text_of(path).splitlines()[0] for path in decisions()]
    expected = [
        [str(number), f"[{title.removeprefix(f'# {number}. ')}]({path.name})"]
        for number, (title, path) in enumerate(zip(titles, decisions(), strict=True), start=1)
    ]
    assert index == expected


@pytest.mark.parametrize("paper", decisions(), ids=lambda path: path.stem)
def test_a_decision_says_why_what_it_costs_and_what_else_there_was(paper: Path) -> None:
    text = papers.text_of(paper)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(PARTS)
    assert all(len(papers.section(text, part)) > 80 for part in PARTS)
    assert len(text.splitlines()) < 80, "a short page"


# -- README ------------------------------------------------------------------------------------------------------------


def test_the_readme_leads_to_every_paper() -> None:
    text = papers.text_of(papers.REPOSITORY / "README.md")
    linked = set(re.findall(r"\]\(([^)#]+)", text))
    wanted = {shown(paper) for paper in papers.papers() if paper.parent != DECISIONS and paper.name != "README.md"}
    assert wanted | {"docs/decisions/README.md"} <= linked


def test_the_commands_of_the_readme_are_there() -> None:
    makefile = papers.text_of(papers.REPOSITORY / "Makefile")
    for paper in papers.papers():
        for target in re.findall(r"\bmake ([a-z][a-z-]*)\b(?=[`\s])", " ".join(papers.quoted(papers.text_of(paper)))):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (shown(paper), target)
        for module in re.findall(r"(?:python -m |^ {4})(tests(?:\.\w+)+)", papers.text_of(paper), re.MULTILINE):
            assert papers.exists(module), (shown(paper), module)
