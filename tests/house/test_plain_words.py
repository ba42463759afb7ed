"""Names that only insiders understood are gone from the places where they stood, and public functions say what they do.

The words themselves are good English and may be used elsewhere: judged are files at their old places, and names that are
defined in the room where they meant something private.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import docstrings, papers

# Modules, packages and templates that had a name of their own kind, by what to search for today.
OLD_PLACES = {
    "request_context": ["connections/transport/caller.py"],
    "error_mapping": ["connections/transport/verdict.py"],
    "transport/http": [
        *(f"connections/transport/{name}.py" for name in ("egress", "egress_errors", "names", "links", "heads", "trust")),
        *(f"connections/transport/{name}.py" for name in ("addresses", "bodies", "parsing", "deadline", "proxy")),
    ],
    "transport/oauth": [
        *(f"connections/transport/{name}.py" for name in ("token_request", "grant_store", "leaving", "shield")),
        *(f"connections/transport/{name}.py" for name in ("tokens", "signing", "authorization", "activation")),
    ],
    "transport/limits": [f"connections/transport/{name}.py" for name in ("limiter", "breaker", "retry")],
    "transport/log": [f"connections/transport/{name}.py" for name in ("ledger", "outline", "redaction", "recording")],
    "calls": [f"connections/calls/{name}.py" for name in ("keeping", "looking", "checking", "sending")],
    "slices": ["connections/sync/parts.py"],
    "progress, checklist_page, memberships, shortcuts": [
        "portal/onboarding/walk.py", "portal/onboarding/board.py", "portal/onboarding/reach.py", "portal/members/reach.py",
        "templates/onboarding/walk.html",
    ],
    "dashboard, api_console": ["portal/overview", "portal/calling", "templates/overview", "templates/calling"],
    "bootstrap, maintenance": [
        "portal/operations/founding.py", "portal/operations/upkeep.py",
        "portal/operations/management/commands/found.py", "portal/operations/management/commands/upkeep.py",
    ],
    "process_user, parent_death, stop_signals, locks, banner": [
        f"portal/operations/{name}.py" for name in ("seat", "lifeline", "bell", "claims", "places")
    ],
    "support": [f"portal/support/{name}.py" for name in ("looking", "showing", "posting", "trail", "work")],
    "memberships, shortcuts, pagination, request_log_rows": [
        "portal/members/lookups.py", "portal/onboarding/lookups.py", "portal/dashboard/keyset.py", "portal/dashboard/requests.py",
    ],
    "*_views": [
        *(f"portal/dashboard/{name}.py" for name in ("recordings", "schedules", "server_move")),
        *(f"portal/onboarding/{name}.py" for name in ("activations", "callbacks")),
    ],
    "start_connection, start_login, move_server, connection_disconnected": [
        "templates/onboarding/before.html", "templates/onboarding/departure.html", "templates/dashboard/move.html",
        "templates/dashboard/connection_left.html",
    ],
    "quota_worker, send_worker, certificate_factory, token_pairs": [
        f"tests/transport/{name}.py" for name in ("takers", "senders", "papers", "pairs")
    ],
}  # fmt: skip

# Names of classes, functions, parameters and fields by the room in which nothing may be called so.
OLD_NAMES = {
    "connections/transport/": (
        "Living",
        "Fresh",
        "trade",
        "Given",
        "passage",
        "Caller",
        "caller",
        "give_back",
        "leave",
        "way",
        "word",
    ),
    "connections/tenancy/": ("Fenced", "Unfenced"),
    "connections/vault/": ("HouseKey", "HousePrivateKey", "make_house_key", "found_tenant", "hold_open", "way"),
    "connections/spec/": ("About", "Acts", "acts", "is_told", "way", "ways", "word", "written"),
    "connections/providers/": ("way", "ways"),
    "connections/sync/": ("parts",),
    "connections/jobs/": ("held",),
    "connections/calls/": ("filled", "is_moving", "keeping", "looking", "checking", "sending"),
    "portal/dashboard/": ("is_leaving", "is_watched", "connection_news", "run_news", "news", "way"),
    "portal/api_console/": ("call_news", "news"),
    "portal/onboarding/": (
        "Proof",
        "has_left",
        "lay_out",
        "unreferred",
        "not_ahead",
        "is_watched",
        "activation_news",
        "news",
        "Board",
        "board",
        "Walk",
        "walk",
        "way",
    ),
    "portal/support/": ("Looking",),
}


def defined(source: str) -> Iterator[str]:
    """Names of classes, functions and parameters, and of annotated fields."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def modules_of(room: str) -> list[Path]:
    return [path for path in papers.modules() if str(path.relative_to(papers.REPOSITORY)).startswith(room)]


def is_there(place: Path) -> bool:
    """A folder that holds nothing but what Python has compiled was left by a checkout of before."""
    return place.is_file() or any("__pycache__" not in path.parts for path in place.rglob("*") if path.is_file())


@pytest.mark.parametrize("today", OLD_PLACES)
def test_nothing_stands_at_its_old_place(today: str) -> None:
    assert [place for place in OLD_PLACES[today] if is_there(papers.REPOSITORY / place)] == []


