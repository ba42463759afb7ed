"""The control API that all simulators share, over all streams of this one; and who the session is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import requests

from tests.sandbox.procountor.conftest import Software
from tests.sandbox.procountor.test_lists import PAGED, WHOLE
from tests.sandbox_server import SandboxRefused, SandboxServer

PATHS = {**PAGED, **{name: path for name, (path, _) in WHOLE.items()}}
STREAMS = ["partners", "invoices", *PATHS]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_list_can_be_cut_filled_touched_and_emptied(server: SandboxServer, writer: Software, stream: str) -> None:
    path = {"partners": "/businesspartners", "invoices": "/invoices", **PATHS}[stream]

    def records() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = server.control("records", stream=stream)["records"]
        return rows

    def ident(record: dict[str, object]) -> int:
        return int(str(record.get("id") or record["ledgerAccountCode"]))

    for count in (3, 0, 7) if stream != "partners" else (3, 60):
        assert server.control("records", {"stream": stream, "count": count})["count"] == count
        assert len(records()) == count
    ids = [ident(record) for record in records()]
    assert ids == sorted(set(ids))
    before = {ident(record): record for record in records()}
    for _ in range(2):  # within one second too
        server.control("touch", {"stream": stream, "ids": ids[:2]})
        after = {ident(record): record for record in records()}
        assert {number for number in ids if before[number] != after[number]} == set(ids[:2])
        before = after
    server.switches(deleted_invoices="gone")
    server.control("remove", {"stream": stream, "ids": ids[:1]})
    assert [ident(record) for record in records()] == ids[1:]
    answer = writer.ask(path, size=200) if stream not in WHOLE else writer.ask(path)
    assert answer.status_code == 200
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control("remove", {"stream": stream, "ids": ids[:1]})
    server.reset()
    assert len(records()) not in (7, 6, 60, 59) or stream == "bank_accounts"


def test_a_deleted_invoice_stays_as_deleted_unless_told_otherwise(server: SandboxServer, writer: Software) -> None:
    ids = [record["id"] for record in server.records("invoices")][:2]
    server.control("remove", {"stream": "invoices", "ids": ids[:1]})
    assert writer.ask(f"/invoices/{ids[0]}").json()["status"] == "DELETED"
    assert len(server.records("invoices")) == 450


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("records", {"stream": "partners", "count": -1}),
        ("records", {"stream": "nonsense", "count": 1}),
        ("consent", {"url": "http://localhost/procountor/elsewhere"}),
        ("consent", {}),
        ("confirm", {}),
        ("confirm", {"id": "nonsense"}),
    ],
)
def test_orders_that_make_no_sense_are_refused(server: SandboxServer, what: str, order: dict[str, object]) -> None:
    with pytest.raises(SandboxRefused, match="answered 400"):
        server.control(what, order)


def test_setup_without_words_gives_what_a_customer_would_type(server: SandboxServer, software: Software) -> None:
    setup = server.control("setup", {})
    assert setup["credentials"] == {"api_key": setup["api_key"]}
    assert (setup["company_id"], setup["company"]) == (10451, "Aamu Oy")
    software.enter(setup["credentials"]["api_key"])
    for path in ("/invoices", "/products", "/coa", "/bankstatements", "/payments"):
        assert software.ask(path).status_code == 200
    state = server.state()
    assert (state["live_access_tokens"], state["living_tokens"], state["live_refresh_tokens"]) == (1, 1, 0)


def test_the_user_of_the_session_is_told(server: SandboxServer, software: Software) -> None:
    software.sign_in()
    user = software.ask("/users").json()
    assert (user["id"], user["companyId"], user["firstName"], user["lastName"]) == (3001, 10451, "Ilona", "Esimerkki")
    assert user["socialSecurityNumber"] == "000000-0000"


@pytest.mark.process
def test_the_first_client_comes_back_to_where_the_portal_is_now(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path).start()
    try:
        before = dict(server.client)
        assert before["redirect_uri"] == "http://localhost:8000/callback/procountor/"
        page = requests.get(f"{server.ui}/procountor/clients", timeout=10).text
        assert before["redirect_uri"] in page
        server.stop()

        with sqlite3.connect(tmp_path / "procountor.sqlite3") as link:
            link.execute("UPDATE clients SET redirect_uri = 'http://localhost:1/old/'")
        server.start()
        assert server.client == before
    finally:
        server.stop()
