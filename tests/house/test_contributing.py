"""The lists of CONTRIBUTING.md name the files that a change touches: compared with an example that is in the code already."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from connections.providers.registry import all_providers
from portal.operations import maintenance
from tests.house import papers

PAPER = papers.REPOSITORY / "CONTRIBUTING.md"
# Where an example's words may stand without being part of the change: what was written once, and what is written by programs.
ASIDE = ("migrations", "drills", "docs")
QUESTIONS = (
    "A page of a connection",
    "How a 429 is waited for",
    "A sixth provider",
    "Who may disconnect, or do anything else",
    "A column of the request log",
    "The sentence for a revoked key",
    "A new kind of job",
    "An encrypted field",
    "How long the request log is kept",
    "A language",
)


def list_of(title: str) -> tuple[list[str], list[str], list[str]]:
    """(words of the example, paths that are always touched: the first of each line, every path that is named)."""
    text = papers.section(papers.text_of(PAPER), title)
    example = re.search(r"^Example: (.+)$", text, re.MULTILINE)
    lines = re.findall(r"^\d+\. (.*(?:\n {3,}.*)*)", text, re.MULTILINE)
    always = [
        first for line in lines if not line.startswith("If ") and (first := next(iter(papers.mentions(line)), ""))
    ]
    return papers.quoted(example[1]) if example else [], always, papers.mentions(text)


@cache
def sources() -> dict[str, str]:
    """Code, templates and tests: their texts by their paths."""
    found = {}
    for room in ("portal", "connections", "templates", "tests"):
        for path in (papers.REPOSITORY / room).rglob("*"):
            is_ours = path.suffix in (".py", ".html", ".txt") and not set(path.parts) & set(ASIDE)
            if is_ours and path != Path(__file__):
                found[str(path.relative_to(papers.REPOSITORY))] = papers.text_of(path)
    return found


def footprint(words: list[str]) -> set[str]:
    """Files that say one of the words, or are named by it."""
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words))
    return {path for path, text in sources().items() if Path(path).stem in words or pattern.search(text)}


def lists() -> list[str]:
    text = papers.section(papers.text_of(PAPER), "Lists")
    return re.findall(r"^### (.+)$", text, re.MULTILINE)


WITH_EXAMPLE = [title for title in lists() if list_of(title)[0]]


def test_there_is_a_list_for_each_common_change() -> None:
    assert len(lists()) == len(QUESTIONS) + 1
    assert set(lists()) - set(WITH_EXAMPLE) == {"Add a provider"}, "it has five examples, by their slugs"


@pytest.mark.parametrize("title", WITH_EXAMPLE)
def test_the_example_stands_in_every_file_that_a_list_always_touches(title: str) -> None:
    words, always, _named = list_of(title)
    ours = {path for path in always if path in sources()}
    assert ours
    assert ours - footprint(words) == set()


@pytest.mark.parametrize("title", WITH_EXAMPLE)
def test_no_code_with_the_example_is_missing_from_the_list(title: str) -> None:
    """Code and templates; tests of other matters may use the example, too."""
    words, _always, named = list_of(title)
    code = {path for path in footprint(words) if not path.startswith("tests/")}
    assert code - set(named) == set()


def test_a_page_is_listed_with_every_file_that_names_it() -> None:
    """The tests as well, for this list."""
    words, _always, named = list_of("Add a page of a connection")
    assert footprint(words) - set(named) == set()


LINK_TO_PAGE = re.compile(r"(?:href|action)=\"\{% url '(\w+)' tenant\.slug")
TRAIL = re.compile(r"\{% block trail %\}.*?\{% endblock trail %\}", re.DOTALL)


def links_by_template() -> dict[str, set[str]]:
    """The table of the list of pages: which template has the link to which URL name."""
    table = papers.rows(papers.section(papers.text_of(PAPER), "Add a page of a connection"))
    return {papers.mentions(cells[0])[0]: set(papers.quoted(cells[1])) for cells in table if papers.mentions(cells[0])}


def test_the_list_of_pages_says_where_their_links_stand() -> None:
    written = links_by_template()
    assert len(written) == 6
    found = {
        template: set(LINK_TO_PAGE.findall(TRAIL.sub("", papers.text_of(papers.REPOSITORY / template))))
        for template in written
    }
    assert found == written, "the table of CONTRIBUTING.md, at `Add a page of a connection`"


def views_of(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """The modules of ours whose functions answer addresses."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from views_of(each.url_patterns)
        elif each.callback.__module__.startswith("portal."):
            yield each.callback.__module__


