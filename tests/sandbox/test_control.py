"""The control API: faults on demand, the clock, switches, and orders it refuses."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
import requests

from tests.sandbox.conftest import Caller
from tests.sandbox_server import SandboxRefused, SandboxServer

Entered = Callable[..., Caller]


def test_a_fault_happens_as_often_as_ordered(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.faults([{"path": "/invoices", "status": 503, "times": 2, "skip": 1, "headers": {"Retry-After": "7"}}])
    answers = [caller.ask("/invoices", size=1) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert caller.ask("/businesspartners", size=1).status_code == 200
    assert server.state()["calls_by_status"]["503"] == 2


def test_switches_are_told_with_all_their_positions(server: SandboxServer) -> None:
    server.switches(total_count=False)
    switches = {switch["name"]: switch for switch in server.control("switches")["switches"]}
    assert set(switches) == set(server.state()["switches"])
    one = switches["total_count"]
    assert (one["default"], one["position"], one["standing"]) == ("on", "off", "documented")
    assert [choice["value"] for choice in one["choices"]] == ["on", "off"]
    assert one["title"]


def test_a_fault_may_carry_any_body_and_last_until_healed(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.faults([{"path": "*", "status": 200, "body": "<p>login</p>", "content_type": "text/html", "times": None}])
    assert [caller.ask("/company").text for _ in range(3)] == ["<p>login</p>"] * 3
    server.faults([])
    assert caller.ask("/company").json()["name"] == "Aamu Oy"


def test_a_delay_is_a_delay(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.faults([{"path": "/sessioninfo", "delay_ms": 300}])
    begun = time.monotonic()
    assert caller.ask("/sessioninfo").status_code == 200
    assert time.monotonic() - begun > 0.3


@pytest.mark.parametrize(("cut", "issued"), [("before", 0), ("after", 1)])
def test_a_cut_ends_the_connection_before_or_after_the_deed(
    server: SandboxServer, caller: Caller, cut: str, issued: int
) -> None:
    key = server.setup_company()["api_key"]
    server.faults([{"path": "/oauth/token", "cut": cut}])
    with pytest.raises(requests.ConnectionError):
        caller.token(key)
    stored = server.control("state")["living_tokens"]
    assert stored == issued
    assert server.state()["calls_by_status"] == {"0": 1}
    assert caller.token(key).status_code == 200


def test_a_cut_in_the_middle_leaves_half_an_answer(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.faults([{"path": "/invoices", "cut": "middle"}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.ask("/invoices")


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("faults", [{"path": "invoices"}]),
        ("faults", [{"path": "/invoices", "cut": "sideways"}]),
        ("faults", [{"path": "/invoices", "statuss": 503}]),
        ("faults", {"path": "/invoices"}),
        ("clock", {}),
        ("clock", []),
        ("switches", {"total_count": "sometimes"}),
        ("switches", {"nonsense": True}),
        ("setup", {"user": {"preset": "nonsense"}}),
        ("setup", {"user": {"rights": {"sales.nonsense": "ALL_RIGHTS"}}}),
        ("setup", {"company": 1}),
        ("setup", {"client_id": "nobody"}),
        ("touch", {"stream": "partners", "ids": [1]}),
        ("touch", {"stream": "nonsense", "ids": []}),
        ("revoke", {"api_key": "nonsense"}),
        ("user", {"user_id": 1}),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(server: SandboxServer, what: str, order: object) -> None:
    before = server.state()
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)
    after = server.state()
    assert {**after, "now": ""} == {**before, "now": ""}


def test_reset_takes_everything_back_but_the_client(server: SandboxServer, entered: Entered) -> None:
    caller, client = entered(), dict(server.client)
    partner = server.records("partners")[0]
    server.touch("partners", [partner["id"]])
    server.switches(token_type=True)
    server.clock(77)
    server.faults([{"path": "*", "status": 500, "times": None}])
    server.reset()
    assert caller.ask("/sessioninfo").status_code == 401
    assert caller.token(caller.setup["api_key"], **client).status_code == 401
    assert server.records("partners")[0] == partner
    state = server.state()
    assert (state["clock_offset_seconds"], state["faults"], state["switches"]["token_type"]) == (0, [], "off")


def test_what_was_kept_is_brought_back(server: SandboxServer, entered: Entered) -> None:
    caller = entered()
    server.control("keep", {})
    server.control("usage", {"allowed": False})
    server.control("revoke", {})
    server.switches(token_type="on")
    server.control("clock", {"offset_seconds": 900})
    server.faults([{"path": "*", "status": 500, "times": None}])
    server.control("bring-back", {})
    assert caller.ask("/sessioninfo").status_code == 200
    assert caller.token(caller.setup["api_key"]).status_code == 200
    state = server.state()
    assert (state["clock_offset_seconds"], state["faults"], state["switches"]["token_type"]) == (0, [], "off")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "rebound.example"}]
)
def test_a_foreign_page_cannot_drive_it(server: SandboxServer, headers: dict[str, str]) -> None:
    answer = requests.post(
        f"{server.ui}/procountor/control/clock", json={"offset_seconds": 9}, headers=headers, timeout=9
    )
    assert answer.status_code == 403
    assert server.state()["clock_offset_seconds"] == 0


def test_every_switch_says_how_sure_we_are(server: SandboxServer) -> None:
    page = requests.get(f"{server.ui}/procountor/switches", timeout=10).text
    for name in server.state()["switches"]:
        assert re.search(rf'id="{name}-[a-z0-9_]+"', page), name
    for standing in ("documented", "observed", "inferred", "unknown"):
        assert standing in page
