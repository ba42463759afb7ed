"""What an address or a form of a customer's page may hold that nobody meant: an answer in words, never an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from portal.members.permissions import Role
from tests.hostile_values import NUL, VALUES, broken, patterns
from tests.pages.crowd import ADDRESSES, settle
from tests.pages.test_foreign_ids import READ
from tests.sampling import pairs

pytestmark = pytest.mark.usefixtures("every_button")
SHORT = {name: value for name, value in VALUES.items() if name in ("half an id", "a long text", "quotes", "signs")}


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    return settle(aamu, alice)


@pytest.fixture
def owner(sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any) -> Any:
    client = sign_in(alice)
    client.raise_request_exception = False
    return client


def test_no_query_breaks_a_page(owner: Any, ids: dict[str, Any]) -> None:
    places = [address.url("aamu", ids) for address in ADDRESSES if address.method == "get"]
    wrong = [
        broken(owner, "get", place, dict.fromkeys(READ, value))
        for place, value in pairs(places, list(VALUES.values()), each=3)
    ]
    for route in ("/callback/procountor/", "/callback/procountor/activation/test/", "/account/login/", "/"):
        wrong += [broken(owner, "get", route, {**dict.fromkeys(READ, v), "next": v}) for v in VALUES.values()]
    assert [each for each in wrong if each] == []


def test_no_form_breaks_a_page(owner: Any, ids: dict[str, Any]) -> None:
    # Removing oneself comes last in the table, and leaves nobody to go on.
    places = [each for each in ADDRESSES if each.method == "post" and each.name != "remove_member"]
    wrong = [
        broken(owner, "post", place.url("aamu", ids), dict.fromkeys({*place.data, *READ} - {"edit"}, value))
        for place, value in pairs(places, list(SHORT.values()), each=2)
    ]
    assert [each for each in wrong if each] == []


def test_no_name_in_an_address_breaks_a_page(owner: Any, ids: dict[str, Any]) -> None:
    wrong = []
    for route, converters in patterns(without=("admin/",)):
        named = [name for name, kind in converters.items() if kind in ("StringConverter", "SlugConverter")]
        for name in named:
            for value in (quote(SHORT["quotes"]), "9" * 300):
                words = {
                    "slug": "aamu",
                    "provider": "procountor",
                    "login": "key-login",
                    "operation": "session",
                    "stream": "invoices",
                }
                values = {**ids, **words, "environment": "test", name: value}
                path = re.sub(r"<\w+:(\w+)>", lambda found: str(values.get(found[1], "x")), route)  # noqa: B023
                if "(" not in path:
                    wrong += [broken(owner, method, f"/{path}") for method in ("get", "post")]
    for key in ("1-x", "zzzzzzzzzzzzz-set-password", "9" * 40 + "-x", quote(SHORT["signs"])):
        wrong.append(broken(owner, "get", f"/account/password/reset/key/{key}/"))
        wrong.append(broken(owner, "get", f"/account/confirm-email/{key}/"))
    assert [each for each in wrong if each] == []


@pytest.mark.parametrize("place", ["query", "name", "form", "path", "cookie"])
def test_what_no_column_can_hold_is_refused_in_words(owner: Any, client: Any, place: str) -> None:
    """Before it reaches a session, a view or the database; a cookie may hold it in an octal escape."""
    ways: dict[str, Callable[[], Any]] = {
        "query": lambda: owner.get("/t/aamu/", {"q": NUL}),
        "name": lambda: owner.get("/t/aamu/", {NUL: "q"}),
        "form": lambda: owner.post("/t/aamu/team/invite/", {"email": NUL, "role": Role.VIEWER.value}),
        "path": lambda: owner.get("/invitations/a%00b/"),
        "cookie": lambda: client.get(
            "/companies/", headers={"cookie": 'session="aaaaaaaaaaaaaaaa\\000bbbbbbbbbbbbbbb"'}
        ),
    }
    client.raise_request_exception = False
    answer = ways[place]()
    assert answer.status_code == 400
    assert b"This request could not be read" in answer.content
