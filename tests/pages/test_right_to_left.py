"""In a sentence that runs from right to left, times, addresses, names and ids keep their own order."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils import translation

from connections.spec.text import END, ISOLATE, isolate
from connections.spec.times import format_time
from connections.sync import sentences
from portal.members.templatetags.reading import visible

TEMPLATES = sorted((Path(__file__).parents[2] / "templates").rglob("*.html"))
SENTENCE = re.compile(r"{%\s*blocktranslate\b(.*?)%}(.*?){%\s*endblocktranslate\s*%}", re.S)
# What a value of a sentence is made of, when it may be an address, a host, an id or somebody's name.
FOREIGN = re.compile(r"email|_by\b|\bmail\.to\b|host\b|\buser\b|address|company_name|tenant\.name")
# Where no element may stand: in an attribute, a page's title, an option.
PLAIN = re.compile(r'="[^"<>]*$|{%\s*block (?:head_)?title\s*%}[^{]*(?:{%[^%]*%}[^{]*)*$|<option[^>]*>[^<]*$')


def bare_values(text: str) -> list[str]:
    found = []
    for sentence in SENTENCE.finditer(text):
        if PLAIN.search(text[: sentence.start()][-200:]):
            continue
        for name, expression in re.findall(r"(\w+)=(\S+)", sentence[1]):
            values = re.findall(rf"(<bdi[^>]*>)?{{{{\s*{name}\s*}}}}", sentence[2])
            if FOREIGN.search(expression) and "" in values:
                found.append(f"{name}={expression}")
    return found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.as_posix().partition("/templates/")[2])
def test_what_came_from_elsewhere_is_isolated_in_a_sentence(path: Path) -> None:
    assert bare_values(path.read_text()) == []


def test_a_bare_value_is_noticed() -> None:
    assert bare_values("<p>{% blocktranslate with who=run.asked_by %}As {{ who }} asked.{% endblocktranslate %}</p>")


AT = datetime(2026, 11, 29, 18, 56, tzinfo=timezone.utc)


def test_a_time_in_a_plain_sentence_is_isolated_from_right_to_left_and_bare_else() -> None:
    with translation.override("en"):
        assert format_time(AT) == "29 Nov 2026, 18:56 UTC"
        assert isolate("aino@aamu.example") == "aino@aamu.example"
    with translation.override("fa"):
        assert re.fullmatch(f"{ISOLATE}29 .* 2026, 18:56 UTC{END}", format_time(AT))
        said = sentences.say(sentences.CANCELLED, {"who": "aino@aamu.example"}, "none")
        assert said == f"Cancelled by {ISOLATE}aino@aamu.example{END}."
        assert visible(said) == said, "what we isolated ourselves is no hidden character"


def test_a_time_on_a_page_is_an_element_of_its_own_direction() -> None:
    with translation.override("fa"):
        page = Template("{% load reading %}{% moment at %}").render(Context({"at": AT}))
    assert 'dir="auto">' in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u2068abc", "[U+2068]abc"),
        ("abc\u2069", "abc[U+2069]"),
        ("\u2068a\u202eb\u2069", "\u2068a[U+202E]b\u2069"),
        ("\u2068a\u2066b\u2069", "[U+2068]a[U+2066]b[U+2069]"),
    ],
)
def test_what_reorders_the_text_around_it_is_still_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