# Classes that stand in for allauth's own; and Django's admin, whose views are methods of its classes.
OTHER_VIEWS = ("portal.members.account_pages", "portal.admin_site", "portal.support.")


def test_views_are_in_modules_that_are_called_so() -> None:
    modules = set(views_of(get_resolver().url_patterns))
    assert len(modules) > 8
    assert {
        module
        for module in modules
        if not module.startswith(OTHER_VIEWS)
        and not (module.endswith(("_views", ".views")) or module.rpartition(".")[0].endswith(".views"))
    } == set()


def test_beat_runs_the_sweep_alone() -> None:
    """Whoever looks for a place of something periodic is sent elsewhere."""
    assert "Celery's beat runs `sweep` alone" in papers.text_of(PAPER)
    assert set(settings.CELERY_BEAT_SCHEDULE) == {"sweep"}


@pytest.mark.parametrize("slug", sorted(all_providers()))
def test_a_provider_has_the_files_that_the_list_names_and_no_others(slug: str) -> None:
    assert misfiled(slug, papers.REPOSITORY) == (set(), set())


def test_the_smallest_provider_has_them_too() -> None:
    """It is put beside the others by the contract's tests, without tests of its simulator and a second server."""
    absent, unlisted = misfiled("kuvitelma", papers.REPOSITORY / "tests" / "contract" / "sixth")
    assert {path for path in absent if not path.startswith("tests/")} == set()
    assert unlisted == set()


