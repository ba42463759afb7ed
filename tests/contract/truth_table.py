"""The whole truth table: every condition of every way planted, and its part of docs/proofs.md written from what came of it.

    python -m pytest tests/contract/truth_table.py

Takes some minutes, with `-k hesabit` less; a short form of it and the upkeep of the document are in test_truth_table.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import proofs_doc
from tests.contract.auth_methods import AuthMethod
from tests.contract.conditions import conditions
from tests.contract.customers import Customer
from tests.contract.observing import Observer

pytestmark = pytest.mark.timeout(3600)


def test_every_condition_reopens_its_checkpoint_and_no_other(
    arrive: Callable[[AuthMethod], Customer],
    auth_method: AuthMethod,
    alice: Any,
    sign_in: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    observer = Observer(arrive(auth_method), sign_in(alice))
    planted = conditions(auth_method)
    own = []
    for each in planted:
        if not each.is_before and not observer.is_live:
            observer.go_live()
        own.append(observer.observe(each))
        with capsys.disabled():  # it takes minutes: whoever waits sees how far it is
            sys.stdout.write(f"{auth_method} {each.title}: {own[-1].verdict}; {own[-1].sentence}\n")
            sys.stdout.flush()
    proofs_doc.write(str(auth_method), own)
    wrong = [f"{each.condition.title}: {each.verdict}; {each.sentence}" for each in own if each.complaints]
    assert not wrong, "\n".join(wrong)
