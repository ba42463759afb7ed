"""A stand-in for a provider that is written to: Procountor with operations of a made-up ledger of things.

Simulators of providers with real writes come and go with the provider; the rules for lost answers do not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connections.providers import registry
from connections.spec.operations import Arguments, FieldTrouble, FollowUp, LookUp, Operation, Parameter, ParameterPlace
from connections.spec.provider import Provider

THING = {"reference": "R-1", "amount": 1}


def by_reference(sent: Arguments) -> Arguments | None:
    reference = sent.body.get("reference")
    return Arguments(query={"reference": reference}) if reference else None


def found(answer: Any, sent: Arguments) -> Any:
    return [each for each in answer["things"] if each["reference"] == sent.body["reference"]]


def trouble(body: Any) -> list[FieldTrouble]:
    return [FieldTrouble("lines.0.amount", "It must not be negative.")] if body.get("amount", 0) < 0 else []


OPERATIONS = (
    Operation(
        "things.create", "POST", "/things", "Create a thing", (Parameter("mode", choices=("draft", "final")),), THING,
        look_up=LookUp("things.find", by_reference, found), check=trouble,
    ),
    Operation("things.find", "GET", "/things", "Find things", (Parameter("reference"),)),
    Operation(
        "things.get", "GET", "/things/{id}", "Read a thing",
        (Parameter("id", ParameterPlace.PATH, required=True), Parameter("X-Filter", ParameterPlace.HEADER)),
    ),
    Operation("things.drop", "DELETE", "/things/{id}", "Drop a thing", (Parameter("id", ParameterPlace.PATH, required=True),)),
    Operation(
        "things.pay", "POST", "/payments", "Pay for a thing", (), THING,
        follow_up=FollowUp("things.result", "id", "transactionIdentifier", {406: "It was rejected.", 408: "It expired."}),
    ),
    Operation("things.result", "GET", "/results/{id}", "Ask for a result", (Parameter("id", ParameterPlace.PATH),)),
)  # fmt: skip


def doubled() -> Provider:
    """Procountor with these operations beside its own."""
    real = registry.all_providers()["procountor"]
    own = {operation.name for operation in OPERATIONS}
    return replace(real, operations=(*(each for each in real.operations if each.name not in own), *OPERATIONS))