def misfiled(slug: str, root: Path) -> tuple[set[str], set[str]]:
    """(files that the list asks for and that are not there, files of the provider's own outside of what it names)."""
    _words, always, named = list_of("Add a provider")
    needed = {path.replace("<slug>", slug) for path in always if "<slug>" in path}
    own = tuple(path.replace("<slug>", slug) for path in named if "<slug>" in path and "<checkpoint>" not in path)
    there = {
        str(path.relative_to(root))
        for room in ("connections", "static", "templates", "tests")
        for path in (root / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and slug in path.relative_to(root).with_suffix("").parts
    }
    # Beyond the list, its folder may have modules that are named for what they do.
    room = f"connections/providers/{slug}/"
    unlisted = {path for path in there if not path.startswith((*own, room, "tests/contract/sixth/"))}
    return {path for path in needed if not (root / path).exists()}, unlisted


# Rows of a release of before, which had the providers that it had.
OF_THE_PAST = {"tests/operations/test_upgrade.py"}


def entries(tree: ast.Module, slugs: frozenset[str]) -> Iterator[frozenset[str]]:
    """The slugs that each literal of a module names, by a text or a class, and those that its classes are named for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict | ast.List | ast.Set | ast.Tuple):
            said = [str(getattr(each, "value", getattr(each, "id", ""))).lower() for each in ast.walk(node)]
            yield frozenset(slug for slug in slugs if any(word.startswith(slug) for word in said))
    classes = [node.name.lower() for node in tree.body if isinstance(node, ast.ClassDef)]
    yield frozenset(slug for slug in slugs if any(name.startswith(slug) for name in classes))


def test_every_file_with_an_entry_for_each_provider_is_listed() -> None:
    slugs = frozenset(all_providers())
    named = set(list_of("Add a provider")[2])
    with_entries = {
        str(path.relative_to(papers.REPOSITORY))
        for path in papers.modules()
        if all(slug in papers.text_of(path).lower() for slug in slugs)  # few do, and the others need not be read
        and slugs in entries(ast.parse(papers.text_of(path)), slugs)
    }
    assert with_entries & named, "nothing is looked at"
    assert with_entries - named - OF_THE_PAST == set()


@pytest.mark.parametrize(
    ("source", "is_whole"),
    [
        ("{'one': 1, 'two': 2}", True),
        ("X = [(One, 'a'), (TwoWays, 'b')]", True),
        ("class One: ...\nclass Two: ...", True),
        ("{'one': 1}", False),
        ("X = ['one']\nY = ['two']", False),
    ],
)
def test_an_entry_for_each_is_seen(source: str, is_whole: bool) -> None:
    both = frozenset(("one", "two"))
    assert (both in entries(ast.parse(source), both)) is is_whole


GENERATED = {
    "docs/roles.md": "tests.house.roles_doc",
    "docs/security.md": "tests.house.security_doc",
    "docs/providers.md": "tests.contract.providers_doc",
    "docs/architecture.md": "tests.house.architecture_doc",
    "tests/house/schema.txt": "tests.house.schema",
}


def generated_part(paper: str) -> str:
    text = papers.text_of(papers.REPOSITORY / paper)
    _before, _mark, rest = text.partition("<!-- Below: written by")
    return rest.partition("<!-- Above: written by")[0] or text


@pytest.mark.parametrize("paper", GENERATED)
def test_a_paper_that_is_written_anew_is_on_the_list_with_its_command(paper: str) -> None:
    """Where the words of an example stand in it, and in the provider's list those that name every provider."""
    part = generated_part(paper)
    text = papers.text_of(PAPER)
    wanted = {title for title in WITH_EXAMPLE if any(word in part for word in list_of(title)[0])}
    if all(provider.name in part for provider in all_providers().values()):
        wanted.add("Add a provider")
    assert [title for title in wanted if f"`{paper}`" not in papers.section(text, title)] == []
    assert f"`python -m {GENERATED[paper]}`" in papers.section(text, "Lists") or not wanted


@pytest.mark.parametrize("title", lists())
def test_whoever_adds_a_migration_is_told_what_goes_with_it(title: str) -> None:
    _words, _always, named = list_of(title)
    is_migration = any(
        line for line in papers.section(papers.text_of(PAPER), title).splitlines() if ". A migration" in line
    )
    beside = {"tests/house/migrations.sha256", "tests/house/schema.txt"}
    assert not is_migration or beside - set(named) == set()


def test_the_ten_questions_have_a_first_file() -> None:
    answers = {
        cells[0]: papers.mentions(cells[1])
        for cells in papers.rows(papers.section(papers.text_of(PAPER), "Where do I look?"))
    }
    assert [question for question in QUESTIONS if question not in answers] == []
    assert all(places and all(map(papers.exists, places)) for places in answers.values())


def test_whatever_ends_after_a_time_has_its_line() -> None:
    told = papers.quoted(papers.section(papers.text_of(PAPER), "Change how long something is kept"))
    mine = {
        f"{maintenance.__name__}.{name}"
        for name in vars(maintenance)
        if name.endswith("_KEPT") and name != "ANSWERS_KEPT"
    }
    assert mine - set(told) == set()
    assert [name for name in told if name.startswith("SESSION_") and not hasattr(settings, name)] == []


def test_a_list_that_lies_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = papers.text_of(PAPER).replace("`static/providers/<slug>.svg`", "`static/providers/<slug>.png`")
    monkeypatch.setattr("tests.house.test_contributing.PAPER", tmp_path / "paper.md")
    (tmp_path / "paper.md").write_text(written)
    slug = sorted(all_providers())[0]
    expected = ({f"static/providers/{slug}.png"}, {f"static/providers/{slug}.svg"})
    assert misfiled(slug, papers.REPOSITORY) == expected


def test_words_are_found_whole_and_in_names_of_files() -> None:
    assert "portal/dashboard/urls.py" in footprint(["recorded_call"])
    assert "templates/dashboard/recorded_call.html" in footprint(["recorded_call"])
    assert footprint(["no_such_word_anywhere"]) == set()
    assert "portal/members/request_labels.py" not in footprint(["recorded_call"])
