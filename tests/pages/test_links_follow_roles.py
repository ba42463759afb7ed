"""A page shows the links and forms of what its reader may do, and no others: each follows the table of actions by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.urls import resolve

from connections.calls.models import Call, CallState
from connections.providers import registry
from connections.vault.models import Connection, ConnectionState
from portal.members.permissions import LEAST_ROLE, Action, Role
from tests.pages.crowd import ADDRESSES, settle

pytestmark = pytest.mark.usefixtures("every_button")

LINK = re.compile(r'\b(?:href|action|formaction|hx-get|hx-post)="(/t/[^"#?]*)')
# Actions that have pages of their own; the right to look at all is not taken away here.
ACTIONS = sorted({address.action for address in ADDRESSES} - {Action.VIEW})
# Half of the actions is taken away at a time, by the digits of their numbers: any two are apart in one of the halves, so
# that a link that follows another action than its own is seen. The first takes all away.
HALVES = [
    ACTIONS,
    *(
        [action for number, action in enumerate(ACTIONS) if number >> digit & 1]
        for digit in range((len(ACTIONS) - 1).bit_length())
    ),
]


@pytest.fixture
def urls(aamu: Any, alice: Any) -> list[str]:
    """Every page of the tenant, and those of connections and of a call in the states in which there is the most to do."""
    ids = settle(aamu, alice)
    left, undone = settle(aamu, alice), settle(aamu, alice)
    Connection.objects.filter(id=left["connection"]).update(state=ConnectionState.DISCONNECTED)
    Connection.objects.filter(id=undone["connection"]).update(state=ConnectionState.SETUP)
    Call.objects.filter(id=ids["call"]).update(state=CallState.UNKNOWN, next_at=None)
    pages = [
        address.url("aamu", ids) for address in ADDRESSES if address.method == "get" and "poll" not in address.name
    ]
    more = [f"/t/aamu/c/{one}/" for one in (left["connection"], undone["connection"], ids["movable"])]
    return [*pages, *more, f"/t/aamu/c/{undone['connection']}/checklist/"]


def action_of(url: str) -> Action:
    """What a page asks for. The form of a request that writes is open to those alone who may send it."""
    match = resolve(url)
    if match.url_name == "try_fill":
        provider = registry.all_providers()["procountor"]
        return Action.SEND_WRITES if provider.operation(match.kwargs["operation"]).is_write else Action.TRY_REQUESTS
    return match.func.action  # type: ignore[attr-defined, no-any-return]


def links_of(client: Any, urls: list[str]) -> dict[str, set[str]]:
    """What each page that opens leads to inside the tenant, beside itself."""
    answers = {url: client.get(url) for url in urls}
    return {
        url: {unescape(link) for link in LINK.findall(answer.content.decode())} - {url}
        for url, answer in answers.items()
        if answer.status_code == 200
    }


def test_links_follow_the_table_of_actions(
    sign_in: Callable[..., Any], urls: list[str], vera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in Action:
        monkeypatch.setitem(LEAST_ROLE, action, Role.VIEWER)
    client = sign_in(vera)
    everything = links_of(client, urls)
    assert {action_of(link) for links in everything.values() for link in links} >= set(ACTIONS)
    wrong = {}
    for number, actions in enumerate(HALVES):
        with monkeypatch.context() as without:
            for action in actions:
                without.setitem(LEAST_ROLE, action, Role.OWNER)
            shown = links_of(client, urls)
        for url, links in shown.items():
            right = {link for link in everything[url] if action_of(link) not in actions}
            if links != right:
                wrong[number, url] = sorted(links - right), sorted(right - links)
    assert wrong == {}, "(number in HALVES, page): (links that stay without its actions, links that go with them)"
