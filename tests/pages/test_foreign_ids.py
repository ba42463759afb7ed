"""Another tenant's id answers what a missing one answers: in every address, query and form, by every method."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

import portal
from connections.tenancy.models import AuditTally, SystemAuditEvent
from portal.operations.access import TRACE_HEADER
from tests.hostile_values import patterns
from tests.pages.crowd import missing, settle

pytestmark = pytest.mark.usefixtures("every_button")

METHODS = ("get", "head", "post", "put", "delete", "options")
NOT_THERE = UUID(int=7)
A_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# What differs between any two answers of one page.
CHANGING = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"|nonce-[\w+/=]+|\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT'
)

# Everything that pages for customers read from a query or a form by name; of forms, what no form declares.
READ = {
    "seen": "a fingerprint, compared",
    "after": "a position in a list, compared",
    "before": "a position in a list, compared",
    "changes": "a position in a history, compared",
    "id": "a record's id at the provider",
    "lines": "a position in a list, compared",
    "records": "a button",
    "begin": "a button",
    "quiet": "a button",
    "email": "a mail address",
    "requests": "a position in a list, compared",
    "open": "a checkpoint's name, of the provider",
    "edit": "a button",
    "confirm": "a button",
    "end": "a button",
    "reason": "a sentence",
    "confirmed": "a button",
    "sure": "a button",
    "twin": "the connection that the page warned of, compared",
    "writes": "a button",
    "staff": "a box to tick",
    "evidence": "an id of evidence, compared with that of the row that is asked for",
    "compared": "fingerprints of certificates",
    "tenant": "one of the person's own, by its short name",
    "error": "a word of the provider",
    "like": "a call",
    "call": "a call that is to be made",
    "state": "a secret of one attempt",
    "code": "a secret of the provider",
    "iss": "an address, compared",
}


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    return settle(aamu, alice)


@pytest.fixture
def foreign(kaste: Any, charlie: Any) -> dict[str, Any]:
    return settle(kaste, charlie)


def same(answer: Any) -> tuple[Any, ...]:
    """An answer without what would differ anyway."""
    heads = [(name, value) for name, value in answer.headers.items() if name not in ("Content-Length", TRACE_HEADER)]
    headers = sorted((name, CHANGING.sub("", A_UUID.sub("id", value))) for name, value in heads)
    body = CHANGING.sub("", A_UUID.sub("id", answer.content.decode()))
    return answer.status_code, headers, sorted(answer.cookies), body


def addresses(ids: dict[str, Any], foreign: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(route, with a foreign id, with a missing one): each id of an address by itself, and all of them."""
    for route, converters in patterns(without=("admin/", "account/")):
        names = [name for name, kind in converters.items() if kind == "UUIDConverter"]
        if not names:
            continue
        assert route.startswith("t/<slug:slug>/"), f"{route}: an id outside of a tenant's addresses"
        keys = {name: _key(name, route) for name in names}
        own = {
            "slug": "aamu",
            "checkpoint": ids["key_checkpoint"],
            "login": ids["login"],
            "operation": "session",
            "stream": "invoices",
        }
        own |= {name: ids[key] for name, key in keys.items()}
        for replaced in [*([name] for name in names), *([names] if len(names) > 1 else [])]:
            strange = own | {name: foreign[keys[name]] for name in replaced}
            absent = own | dict.fromkeys(replaced, NOT_THERE)
            yield route, filled(route, strange), filled(route, absent)


def _key(name: str, route: str) -> str:
    """What `settle` calls an id of an address."""
    key = name.removesuffix("_id")
    return "recorded" if key == "call" and "recording" in route else key


def filled(route: str, values: dict[str, Any]) -> str:
    return "/" + re.sub(r"<\w+:(\w+)>", lambda found: str(values[found[1]]), route)


def test_every_address_with_an_id_by_every_method(
    sign_in: Callable[..., Any], ids: dict[str, Any], foreign: dict[str, Any], alice: Any
) -> None:
    client = sign_in(alice)
    client.get("/t/aamu/")  # the first page of a session changes it
    told, compared = [], set()
    for route, strange, absent in addresses(ids, foreign):
        for method in METHODS:
            one, other = getattr(client, method)(strange), getattr(client, method)(absent)
            compared.add(route)
            if same(one) != same(other) or one.status_code not in (404, 405):
                told.append((method, route, one.status_code, other.status_code))
    assert told == []
    assert len(compared) > 30


