"""Who may open and press what: every address of a tenant against everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.urls import URLPattern, get_resolver, resolve

from portal.members.permissions import Role
from portal.operations.access import TRACE_HEADER
from tests.pages.crowd import ADDRESSES, Address, missing, settle

pytestmark = pytest.mark.usefixtures("every_button")


@pytest.fixture
def ids(aamu: Any, alice: Any) -> dict[str, Any]:
    return settle(aamu, alice)


@pytest.fixture
def foreign(kaste: Any, charlie: Any) -> dict[str, Any]:
    return settle(kaste, charlie)


# For the shape of an address only: no row has these ids.
EXAMPLES: dict[str, Any] = {key: UUID(int=7) for address in ADDRESSES for key in address.args} | {
    "provider": "procountor",
    "checkpoint": "usage-settings",
    "key_checkpoint": "api-key",
    "login": "key-login",
    "operation": "session",
    "stream": "invoices",
    "record": "7",
}
TWO_METHODS = (
    "start_connection", "try_fill", "disconnect", "move_server", "remove_member", "delete_recording", "pause_connection",
    "end_departure",
    "tenant_settings", "exports", "connection_export", "mail_choice",
)  # fmt: skip


def send(client: Any, address: Address, slug: str, ids: dict[str, Any]) -> Any:
    return getattr(client, address.method)(address.url(slug, ids), address.data)


def same_answer(one: Any, other: Any) -> bool:
    """But for the id by which our own log knows each, which is drawn for every answer."""
    heads = [{name: text for name, text in each.headers.items() if name != TRACE_HEADER} for each in (one, other)]
    return one.status_code == other.status_code and one.content == other.content and heads[0] == heads[1]


def test_the_table_holds_every_address_of_a_tenant() -> None:
    inside = {
        pattern.name
        for group in get_resolver().url_patterns
        for pattern in getattr(group, "url_patterns", [group])
        if isinstance(pattern, URLPattern) and str(pattern.pattern).startswith("t/<slug:slug>/")
    }
    assert inside == {address.name for address in ADDRESSES}


def test_every_view_asks_for_the_action_that_the_table_says() -> None:
    actions = {address.name: resolve(address.url("aamu", EXAMPLES).partition("?")[0]).func for address in ADDRESSES}
    assert {name: getattr(view, "action", None) for name, view in actions.items()} == {
        address.name: address.action for address in ADDRESSES
    }


def test_a_stranger_is_sent_to_the_sign_in(client: Any, ids: dict[str, Any]) -> None:
    answers = {address.label: send(client, address, "aamu", ids) for address in ADDRESSES}
    targets = {label: (answer.status_code, answer.headers.get("Location", "")) for label, answer in answers.items()}
    assert [
        label
        for label, (status, target) in targets.items()
        if status != 302
        # A form that a stranger sends is kept nowhere, and its address shows nothing: to the start.
        or not target.startswith("/account/login/?next=/" + ("t/aamu/" if label.startswith("get ") else ""))
    ] == []


def test_each_role_may_what_the_table_says_and_no_more(
    sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any, bob: Any, vera: Any
) -> None:
    wrong = []
    for role, person in ((Role.VIEWER, vera), (Role.OPERATOR, bob), (Role.OWNER, alice)):
        client = sign_in(person)
        for address in ADDRESSES:
            answer = send(client, address, "aamu", ids)
            right = answer.status_code in (200, 302) if role.can(address.action) else answer.status_code == 404
            if not right or "/account/" in answer.headers.get("Location", ""):
                wrong.append((role, address.label, answer.status_code))
    assert wrong == []


def test_another_tenants_owner_cannot_tell_it_from_a_tenant_that_does_not_exist(
    sign_in: Callable[..., Any], ids: dict[str, Any], charlie: Any
) -> None:
    client = sign_in(charlie)
    for address in ADDRESSES:
        existing, invented = (send(client, address, slug, ids) for slug in ("aamu", "nobody"))
        assert existing.status_code == 404, address.label
        assert same_answer(existing, invented), address.label


def test_a_foreign_id_answers_the_same_bytes_as_a_missing_one(
    sign_in: Callable[..., Any], ids: dict[str, Any], foreign: dict[str, Any], alice: Any
) -> None:
    client = sign_in(alice)
    with_ids = [address for address in ADDRESSES if set(address.args) - {"provider"}]
    assert len(with_ids) > 15
    for address in with_ids:
        strange, absent = send(client, address, "aamu", foreign), send(client, address, "aamu", missing(ids))
        assert strange.status_code == 404, address.label
        assert same_answer(strange, absent), address.label


def test_a_run_and_a_call_are_found_under_its_own_connection_only(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, ids: dict[str, Any]
) -> None:
    other = settle(aamu, alice)
    mixed = {**ids, "run": other["run"], "call": other["call"]}
    for name in ("run", "call"):
        address = next(address for address in ADDRESSES if address.name == name)
        assert send(sign_in(alice), address, "aamu", mixed).status_code == 404


def test_a_suspended_tenant_is_gone_for_its_own_people(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, ids: dict[str, Any]
) -> None:
    from connections.tenancy.models import Tenant, TenantState

    client = sign_in(alice)
    Tenant.objects.filter(id=aamu.id).update(state=TenantState.SUSPENDED)
    for address in ADDRESSES:
        suspended, invented = (send(client, address, slug, ids) for slug in ("aamu", "nobody"))
        assert suspended.status_code == 404, address.name
        assert same_answer(suspended, invented), address.name
    assert b"Aamu" not in client.get("/companies/").content


def test_a_membership_that_ends_ends_at_once(
    sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any, bob: Any
) -> None:
    from portal.members.models import Membership

    client = sign_in(bob)
    assert client.get("/t/aamu/").status_code == 200
    Membership.objects.filter(user=bob).delete()
    assert client.get("/t/aamu/").status_code == 404


def test_an_address_refuses_the_other_method(sign_in: Callable[..., Any], ids: dict[str, Any], alice: Any) -> None:
    client = sign_in(alice)
    one_method = [address for address in ADDRESSES if address.name not in TWO_METHODS]
    answers = {
        address.label: (client.get if address.method == "post" else client.post)(address.url("aamu", ids))
        for address in one_method
    }
    assert {label for label, answer in answers.items() if answer.status_code != 405} == set()


@pytest.mark.parametrize("field", ["slug", "tenant", "tenant_id"])
def test_a_tenant_named_in_the_body_or_a_header_changes_nothing(
    field: str, sign_in: Callable[..., Any], aamu: Any, charlie: Any, foreign: dict[str, Any]
) -> None:
    from portal.members.models import Invitation

    before = Invitation.objects.filter(tenant=aamu).count()
    sign_in(charlie).post(
        "/t/kaste/team/invite/",
        {"email": "x@aamu.example", "role": Role.VIEWER.value, field: str(aamu.id)},
        headers={"X-Tenant": "aamu", "X-Tenant-Id": str(aamu.id)},
    )
    assert Invitation.objects.filter(tenant=aamu).count() == before
    assert Invitation.objects.filter(email="x@aamu.example").get().tenant_id != aamu.id
