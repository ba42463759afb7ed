"""A number that a constant decides stands in no sentence: the constant fills it in. What the handbook repeats is compared."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name

import pytest
from django.conf import settings
from django.utils.translation import override

from connections.spec.text import duration
from connections.sync import engine
from connections.transport.limits import retry
from connections.transport.log import recording
from portal.devserver import supervisor, up
from portal.notices import mail
from portal.onboarding import probing
from portal.operations import checks, health, web_server
from tests.house.test_words import REPOSITORY, files, modules, shown

TRANSLATED = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
COUNT = (
    r"(?:\d[\d,.]*|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|sixty|ninety|hundred|thousand|half an?|a quarter of an)"
)
UNIT = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|kB|MB|bytes?|characters?|addresses|networks)"
NUMBER = re.compile(rf"\b{COUNT}[ -]{UNIT}\b(?! (?:factor|link|time)\b)", re.IGNORECASE)
IN_TEMPLATES = re.compile(r'{% translate "([^"]*)"|{% blocktranslate[^%]*%}(.*?){% endblocktranslate', re.DOTALL)
# Not ours to decide, or no decision of a constant's.
ALLOWED = {
    ("portal/support/filters.py", "24 hours"): "the name of a choice, whose value says the same beside it",
    ("portal/support/filters.py", "7 days"): "the same",
    ("portal/support/filters.py", "30 days"): "the same",
    **{
        (place, span): "the same"
        for place, spans in {
            "portal/support/request_filters.py": (
                "15 minutes",
                "6 hours",
                "24 hours",
                "7 days",
                "30 days",
                "365 days",
            ),
            "templates/admin/transport/requestlogentry/change_list.html": ("24 hours", "7 days", "30 days"),
        }.items()
        for span in spans
    },
    ("portal/members/mailing.py", "a day"): "a sum of pauses, see below",
    ("templates/notices/demo_mails.html", "a second"): "how quick a worker is",
}


def sentences() -> Iterator[tuple[str, str]]:
    """Place and text of all that is translated. Providers' folders quote their providers, who decide by themselves."""
    for path in modules():
        if "providers" in path.parts or "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in TRANSLATED:
                for given in node.args:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield shown(path), given.value
    for path in files(".html", ".txt"):
        if "sandbox" not in path.parts and path.is_relative_to(REPOSITORY / "templates"):
            for short, long in IN_TEMPLATES.findall(path.read_text(encoding="utf-8")):
                yield shown(path), " ".join((short or long).split())


def test_no_sentence_repeats_what_a_constant_decides() -> None:
    found = {(place, match[0], text) for place, text in sentences() for match in NUMBER.finditer(text)}
    wrong = sorted(each for each in found if each[:2] not in ALLOWED)
    assert {each[:2] for each in found} >= ALLOWED.keys(), "no such sentence any more"
    assert wrong == [], "let the constant say it: `duration` of connections/spec/text.py, or the tag of the same name"


@pytest.mark.parametrize(
    "text", ["older than ten minutes", "at most 256 kB", "in two minutes.", "half an hour", "a day later"]
)
def test_such_a_sentence_would_be_found(text: str) -> None:
    assert NUMBER.search(text)


def test_every_constant_that_a_template_names_is_there() -> None:
    named = {
        (shown(path), name)
        for path in files(".html", ".txt")
        for name in re.findall(r'{% duration "([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    for place, name in named:
        assert isinstance(resolve_name(name), (timedelta, int, float)), place


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=10), "10 minutes"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (timedelta(hours=24), "1 day"),
        (3 * 86_400, "3 days"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (0, "0 seconds"),
    ],
)
def test_a_duration_is_said_in_its_largest_whole_unit(span: timedelta | float, words: str) -> None:
    with override("en"):
        assert str(duration(span)) == words


def test_mail_that_cannot_be_delivered_is_tried_for_about_a_day() -> None:
    """As portal/members/mailing.py says, which stands below the room that decides it."""
    assert 0.75 < sum(mail.RETRY_WAITS_SECONDS) / 86_400 < 1.5


# What the handbook repeats, and who decides it.
HANDBOOK = {
    "README.md": [
        f"made anew every {health.RECHECK_SECONDS:.0f} seconds",
        f"shows {('no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight')[web_server.THREADS]} pages at a time",
        f"looked for | {settings.JOBS_LEASE_SECONDS:.0f}, {settings.JOBS_SWEEP_SECONDS:.0f} |",
        f"the simulators take the next {('ten', 'eleven', 'twelve')[up.SIMULATOR_PORTS - 9]}",
        f"besides the current one | {settings.REQUEST_LOG_MONTHS} |",
        f"for {'an hour' if recording.LONGEST_RECORDING_MINUTES == 60 else recording.LONGEST_RECORDING_MINUTES} at most",
        f"deleted after {'a day' if timedelta(days=1) == recording.KEPT_FOR else recording.KEPT_FOR}",
        f"at least {checks.MIN_SECRET_KEY_CHARACTERS} characters",
    ],
    "docs/architecture.md": [
        f"reads for one *turn* of {engine.TURN_SECONDS:.0f} seconds",
        f"its waits stay below {retry.LONGEST_RETRY_WAIT_SECONDS:.0f} seconds in all",
        f"it began less than {retry.LONGEST_CALL_SECONDS:.0f} seconds ago",
        f"a check of a checkpoint, for {duration(probing.PATIENCE)},",
        f"a {('tenth', 'fifth')[round(retry.RETRIES_PER_CALL * 10) - 1]} of this process's calls",
    ],
}


@pytest.mark.parametrize(("page", "phrase"), [(page, each) for page, phrases in HANDBOOK.items() for each in phrases])
def test_the_handbook_says_what_is(page: str, phrase: str) -> None:
    assert phrase in " ".join((REPOSITORY / page).read_text(encoding="utf-8").split())


def test_giving_up_takes_a_quarter_of_an_hour() -> None:
    """As the supervisor's own words say."""
    waits = [
        supervisor.RESTART_WAITS_SECONDS[min(count, len(supervisor.RESTART_WAITS_SECONDS)) - 1]
        for count in range(1, supervisor.MAX_ENDS_IN_A_ROW + 1)
    ]
    assert Path(supervisor.__file__).read_text(encoding="utf-8").count("quarter of an hour") == 1
    assert 10 * 60 < sum(waits) < 20 * 60
