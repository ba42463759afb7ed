"""One way to write a time: `connections/spec/times.py`, and `{% moment %}` on pages. Nobody formats one beside it."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils import timezone as django_timezone
from django.utils import translation

from connections.spec.times import format_local_time, format_time
from connections.sync import sentences

SYSTEM_OWNER = Path(__file__).parents[2]
AT = datetime(2026, 11, 29, 18, 56, 7, tzinfo=timezone.utc)
# Django's own ways: in templates the filters, in Python the format settings.
OTHER_WAYS = {
    ".html": re.compile(r"\|\s*(date|time|timesince|timeuntil|naturaltime)\b"),
    ".txt": re.compile(r"\|\s*(date|time|timesince|timeuntil|naturaltime)\b"),
    ".py": re.compile(r"\bdate_format\(|\btime_format\(|DATE_?TIME_FORMAT|localize\(|naturaltime\("),
}
ITSELF = {"connections/spec/times.py", "portal/members/templatetags/reading.py"}


def test_nothing_else_formats_a_time() -> None:
    found = []
    for folder in ("templates", "portal", "connections"):
        for path in sorted((SYSTEM_OWNER / folder).rglob("*.*")):
            name = path.relative_to(SYSTEM_OWNER).as_posix()
            pattern = OTHER_WAYS.get(path.suffix)
            if pattern and name not in ITSELF:
                found += [f"{name}: {each.group()}" for each in pattern.finditer(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/Helsinki", "29 Nov 2026, 20:56 EET"),
        ("Asia/Tehran", "29 Nov 2026, 22:26 UTC+03:30"),
        ("America/St_Johns", "29 Nov 2026, 15:26 NST"),
        ("UTC", "29 Nov 2026, 18:56 UTC"),
    ],
)
def test_a_time_is_written_in_the_readers_zone_and_names_it(zone: str, written: str) -> None:
    with django_timezone.override(zone), translation.override("en"):
        assert format_time(AT) == written


def test_a_sentence_of_a_run_ends_with_one_full_stop() -> None:
    with django_timezone.override("Europe/Helsinki"), translation.override("en"):
        said = sentences.say(sentences.WAITING, {"until": AT.isoformat(), "fault": "none-such"}, "none")
    assert said == "Waiting until 29 Nov 2026, 20:56 EET. none-such"


def test_no_language_ends_a_time_with_a_full_stop() -> None:
    for language in ("en", "fi", "sv", "de", "fr", "fa", "vi"):
        with translation.override(language):
            for month in range(1, 13):
                at = AT.replace(month=month, day=5)
                assert not format_local_time(at).endswith("."), language
                assert not format_local_time(at, seconds=True).endswith("."), language


def test_a_time_on_a_page_is_isolated_and_names_its_zone_and_utc() -> None:
    with django_timezone.override("Europe/Helsinki"), translation.override("en"):
        page = Template("{% load reading %}{% moment at %} {% zone %}").render(Context({"at": AT}))
    assert page.startswith(
        '<time datetime="2026-11-29T18:56:07+00:00" title="29 Nov 2026, 20:56:07 EET = 2026-11-29 18:56:07 UTC"'
        ' dir="auto">29 Nov 2026, 20:56</time>'
    )
    assert "Europe/Helsinki (EE" in page


def test_no_test_fails_because_the_machine_is_busy() -> None:
    """What took long is no finding on a shared machine: half a minute is the least that a test may call too long."""
    limit = re.compile(r"assert time\.\w+\(\) - \w+ <=? (\d+)\b")
    found = [
        f"{path.relative_to(SYSTEM_OWNER)}: {each.group()}"
        for path in sorted((SYSTEM_OWNER / "tests").rglob("test_*.py"))
        for each in limit.finditer(path.read_text())
        if int(each.group(1)) < 30
    ]
    assert found == []
