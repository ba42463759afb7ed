"""The one box: whatever is pasted is landed on, or listed when it is several things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from tests.support.conftest import House, asked
from tests.support.pages import Page


@pytest.fixture
def search(sign_in: Callable[..., Any], dana: Any) -> Callable[[str], Any]:
    browser = sign_in(dana)
    return lambda typed: browser.get(reverse("admin:search"), {"q": typed})


@pytest.mark.parametrize(
    ("typed", "lands_on"),
    [
        (lambda house: str(house.entry.id), lambda house: ("transport_requestlogentry", house.entry.id)),
        (lambda house: house.entry.provider_request_id, lambda house: ("transport_requestlogentry", house.entry.id)),
        (lambda house: f'"{house.entry.provider_request_id}" ', lambda house: ("transport_requestlogentry", house.entry.id)),
        (lambda house: str(house.run.id), lambda house: ("sync_syncrun", house.run.id)),
        (lambda house: str(house.call.id), lambda house: ("calls_call", house.call.id)),
        (lambda house: str(house.connection.id), lambda house: ("vault_connection", house.connection.id)),
        (lambda house: str(house.tenant.id).upper(), lambda house: ("tenancy_tenant", house.tenant.id)),
        (lambda house: str(house.job.id), lambda house: ("jobs_job", house.job.id)),
        (lambda house: "4711", lambda house: ("vault_connection", house.connection.id)),
        (lambda house: "Kirjat", lambda house: ("vault_connection", house.connection.id)),
        (lambda house: "aamu oy", lambda house: ("tenancy_tenant", house.tenant.id)),
        (lambda house: "Alice@aamu.example", lambda house: ("members_user", house.membership.user_id)),
        (lambda house: "new@aamu.example", lambda house: ("tenancy_tenant", house.tenant.id)),
    ],
    ids=["entry", "request", "quoted", "run", "call", "connection", "tenant id", "job", "company id", "company", "tenant",
         "e-mail", "invited"],
)  # fmt: skip
def test_one_thing_is_landed_on(
    house: House, search: Any, typed: Callable[[House], str], lands_on: Callable[[House], tuple[str, Any]]
) -> None:
    name, key = lands_on(house)
    answer = search(typed(house))
    assert answer.status_code == 302
    assert answer["Location"] == reverse(f"admin:{name}_change", args=[key])


def test_several_things_are_listed(house: House, search: Any) -> None:
    for _ in range(12):
        asked(house.tenant, house.connection, provider_request_id="asked-often")
    page = Page(search("asked-often").content)
    assert len([row for row in page.rows if row.startswith("Request ")]) == 10, "a short list stays short"
    kinds = [row.split(" ")[0] for row in Page(search("aamu").content).rows[1:]]
    assert kinds == ["Tenant", "Connection"]


@pytest.mark.parametrize("typed", ["", "   ", '""', "nobody knows this", "%", "nobody@aamu.example", "0" * 5000])
def test_nothing_is_said_so_and_what_was_typed_is_kept(house: House, search: Any, typed: str) -> None:
    answer = search(typed)
    assert answer.status_code == 200
    assert ("Nothing goes by this name" in answer.content.decode()) is bool(typed)


def test_what_was_pasted_is_text(house: House, search: Any) -> None:
    page = search("<script>alert(1)</script>").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
