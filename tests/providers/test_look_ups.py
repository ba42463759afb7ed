"""What each provider's look-ups go by: our reference, everything that bears it, and when that was created."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connections.providers import registry
from connections.spec.operations import Arguments, LookUp

LOOKED_UP = [
    (provider.slug, operation.name)
    for provider in registry.all_providers().values()
    for operation in provider.operations
    if operation.look_up
]
# How each writes the same two moments, in local time where it names no zone.
WINTER = datetime(2026, 1, 15, 10, 20, 30, tzinfo=UTC)
SUMMER = datetime(2026, 7, 15, 10, 20, 30, tzinfo=UTC)
AGES: dict[str, dict[datetime, list[Any]]] = {
    "procountor": {WINTER: ["2026-01-15T12:20:30"], SUMMER: ["2026-07-15T13:20:30", "2026-07-15T10:20:30Z"]},
    "smartbusiness": {WINTER: ["2026-01-15 11:20:30"], SUMMER: ["2026-07-15 12:20:30"]},
    "hesabit": {WINTER: ["1768472430", 1768472430, "۱۷۶۸۴۷۲۴۳۰"], SUMMER: ["1784110830"]},
}
NO_AGE = [None, "", "yesterday", "-0001-11-30 00:00:00", "1768472430000", -5, 0, 1.5, [], {}, True, "²"]


def at(slug: str, name: str) -> tuple[LookUp, Any]:
    operation = registry.all_providers()[slug].operation(name)
    assert operation.look_up
    return operation.look_up, operation.example


def age_field(slug: str, name: str) -> str:
    return "created" if slug != "procountor" or name == "invoices.create" else "version"


def listed(slug: str, *things: Any) -> Any:
    return {{"procountor": "results", "smartbusiness": "items"}.get(slug, "data"): list(things)}


def of_another(example: Any) -> Any:
    """The same body with another reference, which begins with ours."""
    return json.loads(json.dumps(example).replace("P-1001", "P-10011").replace("Nemune", "Nemune 2"))


DATED = [(slug, name) for slug, name in LOOKED_UP if slug in AGES]


def test_only_a_number_that_is_given_once_is_looked_up_without_an_age() -> None:
    without = [(slug, name) for slug, name in LOOKED_UP if at(slug, name)[0].created is None]
    assert without == [("simutek", "customers.create")]


@pytest.mark.parametrize(("slug", "name"), LOOKED_UP)
def test_bodies_with_the_same_reference_are_the_same_to_a_look(slug: str, name: str) -> None:
    look_up, example = at(slug, name)
    reference = look_up.reference(Arguments(body=example))
    assert reference
    assert look_up.reference(Arguments(body={**example, "note": "another body"})) == reference
    assert look_up.reference(Arguments(body=of_another(example))) != reference


@pytest.mark.parametrize(("slug", "name"), DATED)
def test_everything_that_bears_the_reference_is_found_and_nothing_else(slug: str, name: str) -> None:
    look_up, example = at(slug, name)
    first, second = {**example, "id": 1}, {**example, "id": 2}
    stranger = of_another(example)
    matches = look_up.matches(listed(slug, first, stranger, second), Arguments(body=example))
    assert [each["id"] for each in matches] == [1, 2]
    assert not look_up.matches(listed(slug, stranger), Arguments(body=example))
    for answer in (None, [], {}, "text", listed(slug)):
        assert not look_up.matches(answer, Arguments(body=example))


@pytest.mark.parametrize(("slug", "name"), DATED)
def test_the_age_of_a_thing_is_read_as_its_provider_writes_it(slug: str, name: str) -> None:
    created, field = at(slug, name)[0].created, age_field(slug, name)
    assert created
    for moment, written in AGES[slug].items():
        assert [created({field: each}) for each in written] == [moment] * len(written)
    assert [each for each in (*NO_AGE, ...) if created({field: each} if each is not ... else {})] == []


def test_a_partner_is_looked_for_by_its_number_and_not_by_its_name() -> None:
    look_up, example = at("procountor", "partners.create")
    assert look_up.arguments(Arguments(body=example)) == Arguments(query={"customerNumber": "P-1001", "size": "50"})
    assert look_up.arguments(Arguments(body={**example, "invoicingInfo": {}})) is None, "a person decides"
    namesake = {**example, "invoicingInfo": {"customerNumber": "7"}}
    assert not look_up.matches(listed("procountor", namesake), Arguments(body=example))


def test_a_customer_of_simutek_is_ours_only_as_the_same_company() -> None:
    look_up, example = at("simutek", "customers.create")
    arguments = Arguments(body=example)
    written = {**example, "corporateIdentityNumber": "0000000000"}
    assert look_up.matches(written, arguments) == [written], "dashes and spaces do not count"
    for other in (
        {**example, "name": "Annat AB"},
        {**example, "corporateIdentityNumber": "111111-1111"},
        {},
        None,
        [],
    ):
        assert look_up.matches(other, arguments) == []


def test_a_customer_of_pentamic_is_left_to_a_person() -> None:
    """Its list tells neither a reference of ours nor an age."""
    assert registry.all_providers()["pentamic"].operation("customers.create").look_up is None
