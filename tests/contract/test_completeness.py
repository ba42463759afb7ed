"""Every provider is whole: what it names is there, and every sentence is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connections.providers.registry import all_providers
from connections.spec.changes import AnnouncedChange, ChangeKind
from connections.spec.checklist import Probe
from connections.spec.faults import FaultCatalogue
from connections.spec.provider import Provider
from tests.contract.completeness import complaints


@pytest.mark.parametrize("provider", all_providers().values(), ids=all_providers())
def test_nothing_is_missing(provider: Provider) -> None:
    assert complaints(provider) == []


WHOLE = next(iter(all_providers().values()))
FAULT = WHOLE.faults.unknown
CHECKPOINT = WHOLE.checklist[0]
PROBED = next(each for each in WHOLE.checklist if isinstance(each.proof, Probe))
STREAM = WHOLE.streams[0]
OPERATION = WHOLE.operations[0]
CHANGE = AnnouncedChange("new-consent", ChangeKind.CONSENT, date(2027, 3, 1), "A.", "B.", "C.", "an invented letter")


def faults(**changed: Any) -> FaultCatalogue:
    return replace(WHOLE.faults, unknown=replace(FAULT, **changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"operations": WHOLE.operations[1:]}, OPERATION.name),
        ({"operations": [replace(OPERATION, source="", name="x"), *WHOLE.operations]}, "operation x has no source"),
        ({"operations": [replace(OPERATION, path="/x/{id}", name="x"), *WHOLE.operations]}, "does not declare id"),
        ({"streams": [replace(STREAM, operation="nothing.list")]}, "nothing.list"),
        ({"streams": [replace(STREAM, label=" ")]}, "has no label"),
        ({"faults": faults(checkpoint="nowhere")}, "leads to nowhere"),
        ({"faults": faults(customer_message="")}, "no sentence for customer_message"),
        ({"faults": faults(staff_message="")}, "no sentence for staff_message"),
        ({"checklist": [replace(CHECKPOINT, why=""), *WHOLE.checklist[1:]]}, "says no why"),
        ({"checklist": [replace(CHECKPOINT, who=""), *WHOLE.checklist[1:]]}, "says no who"),
        ({"checklist": [replace(CHECKPOINT, false_answer=" "), *WHOLE.checklist[1:]]}, "what a false answer could"),
        ({"checklist": [replace(PROBED, asks=()), *WHOLE.checklist]}, "a probe that asks nothing"),
        ({"checklist": [replace(PROBED, asks=("nothing",)), *WHOLE.checklist]}, "asks nothing, which is no operation"),
        ({"checklist": [replace(CHECKPOINT, needs=("nothing",)), *WHOLE.checklist[1:]]}, "needs nothing"),
        ({"checklist": [replace(CHECKPOINT, fields=("nothing",)), *WHOLE.checklist[1:]]}, "asks for nothing"),
        ({"checklist": WHOLE.checklist[:-1]}, "never looks at the first sync"),
        ({"sentences": {**WHOLE.sentences, "empty": ""}}, "sentence empty is empty"),
        ({"sentences": {}}, "for which there is no sentence"),
        ({"changes": [replace(CHANGE, source="")]}, "change new-consent says no source"),
        ({"changes": [replace(CHANGE, checkpoint="nowhere")]}, "is made at nowhere"),
        ({"changes": [replace(CHANGE, auth_methods=("nothing",))]}, "concerns nothing"),
        ({"assumptions": ()}, "no assumptions"),
        ({"slug": "nobody"}, "no logo static/providers/nobody.svg"),
        ({"slug": "nobody"}, "no simulator"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_missing_is_said(changed: dict[str, Any], said: str) -> None:
    assert any(said in complaint for complaint in complaints(replace(WHOLE, **changed)))
