"""The control API: sizes, touches, removals, and orders that make no sense."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import requests

from tests.sandbox.smartbusiness.conftest import FIRST, SECOND, Client
from tests.sandbox.smartbusiness.test_api import PATHS, records
from tests.sandbox_server import SandboxRefused, SandboxServer

Own = Callable[..., Client]


@pytest.mark.parametrize("stream", PATHS)
def test_a_stream_has_as_many_records_as_ordered(server: SandboxServer, own: Own, stream: str) -> None:
    client, before = own(), records(server, stream)
    for count in (1, 0, 450, len(before)):
        server.control("records", {"stream": stream, "count": count})
        assert client.ask(PATHS[stream], limit=1).json()["pagination"]["total"] == count
    assert records(server, stream) == before
    assert len(records(server, stream, SECOND)) != 450


def test_resizing_reckons_with_what_was_changed(server: SandboxServer, own: Own) -> None:
    client = own()
    ids = [product["id"] for product in records(server, "products")]
    server.control("touch", {"stream": "products", "ids": ids[:20]})
    server.control("remove", {"stream": "products", "ids": ids[20:60]})
    for number in range(5):
        client.tell("POST", "/catalog/products", {"name": f"Neu {number}"})
    for count in (90, 12, 3, 200):
        server.control("records", {"stream": "products", "count": count})
        assert len(records(server, "products")) == count


def test_touched_records_differ_each_time(server: SandboxServer) -> None:
    for stream in PATHS:
        before = records(server, stream)
        chosen = [record["id"] for record in before[:2]]
        server.control("touch", {"stream": stream, "ids": chosen})
        once = records(server, stream)
        server.control("touch", {"stream": stream, "ids": chosen})
        twice = records(server, stream)
        for first, second, third in zip(before, once, twice, strict=True):
            assert (first != second and second != third) == (first["id"] in chosen)
        server.control("remove", {"stream": stream, "ids": chosen})
        assert records(server, stream) == before[2:]


def test_both_grants_can_be_set_up(server: SandboxServer) -> None:
    own = server.control("setup", {"company": SECOND})
    assert set(own["credentials"]) == {"client_id", "client_secret"}
    assert (own["company_id"], own["company"]) == (SECOND, "Atelier du Lac Fictif Sàrl")
    assert server.control("setup", {"grant": "authorization_code"})["credentials"] == {}
    with_client = {"grant": "authorization_code", "redirect_uri": "https://other.example/back"}
    credentials = server.control("setup", with_client)["credentials"]
    with Client(server, credentials) as other:
        url = other.authorization(redirect_uri="https://other.example/back")
        location = server.control("consent", {"url": url})["location"]
        assert location.startswith("https://other.example/back?code=")


def test_reset_takes_everything_back_but_the_portal_s_client(server: SandboxServer, own: Own) -> None:
    client, portal, before = own(rights={"contacts": "none"}), dict(server.client), records(server, "contacts")
    server.control("plan", {"plan": "free", "limit": "4001"})
    server.control("rate", {"limit": 1, "seconds": 5})
    server.control("records", {"stream": "contacts", "count": 3})
    server.reset()
    assert client.ask("/auth/profile").status_code == 401
    assert client.token("client_credentials").status_code == 401
    assert (records(server, "contacts"), server.client) == (before, portal)
    with Client(server) as again:
        again.hold(again.exchange(again.consent()["code"]))
        assert again.ask("/contacts").headers["X-Rate-Limit-Limit"] == "1000"
    state = server.state()
    assert (set(state["created"].values()), state["sent"]) == ({0}, {})


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("setup", {"company": 1}),
        ("setup", {"grant": "password"}),
        ("setup", {"user": SECOND}),
        ("setup", {"scopes": ["nonsense"]}),
        ("setup", {"rights": {"contacts": "all"}}),
        ("setup", {"grant": "authorization_code", "redirect_uri": "nowhere"}),
        ("consent", {}),
        ("consent", {"url": "http://localhost/?client_id=nobody"}),
        ("records", {"stream": "payments", "count": 1}),
        ("records", {"stream": "contacts", "count": -1}),
        ("touch", {"stream": "contacts", "ids": [1]}),
        ("remove", {"stream": "nonsense", "ids": []}),
        ("rate", {"limit": -1, "seconds": 1}),
        ("rate", {"limit": 1}),
        ("plan", {"limit": "4004"}),
        ("plan", {"plan": "golden"}),
        ("rights", {"rights": {"nonsense": "view"}}),
        ("revoke", {"company": "x"}),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(server: SandboxServer, what: str, order: object) -> None:
    before = server.state()
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)
    assert server.state() | {"now": ""} == before | {"now": ""}
    assert len(records(server, "contacts", FIRST)) == 220


def test_every_switch_says_how_sure_we_are(server: SandboxServer) -> None:
    page = requests.get(f"{server.ui}/smartbusiness/switches", timeout=10).text
    for name, position in server.state()["switches"].items():
        assert re.search(rf'id="{name}-{position}"', page), name
