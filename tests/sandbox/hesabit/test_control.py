"""Hesabit's simulator: the control API, and what outlives a restart or a reset."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from connections.sandbox.hesabit.switches import SWITCHES
from tests.sandbox.hesabit.conftest import FIRST, SECOND, Client
from tests.sandbox_server import SandboxRefused, SandboxServer

STREAMS = ("customers", "invoices", "items")


def records(server: SandboxServer, stream: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = server.control("records", stream=stream)["records"]
    return rows


def test_setup_types_nothing_into_the_portal_unless_a_client_is_wanted(server: SandboxServer) -> None:
    setup = server.control("setup", {})
    assert (setup["credentials"], setup["shop"], bool(setup["account"])) == ({}, FIRST, True)
    own = server.control("setup", {"shop": SECOND, "redirect_uri": "https://own.example/back", "package": False})
    assert set(own["credentials"]) == {"client_id", "client_secret"}
    assert [shop["package"] for shop in server.state()["shops"]] == [True, False]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_holds_exactly_as_many_as_ordered(server: SandboxServer, connected: Client, stream: str) -> None:
    before = records(server, stream)
    assert 100 <= len(before) <= 400
    connected.ask("/customers", "POST", {"email": "a@shop.example"})
    for count in (3, 0, 41, 500):
        server.control("records", {"stream": stream, "count": count})
        assert len(records(server, stream)) == count
        ids = [record["id"] for record in records(server, stream)]
        assert ids == sorted(set(ids), key=str)
    assert len(connected.ask(f"/{stream}", limit=100, page=5).json()) == 100
    assert connected.ask(f"/{stream}", limit=100, page=6).json() == []
    server.reset()
    assert records(server, stream) == before


@pytest.mark.parametrize("stream", STREAMS)
def test_touched_records_change_and_removed_ones_go(server: SandboxServer, stream: str) -> None:
    before = records(server, stream)
    chosen = [before[0]["id"], before[5]["id"]]
    for _ in range(2):
        last = records(server, stream)
        server.control("touch", {"stream": stream, "ids": chosen})
        now = records(server, stream)
        differ = [after["id"] for earlier, after in zip(last, now, strict=True) if earlier != after]
        assert differ == chosen
    server.control("remove", {"stream": stream, "ids": chosen})
    assert [record["id"] for record in records(server, stream)] == [
        record["id"] for record in before if record["id"] not in chosen
    ]


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("setup", {"shop": 1}),
        ("setup", {"redirect_uri": 5}),
        ("setup", {"redirect_uri": "ftp://own.example"}),
        ("consent", {}),
        ("consent", {"url": "http://localhost/?client_id=nobody"}),
        ("records", {"stream": "payments", "count": 1}),
        ("records", {"stream": "items", "count": -1}),
        ("records", {"stream": "items"}),
        ("touch", {"stream": "items", "ids": [1]}),
        ("touch", {"stream": "items", "ids": ["x"]}),
        ("remove", {"stream": "items", "ids": 4001}),
        ("revoke", {"shop": "nowhere"}),
        ("budget", {"limit": -1}),
        ("budget", {"limit": "9"}),
        ("package", {"active": "yes"}),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(server: SandboxServer, what: str, order: object) -> None:
    def steady() -> dict[str, object]:
        state = server.state()
        return {**state, "now": "", "budget": state["budget"] | {"seconds_left": 0}}

    before = steady()
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)
    assert steady() == before


def test_reset_takes_everything_back_but_the_portals_client(server: SandboxServer, connected: Client) -> None:
    client = dict(server.client)
    connected.ask("/customers", "POST", {"email": "a@shop.example"})
    server.control("budget", {"limit": 1})
    server.control("package", {"active": False})
    server.control("setup", {"shop": SECOND, "redirect_uri": "https://own.example/back"})
    server.reset()
    state = server.state()
    assert (state["live_access_tokens"], state["live_refresh_tokens"]) == (0, 0)
    assert (state["budget"]["limit"], state["budget"]["clients"]) == (20_000, {})
    assert state["created"] == dict.fromkeys(STREAMS, 0)
    assert [shop["package"] for shop in state["shops"]] == [True, False]
    assert connected.refresh().status_code == 400
    assert connected.refresh(**{name: client[name] for name in ("client_id", "client_secret")}).json()["error"] == (
        "invalid_grant"
    )


@pytest.mark.process
def test_a_kill_takes_nothing_and_the_demo_is_larger(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, records="demo", simulator="hesabit") as server, Client(server) as portal:
        for stream in STREAMS:
            assert 1000 <= len(records(server, stream)) <= 3000
        portal.connect()
        customer = portal.ask("/customers", "POST", {"email": "a@shop.example"}).json()
        server.control("budget", {"limit": 3})
        server.switches(envelope="data")
        before = (server.api, server.client)
        server.kill()
        server.start()
        assert (server.api, server.client) == before
        assert portal.ask("/customers", limit=1).json() == {"data": [customer]}
        assert portal.refresh().status_code == 200
        assert [portal.ask("/items").status_code for _ in range(2)] == [200, 429]
        assert server.state()["budget"]["clients"] == {"portal-hesabit": {"calls": 3, "refused": 1}}


def test_every_switch_says_how_sure_we_are_and_does_not_break_a_list(server: SandboxServer, connected: Client) -> None:
    page = requests.get(f"{server.ui}/hesabit/switches", timeout=10).text
    for switch in SWITCHES:
        for choice in switch.choices:
            assert f'id="{switch.name}-{choice.value}"' in page
            server.switches(**{switch.name: choice.value})
            headers = {"Content-Type": "application/json"}
            answer = connected.get(f"{server.api}/items", params=connected.tokens, headers=headers, timeout=9)
            assert answer.status_code == 200, (switch.name, choice.value, answer.text)
            assert answer.json()
        server.switches(**{switch.name: switch.default})
