"""Every declared operation of every provider, called once at its simulator with its example: done, or refused as documented."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from connections.spec.errors import CallFailed, Forbidden, Rejected, Unauthorized
from connections.spec.grants import AuthorizationCode
from connections.spec.operations import Arguments, Operation, Parameter, ParameterPlace
from tests.contract.auth_methods import AuthMethod
from tests.contract.customers import Customer
from tests.roles import acting_as

# In this order, so that what is to be changed is there and what is deleted is not needed any more.
ORDER = ("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE")
REFUSALS = (Rejected, Forbidden)
SLOW = 30.0


@dataclass(frozen=True)
class Tried:
    """How one call ended: the status of a good answer, or the fault of a refusal."""

    operation: Operation
    status: int = 0
    failed: CallFailed | None = None

    def __str__(self) -> str:
        return f"{self.operation.name}: {self.status or f'{type(self.failed).__name__} {self.failed.fault.code}'}"  # type: ignore[union-attr]


def test_every_operation_is_answered_or_refused_as_documented(first: Customer) -> None:
    ends = {grant.logout for grant in first.provider.grants if isinstance(grant, AuthorizationCode)}
    linked = first.provider.activation
    others = {linked.show, linked.decide} if linked else set()  # called as ourselves, not for a customer
    operations = sorted(first.provider.operations, key=lambda each: (each.name in ends, ORDER.index(each.method)))
    ids = Ids(first)
    tried = [call(first, operation, ids) for operation in operations]
    assert [str(each) for each in tried if not is_fine(first, each, others)] == []
    reads = [each for each in tried if each.operation.method == "GET" and each.operation.name not in others]
    assert [str(each) for each in reads if each.status == 0 and ids.is_real(each.operation)] == []
    asked = first.simulator.state()["calls_by_operation"]
    assert [name for name in asked if "unknown path" in name] == [], "the simulator has no such call"


def call(customer: Customer, operation: Operation, ids: Ids) -> Tried:
    begun = time.monotonic()
    try:
        with acting_as("worker"):
            reply = customer.client().send(operation.name, filled(operation, ids))
    except CallFailed as failed:
        return Tried(operation, failed=failed)
    finally:
        assert time.monotonic() - begun < SLOW, operation.name
    return Tried(operation, status=reply.status)


def is_fine(customer: Customer, tried: Tried, others: set[str]) -> bool:
    if tried.failed is None:
        return True
    customer.knows(tried.failed.fault.code)
    refusals = (*REFUSALS, Unauthorized) if tried.operation.name in others else REFUSALS
    is_known = tried.failed.fault.code != customer.provider.faults.unknown.code
    return isinstance(tried.failed, refusals) and is_known


class Ids:
    """Ids that exist at the simulator, by the list they are in: `/things/{id}` takes one that `/things` shows."""

    def __init__(self, customer: Customer) -> None:
        provider = customer.provider
        self._known: dict[str, str] = {}
        for stream in provider.streams:
            found = customer.simulator.records(stream.name)
            path = provider.operation(stream.operation).path
            if found and "{" not in path:
                self._known[path] = str(found[0][stream.key])

    def of(self, operation: Operation) -> str:
        """'' where nobody lists what this operation is about."""
        return self._known.get(operation.path.partition("/{")[0], "")

    def is_real(self, operation: Operation) -> bool:
        return operation.path.count("{") == 0 or (operation.path.count("{") == 1 and bool(self.of(operation)))


def filled(operation: Operation, ids: Ids) -> Arguments:
    """Everything that must be there, from the examples the description gives."""
    values: dict[ParameterPlace, dict[str, str]] = {place: {} for place in ParameterPlace}
    for parameter in operation.parameters:
        if parameter.place is ParameterPlace.PATH or parameter.required:
            values[parameter.place][parameter.name] = value(parameter, operation, ids)
    return Arguments(
        values[ParameterPlace.PATH], values[ParameterPlace.QUERY], values[ParameterPlace.HEADER], operation.example
    )


def value(parameter: Parameter, operation: Operation, ids: Ids) -> str:
    known = ids.of(operation) if parameter.place is ParameterPlace.PATH else ""
    return known or parameter.example or next(iter(parameter.choices), "1")


@pytest.mark.parametrize("answer", ["<html>", '{"a": '])
def test_an_operation_that_is_answered_with_rubbish_is_not_fine(first: Customer, answer: str) -> None:
    """The test above can fail."""
    first.ask()
    operation = first.provider.operation(first.first_list.operation)
    first.simulator.faults({"status": 200, "body": answer, "times": None})
    assert not is_fine(first, call(first, operation, Ids(first)), set())


def test_filters_take_every_declared_parameter(
    arrive: Callable[[AuthMethod], Customer], first_way: AuthMethod
) -> None:
    """Every parameter that has an example, alone, is a thing that its list or call accepts."""
    customer = arrive(first_way).connect()
    ids = Ids(customer)
    refused: dict[str, Any] = {}
    with acting_as("worker"):
        client = customer.client()
        for operation in customer.provider.operations:
            if operation.is_write or not ids.is_real(operation):
                continue
            for parameter in operation.parameters:
                given = parameter.example or next(iter(parameter.choices), "")
                if parameter.place is not ParameterPlace.QUERY or not given:
                    continue
                asked = filled(operation, ids)
                with_it = Arguments(asked.path, {**asked.query, parameter.name: given}, asked.headers)
                try:
                    client.send(operation.name, with_it)
                except CallFailed as failed:
                    refused[f"{operation.name} {parameter.name}={given}"] = failed.fault.code
    assert refused == {}