@pytest.mark.parametrize("room", OLD_NAMES)
def test_nothing_has_its_old_name(room: str) -> None:
    assert modules_of(room), "the room is gone: take its line away"
    named = {
        f"{path.relative_to(papers.REPOSITORY)}: {name}"
        for path in modules_of(room)
        for name in defined(papers.text_of(path))
        if name in OLD_NAMES[room]
    }
    assert named == set()


def test_an_old_name_is_seen_wherever_it_is_defined() -> None:
    source = "class Living: pass\ndef trade(word): pass\nclass A:\n    way: str\n    async def passage(self): pass\nx = given\n"
    assert {"Living", "trade", "word", "way", "passage"} <= set(defined(source))
    assert "given" not in set(defined(source)), "the use of a word is no name"


def test_tables_and_commands_have_their_new_names() -> None:
    models = papers.text_of(papers.REPOSITORY / "connections" / "vault" / "key_models.py")
    assert "class SystemKey(" in models
    commands = {path.stem for path in (papers.REPOSITORY / "portal/operations/management/commands").glob("*.py")}
    assert {"bootstrap", "maintenance"} <= commands
    assert commands & {"found", "upkeep"} == set()


# -- nouns ----------------------------------------------------------------------------------------------------------------

# Said of a value they tell how it came and not what it is: a row, an answer, a page.
BARE_PARTICIPLES = {"asked", "found", "given", "kept", "made", "shown", "told", "wanted"}
NOUN_ROOMS = (
    "connections/", "portal/", "tests/sandbox/", "tests/onboarding/", "tests/support/", "tests/operations/",
    "tests/devserver/", "tests/members/", "tests/mutation/", "tests/notices/", "tests/providers/", "tests/rate_limits/",
    "tests/tenancy/", "tests/vault/",
)  # fmt: skip
# Of before the rule: to be renamed, and none may be added. `told` is written into stored positions of lists.
STILL_BARE = {
    "connections/spec/scans.py: told",
    "connections/transport/http/bodies.py: found",
    "connections/transport/log/recording.py: wanted",
    "connections/transport/models.py: kept",
    "portal/dashboard/forms.py: wanted",
    "portal/dashboard/home_page.py: found",
    "portal/dashboard/home_page.py: wanted",
    "portal/dashboard/pagination.py: found",
    "portal/dashboard/pagination.py: shown",
    "portal/dashboard/summaries.py: found",
}


def bound(source: str) -> Iterator[str]:
    """Names of functions, parameters, fields and variables."""
    yield from defined(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


@pytest.mark.parametrize("room", NOUN_ROOMS)
def test_nothing_is_called_by_a_bare_participle(room: str) -> None:
    assert modules_of(room), "the room is gone: take it off the list"
    named = {
        f"{path.relative_to(papers.REPOSITORY)}: {name}"
        for path in modules_of(room)
        for name in bound(papers.text_of(path))
        if name in BARE_PARTICIPLES
    }
    assert named - STILL_BARE == set()


def test_a_participle_is_seen_wherever_it_is_bound() -> None:
    source = "def told(asked): pass\nfor found in x: made = 1\ntry: y\nexcept E as kept: pass\nz(given=shown)\n"
    assert {"told", "asked", "found", "made", "kept"} <= set(bound(source))
    assert {"given", "shown"} & set(bound(source)) == set(), "their use is no name"


# -- one meaning for each name -----------------------------------------------------------------------------------------

# What Django wants to be called so.
ALWAYS = {"Command"}


def places_of_classes() -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for path in docstrings.judged():
        for node in ast.parse(papers.text_of(path)).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(papers.REPOSITORY)))
    return places


def test_a_name_of_a_class_means_one_thing() -> None:
    classes = places_of_classes()
    assert len(classes) > 250
    twice = {name: places for name, places in classes.items() if len(places) > 1 and name not in ALWAYS}
    assert twice == {}


# -- docstrings --------------------------------------------------------------------------------------------------------


def test_public_functions_say_what_they_return_or_raise() -> None:
    """tests/house/docstrings.py says which ones need to."""
    assert len(docstrings.judged()) > 250
    assert {each.place: each.why for each in docstrings.silent()} == {}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def f():\n    raise ValueError(1)", "raises"),
        ("def f():\n    try:\n        g()\n    except E:\n        raise", None),
        ("def f() -> tuple[int, str]:\n    return g()", "returns tuple[int, str]"),
        ("def delay() -> float:\n    return g()", "returns float"),
        ("def delay_seconds() -> float:\n    return g()", None),
        ("def f():\n" + "    g()\n" * 11, "11 lines"),
        ("def f():\n    '''Says it.'''\n    raise ValueError(1)", None),
        ("def _f():\n    raise ValueError(1)", None),
        ("def page(request):\n    raise Http404", None),
        ("@register(Tags.database)\ndef check():\n" + "    g()\n" * 11, None),
        ("class _A:\n    def f(self):\n        raise E(1)", None),
        ("class A:\n    def f(self):\n        raise E(1)", "raises"),
        ("class A:\n    def f(self):\n        raise NotImplementedError", None),
        ("def f():\n    def inner():\n        raise E(1)\n    return inner", None),
    ],
)
def test_the_judge_is_fair(source: str, why: str | None) -> None:
    assert [each.why for each in docstrings.silent_in(source, "planted")] == ([why] if why else [])
