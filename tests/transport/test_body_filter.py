"""What may be kept of a body: listed fields, cut; of all else kind and length, whatever its shape and size."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from connections.providers import registry
from connections.transport.http import parsing
from connections.transport.log import body_filter
from connections.vault.secret import Secret

PERSONAL = "Maija Keksitty"


def shown_of(values, known=""):
    provider = replace(registry.find("procountor"), open_fields=known)
    return json.loads(body_filter.outline(provider, values))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"id": {"name": "x"}}, {"id": {"name": "(text, 1)"}}),
        ({"id": ["a", {"name": "x"}]}, {"id": ["a", {"name": "(text, 1)"}]}),
        (["a"], ["(text, 1)"]),
        ({"status": True, "count": 1.5}, {"status": True, "count": 1.5}),
        ("free text", "(text, 9)"),
        ({"account_id": 7, "code": 1}, {"account_id": "(number)", "code": "(number)"}),
        ({"status": ("a", "b")}, {"status": ["a", "b"]}),
        ({}, {}),
        ([], []),
    ],
)
def test_only_named_fields_show_their_values(value, shown):
    assert shown_of(value) == shown


@pytest.mark.parametrize(
    "name",
    [PERSONAL, "maija@aamu.fi", "FI2112345600000785", "Virtanen", "K100421", "0401234567", "a1234567", "", "x" * 60],
)
def test_what_is_no_name_of_a_field_is_not_kept_as_one(name):
    assert shown_of({"id": 1, name: 2}) == {"id": 1, "(name 2)": "(number)"}


def test_a_body_is_shown_up_to_a_size():
    many = shown_of({f"f{letter}{other}": {"id": 1} for letter in "abcdefghijklmnop" for other in "abcdefghijklmnop"})
    assert len(many) == 201
    assert many["…"] == "56 more"


def test_no_body_keeps_a_worker_busy(monkeypatch):
    """However it branches, and however long its texts are: each that is searched for secrets costs."""
    searched = []
    monkeypatch.setattr(body_filter, "redact", lambda text: searched.append(text) or text)
    branching = {"rows": [{"rows": [{"status": "x" * 500} for _ in range(9)]} for _ in range(9)]}
    for _ in range(4):
        branching = {f"f{letter}": branching for letter in "abcdefghij"}
    text = body_filter.outline(registry.find("procountor"), branching)
    assert len(text) <= body_filter.MOST_CHARACTERS + 2
    assert 0 < len(searched) <= body_filter.MOST_CHARACTERS / body_filter.LONGEST_VALUE
    searched.clear()
    short = {f"f{a}{b}": {"status": "x"} for a in "abcdefghijklmn" for b in "abcdefghijklmn"}
    body_filter.outline(registry.find("procountor"), {f"g{letter}": short for letter in "abcdefghij"})
    assert 0 < len(searched) <= body_filter.MOST_VALUES


def test_a_secret_that_would_be_cut_is_found_before_it_is():
    secret = Secret("".join(f"k{number}" for number in range(100)))
    for text in (secret.reveal(), f"{'x' * 100} {secret.reveal()}"):
        shown = shown_of({"status": text}, "status")["status"]
        assert "k1k2" not in shown
        assert "•" in shown


def test_xml_is_shown_as_its_values():
    provider = registry.find("pentamic")
    wire = next(wire for name, wire in provider.wires.items() if "xml" in wire.accept)
    document = b"<ArrayOfCustomer><Customer><id>7</id><name>Maija Keksitty</name></Customer></ArrayOfCustomer>"
    body = parsing.parse(document, wire).values
    text = body_filter.outline(provider, body)
    assert PERSONAL not in text
    assert json.loads(text)[0]["name"] == "(text, 14)"


def test_what_nests_for_ever_ends():
    value = "x"
    for _ in range(500):
        value = {"id": [value]}
    assert "…" in json.dumps(shown_of(value), ensure_ascii=False)
    assert list(body_filter._private_values(value, frozenset())) == []


def test_no_field_that_is_shown_sounds_like_a_person_an_account_or_a_secret():
    own = " ".join(provider.open_fields for provider in registry.all_providers().values())
    telling = re.compile(
        "name|mail|phone|street|address1|iban|bic|bank|account_number|token|secret|key|pass|note|text|price|total_?sum"
        "|^total$|amount$|tax|identifier$|code$|vat_id|birth|gender|city|zip"
    )
    harmless = {"languagecode", "explanationcode", "ledgeraccountcode", "countrycode", "page_amount"}
    found = [name for name in f"{body_filter.OPEN_FIELDS} {own}".lower().split() if telling.search(name)]
    assert set(found) <= harmless
