"""docs/glossary.md: every word has one line and a place in the code that exists, and every table of ours has a word."""

from __future__ import annotations

import re

from django.apps import apps

from tests.house import papers

GLOSSARY = papers.REPOSITORY / "docs" / "glossary.md"
OURS = ("connections.", "portal.")


def lines() -> list[tuple[str, str, list[str]]]:
    """(word, meaning, dotted names) of each line."""
    found = []
    for cells in papers.rows(papers.text_of(GLOSSARY)):
        assert len(cells) == 3, cells
        found.append((cells[0], cells[1], [each for each in papers.quoted(cells[2]) if papers.is_dotted(each)]))
    return found


def test_every_word_says_where_it_is_in_the_code() -> None:
    assert len(lines()) > 80
    assert [word for word, _meaning, names in lines() if not names] == []
    assert [name for _word, _meaning, names in lines() for name in names if not papers.exists(name)] == []


def test_a_word_with_several_meanings_has_a_place_for_each() -> None:
    numbers = {word: re.findall(r"(?:^|\s)(\d)\. ", meaning) for word, meaning, _names in lines()}
    assert len(numbers["scope"]) == 2
    places = {word: [str(number) for number in range(1, len(names) + 1)] for word, _meaning, names in lines()}
    assert {word: each for word, each in numbers.items() if each and each != places[word]} == {}


def test_the_words_are_in_order_and_stand_there_once() -> None:
    words = [word.lower() for word, *_ in lines()]
    assert words == sorted(words)
    single = [each.strip() for word in words for each in word.split(",")]
    assert len(single) == len(set(single))


def test_a_word_in_italics_has_a_line() -> None:
    """As a plain word or with an ending: *streams* is the line of stream."""
    words = {each.strip().lower() for word, *_ in lines() for each in word.split(",")}
    leaning = {each for _word, meaning, _names in lines() for each in papers.leaning(meaning)}
    staff = {"support", "admin"}  # explained where they stand
    assert {each for each in leaning - staff if not {each, each.removesuffix("s")} & words} == set()


def test_every_table_of_ours_has_a_word() -> None:
    models = {
        f"{model.__module__}.{model.__name__}" for model in apps.get_models() if model.__module__.startswith(OURS)
    }
    named = {name for _word, _meaning, names in lines() for name in names}
    assert models - named == set(), "a new table needs a line in docs/glossary.md"