def test_pages_read_the_listed_values_only() -> None:
    reading = re.compile(
        r"""(?:request\.(?:GET|POST)|callback_parameters)(?:\.get|\.getlist)?[(\[]"(\w+)"|"(\w+)" (?:not )?in request\."""
    )
    found = {"state", "code", "iss"}  # read by a loop over their names
    for path in Path(portal.__file__).parent.rglob("*.py"):
        if "support" not in path.parts:
            found |= {one or two for one, two in reading.findall(path.read_text(encoding="utf-8"))}
    assert found == set(READ), "list it, and if it is an id, compare a foreign one with a missing one below"


@pytest.mark.parametrize(
    ("method", "name", "arguments", "field", "key"),
    [
        ("get", "try_fill", ("connection", "operation"), "like", "call"),
        ("post", "try_send", ("connection", "operation"), "call", "call"),
        ("post", "decide_activation", ("activation",), "company", "connection"),
        ("get", "checklist_poll", ("connection",), "open", "connection"),
        ("get", "record", ("connection", "stream"), "id", "record"),
        ("get", "record_json", ("connection", "stream"), "id", "record"),
        ("get", "callback", (), "state", "activation"),
        ("post", "account_email", (), "email", "email"),
        ("post", "account_reset_password", (), "email", "email"),
    ],
)
def test_an_id_in_a_query_or_a_form(
    sign_in: Callable[..., Any],
    ids: dict[str, Any],
    foreign: dict[str, Any],
    alice: Any,
    charlie: Any,
    method: str,
    name: str,
    arguments: tuple[str, ...],
    field: str,
    key: str,
) -> None:
    strange, absent = (
        {**foreign, "email": charlie.email}[key],
        {**missing(ids), "email": "charlotte@kaste.example"}[key],
    )
    place = ["procountor"] if name == "callback" else [] if name.startswith("account_") else ["aamu"]
    address = reverse(name, args=[*place, *(ids[each] for each in arguments)])
    button = {"action_primary": "1"} if name == "account_email" else {}
    answers = []
    for value in (strange, absent):
        client = sign_in(alice)
        answer = getattr(client, method)(address, {field: str(value), **button})
        answers.append((same(answer), [str(each) for each in client.get("/you/").context["messages"]]))
    (one, said), (other, also_said) = answers
    assert one == other
    assert [each.replace(str(strange), "") for each in said] == [each.replace(str(absent), "") for each in also_said]


def test_a_form_that_is_sent_twice_still_makes_one_call(
    sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any
) -> None:
    from connections.calls.models import Call

    client, before = sign_in(alice), Call.objects.count()
    address = reverse("try_send", args=["aamu", ids["connection"], "session"])
    places = {client.post(address, {"call": str(UUID(int=99))})["Location"] for _ in range(2)}
    assert len(places) == 1
    assert Call.objects.count() == before + 1


def test_tries_at_another_tenant_are_counted_alike_for_what_is_there_and_what_is_not(
    sign_in: Callable[..., Any], ids: dict[str, Any], kaste: Any, charlie: Any
) -> None:
    client = sign_in(charlie)
    for slug, connection in (("aamu", ids["connection"]), ("kaste", ids["connection"]), ("kaste", NOT_THERE)):
        assert client.get(reverse("connection", args=[slug, connection])).status_code == 404
    assert client.post(reverse("sync_now", args=["nobody", ids["connection"]])).status_code == 404
    events = list(SystemAuditEvent.objects.filter(action="access.refused").order_by("happened_at"))
    assert [(event.subject, event.details["count"]) for event in events] == [("aamu", 1), ("kaste", 2), ("nobody", 4)]
    assert {event.actor_id for event in events} == {charlie.pk}
    assert events[0].details["connection"] == str(ids["connection"])
    assert AuditTally.objects.get(name__contains="access.refused").count == 4
