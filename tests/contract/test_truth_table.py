"""The short form of the truth table, and that docs/proofs.md says what is declared today."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from connections.spec.provider import Provider
from connections.sync import faults
from connections.transport.oauth import authorization
from portal.onboarding import progress
from tests.contract import proofs_doc
from tests.contract.auth_methods import AuthMethod, auth_methods, simulated
from tests.contract.conditions import Condition, conditions
from tests.contract.customers import Customer
from tests.contract.observing import Observer

COMMAND = "run: python -m pytest tests/contract/truth_table.py"
WAYS = {str(auth_method): auth_method for auth_method in auth_methods()}
SHOWN = proofs_doc.ways(proofs_doc.PLACE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def document() -> str:
    return proofs_doc.PLACE.read_text(encoding="utf-8")


def test_a_few_conditions_of_every_provider_reopen_their_checkpoint_and_no_other(
    arrive: Callable[[AuthMethod], Customer], first_way: AuthMethod, alice: Any, sign_in: Callable[..., Any]
) -> None:
    observer = Observer(arrive(first_way), sign_in(alice))
    observer.go_live()
    planted = [each for each in conditions(first_way) if each.is_short and not each.is_before]
    assert len(planted) > 1
    observations = [observer.observe(each) for each in planted]
    wrong = [f"{each.condition.title}: {each.verdict}; {each.sentence}" for each in observations if each.complaints]
    assert not wrong, "\n".join(wrong)


def test_the_registry_in_the_document_is_up_to_date(document: str) -> None:
    written = document.partition(proofs_doc.OBSERVED)[0].rstrip("\n")
    assert written == proofs_doc.registry().rstrip("\n"), "run: python -m tests.contract.proofs_doc"


@pytest.mark.parametrize("way", SHOWN)
def test_the_document_shows_every_condition_that_is_declared_and_what_must_come_of_it(way: str, document: str) -> None:
    declared = {" ".join(each.title.split()): each for each in conditions(WAYS[way])}
    shown = {row.title: row for row in proofs_doc.rows(document) if row.auth_method == way}
    assert set(shown) == set(declared), COMMAND
    assert [title for title, row in shown.items() if not _is_as_declared(row, declared[title])] == [], COMMAND


def _is_as_declared(row: proofs_doc.DocumentRow, condition: Condition) -> bool:
    codes = condition.codes or ("",)
    return set(row.reopened) == set(condition.reopens) and row.code in codes and not row.verdict.startswith("WRONG")


def test_every_sentence_in_the_document_is_what_is_said_today(document: str) -> None:
    printed = proofs_doc.sentences(document)
    assert {way for way, _code, _sentence in printed} == set(SHOWN)
    old = [
        (way, code, sentence)
        for way, code, sentence in printed
        if not any(re.fullmatch(form, sentence) for form in _forms(WAYS[way].provider, code))
    ]
    assert old == [], COMMAND


def _forms(provider: Provider, code: str) -> list[str]:
    """What this code says, as patterns with anything in the place of names."""
    fault = faults.resolve_fault(provider=provider.slug, code=code)
    texts = [fault.customer_message, fault.names] if fault is not None else []
    texts += [progress.NO_WORD[code]] if code in progress.NO_WORD else []
    for known in (provider.sentences, progress.SENTENCES, authorization.MESSAGES):
        texts += [known[code]] if code in known else []
    parts = [re.split(r"%\([a-z_]+\)s", str(text)) for text in texts if str(text)]
    return [".+".join(re.escape(" ".join(part.split()) if part.strip() else part) for part in each) for each in parts]


def test_at_least_sixty_faults_are_shown_and_nearly_all_of_them_named_rightly(document: str) -> None:
    faults_shown = [row for row in proofs_doc.rows(document) if row.code]
    others = [row.verdict for row in faults_shown if row.verdict != "right"]
    assert len(faults_shown) >= 60
    assert {WAYS[row.auth_method].provider.slug for row in faults_shown} == {each.slug for each in simulated()}
    assert proofs_doc.faults_by_provider(proofs_doc.rows(document)) in document, COMMAND
    assert len(others) <= 0.05 * len(faults_shown)
    assert [verdict for verdict in others if not verdict.startswith("unknown")] == []
