"""Trying a request in the pages: who may, what is shown before a write leaves, and what became of it."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.calls.models import Call
from connections.vault.models import Connection
from tests.calls.conftest import Calling, cut_before, says
from tests.pages.test_pages import assert_whole

BODY = '{"reference": "R-1", "amount": 1}'


def address(calling: Calling, name: str, *more: Any) -> str:
    return reverse(name, args=["aamu", calling.connection.id, *more])


def hidden(page: str) -> dict[str, str]:
    """What the confirmation page would send."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


@pytest.fixture
def owner(sign_in: Callable[..., Any], alice: Any) -> Any:
    return sign_in(alice)


@pytest.fixture
def operator(sign_in: Callable[..., Any], bob: Any) -> Any:
    return sign_in(bob)


def text(answer: Any) -> str:
    assert_whole(answer)
    return html.unescape(answer.content.decode())


def test_what_is_offered_stands_in_two_groups(calling: Calling, owner: Any, operator: Any) -> None:
    write = address(calling, "try_fill", "things.create")
    for client, may in ((owner, True), (operator, False)):
        page = text(client.get(address(calling, "try")))
        assert "Find things" in page
        assert "An owner has switched on requests that write" in page
        assert ("POST /things" in page) is may
        assert (write in page) is may
    assert address(calling, "try") in text(owner.get(address(calling, "connection")))


def test_writes_are_nowhere_until_an_owner_switches_them_on(calling: Calling, owner: Any, operator: Any) -> None:
    Connection.objects.update(allows_writes=False)
    offered, switch = (address(calling, name) for name in ("try", "switch_writes"))
    fill = address(calling, "try_fill", "things.create")
    for client, may in ((owner, True), (operator, False)):
        page = text(client.get(offered))
        assert "switched off for this connection until an owner of your company switches them on" in page
        assert "POST /things" not in page
        assert ('id="writes-on"' in page) is may
        assert (f'href="{reverse("team", args=["aamu"])}">See who the owners are' in page) is not may
    answer = owner.get(fill, follow=True)
    assert "so nothing was sent" in text(answer)
    assert "<textarea" not in answer.content.decode()
    assert "so nothing was sent" in text(owner.post(address(calling, "try_send", "things.create"), {"body": BODY}))
    assert operator.post(switch, {"writes": "on"}).status_code == 404
    for value, is_on in (("on", True), ("", False)):
        page = text(owner.post(switch, {"writes": value}, follow=True))
        assert Connection.objects.get().allows_writes is is_on
        assert ("POST /things" in page) is is_on
    assert not Call.objects.exists()


def test_what_was_not_carried_out_is_sent_again_only_while_writes_are_on(calling: Calling, owner: Any) -> None:
    call = calling.ask()
    Call.objects.update(state="settled-not-done")
    Connection.objects.update(allows_writes=False)
    page = text(owner.get(address(calling, "call", call.id)))
    assert "See who can switch them on" in page
    assert "send-again" not in page
    assert "Begin a new one like this" not in page
    assert "so nothing was sent" in text(owner.post(address(calling, "call_again", call.id), follow=True))
    assert Call.objects.count() == 1


def test_a_read_is_asked_and_its_answer_appears(calling: Calling, operator: Any) -> None:
    calling.ledger.things = [{"reference": "<script>alert(1)</script>\u202egpj"}]
    form = text(operator.get(address(calling, "try_fill", "things.find")))
    assert 'name="query-reference"' in form
    answer = operator.post(address(calling, "try_fill", "things.find"), {"query-reference": ""}, follow=True)
    waiting = text(answer)
    assert "A worker takes it in a moment." in waiting
    news = html.unescape(re.search(r'hx-get="([^"]+)"', answer.content.decode())[1])
    assert operator.get(news).status_code == 204
    calling.work_off()
    moved = operator.get(news).content.decode()
    assert "hx-get" not in moved
    assert "<script>" not in moved
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]gpj" in moved
    assert 'dir="auto"' in moved
    page = text(operator.get(answer.redirect_chain[-1][0]))
    call = Call.objects.get()
    assert str(call.id) in page
    assert str(call.entry_id) in page
    assert calling.ledger.asked == ["GET /latest/api/things"], "an empty parameter is left out"


def test_a_write_is_shown_to_the_letter_and_sent_once(calling: Calling, owner: Any) -> None:
    form = text(owner.get(address(calling, "try_fill", "things.create")))
    assert '"reference": "R-1"' in form, "the example is a start"
    answer = owner.post(address(calling, "try_fill", "things.create"), {"query-mode": "final", "body": BODY})
    shown = text(answer)
    assert not Call.objects.exists(), "looking at it sends nothing"
    assert "/latest/api/things?mode=final" in shown
    assert '"amount": 1' in shown
    assert "sandbox" in shown
    sent = hidden(answer.content.decode())
    for _ in range(2):
        answer = owner.post(address(calling, "try_send", "things.create"), sent)
        assert answer.status_code == 302
    call = Call.objects.get()
    assert answer["Location"] == address(calling, "call", call.id)
    calling.work_off()
    assert calling.ledger.asked == ["POST /latest/api/things?mode=final"]
    assert calling.ledger.things == [{"reference": "R-1", "amount": 1}]
    done = text(owner.get(answer["Location"]))
    assert "Carried out." in done
    assert "req-1" in done


def test_what_is_shown_is_what_leaves(calling: Calling, owner: Any) -> None:
    """A text with every kind of trouble, through a page and a hidden field, to the last byte."""
    body = {"zz": "</textarea>&amp;\n\"'ä\u200c\u202e\0", "reference": "R", "amount": 1.5}
    import orjson

    shown = owner.post(
        address(calling, "try_fill", "things.create"), {"body": orjson.dumps(body).decode()}
    ).content.decode()
    owner.post(address(calling, "try_send", "things.create"), hidden(shown))
    calling.work_off()
    assert calling.ledger.things == [body]
    assert list(calling.ledger.things[0]) == list(body), "in the order in which it was shown"


def test_it_can_be_changed_once_more_without_typing_it_again(calling: Calling, owner: Any) -> None:
    fill = address(calling, "try_fill", "things.create")
    shown = owner.post(fill, {"body": BODY}).content.decode()
    again = text(owner.post(fill, {**hidden(shown), "edit": "yes"}))
    assert f">\n{BODY}</textarea>" in again
    assert not Call.objects.exists()


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"body": "{"}, "body", "This is not JSON. Look at line 1, column 2."),
        ({"body": ""}, "body", "This field is required."),
        ({"body": "[]"}, "body", "An object is needed"),
        ({"body": '{"amount": -1}'}, "body", "lines.0.amount: It must not be negative."),
        ({"body": BODY, "query-mode": "sideways"}, "query-mode", "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    calling: Calling, owner: Any, sent: dict[str, str], field: str, said: str
) -> None:
    page = text(owner.post(address(calling, "try_fill", "things.create"), sent))
    assert f'id="id_{field}_error"' in page
    assert said in page
    assert not Call.objects.exists()


def test_a_path_that_leads_elsewhere_is_refused_at_its_field(calling: Calling, operator: Any) -> None:
    page = text(operator.post(address(calling, "try_fill", "things.get"), {"path-id": "../users"}))
    assert 'id="id_path-id_error"' in page
    assert not Call.objects.exists()


def test_a_write_is_an_owners_and_asks_who_is_there(
    calling: Calling, operator: Any, sign_in: Callable[..., Any], alice: Any, vera: Any
) -> None:
    fill, send = (address(calling, name, "things.create") for name in ("try_fill", "try_send"))
    for client in (operator, sign_in(vera)):
        for answer in (client.get(fill), client.post(fill, {"body": BODY}), client.post(send, {"body": BODY})):
            assert answer.status_code == 404
    stale = sign_in(alice, lately=False)
    page = text(stale.get(fill))
    assert "Confirm that it is you" in page
    assert "<textarea" not in page
    for answer in (stale.post(fill, {"body": BODY}), stale.post(send, {"body": BODY})):
        assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not Call.objects.exists()


def test_a_read_needs_no_second_look_at_who_is_there(
    calling: Calling, sign_in: Callable[..., Any], bob: Any, vera: Any
) -> None:
    fill = address(calling, "try_fill", "things.find")
    assert sign_in(bob, lately=False).post(fill).status_code == 302
    assert sign_in(vera).post(fill).status_code == 404
    assert Call.objects.count() == 1


@pytest.mark.parametrize("name", ["things.burn", "..", "token"])
def test_what_is_not_offered_is_not_there(calling: Calling, owner: Any, name: str) -> None:
    assert owner.get(address(calling, "try_fill", "x").replace("/x/", f"/{name}/")).status_code == 404


def test_a_connection_that_does_not_stand_says_so(calling: Calling, owner: Any) -> None:
    Connection.objects.update(state="paused")
    assert "does not stand" in text(owner.get(address(calling, "try")))
    assert "does not stand" in text(owner.post(address(calling, "try_fill", "things.find")))
    assert not Call.objects.exists()


def test_a_lost_answer_is_looked_for_then_decided_then_sent_again(
    calling: Calling, owner: Any, operator: Any, sign_in: Callable[..., Any], alice: Any
) -> None:
    calling.ledger.fates = [cut_before]
    call = calling.run()
    page = address(calling, "call", call.id)
    looking = text(owner.get(page))
    assert "We look whether it was carried out" in looking
    assert "settle-done" not in looking
    calling.look_to_the_end(call)
    assert "Needs you:" in text(owner.get(address(calling, "connection")))
    assert "did not find it" in text(owner.get(page))
    assert "Only an owner" in text(operator.get(page))
    assert "settle-done" not in text(operator.get(page))
    settle, again = address(calling, "call_settle", call.id), address(calling, "call_again", call.id)
    assert operator.post(settle, {"outcome": "not-done"}).status_code == 404
    owner.post(settle, {"outcome": "perhaps"})
    assert Call.objects.get().state == "unknown"
    owner.post(again)
    assert Call.objects.count() == 1, "not before somebody looked"
    assert "send-again" in text(owner.post(settle, {"outcome": "not-done"}, follow=True))
    assert operator.post(again).status_code == 404
    assert sign_in(alice, lately=False).post(again)["Location"].startswith(reverse("account_reauthenticate"))
    assert Call.objects.count() == 1
    owner.post(again)
    answer = owner.post(again)
    calling.work_off()
    assert "Carried out." in text(owner.get(answer["Location"]))
    assert "It was sent again." in text(owner.get(page))
    assert calling.ledger.writes() == 2
    assert len(calling.ledger.things) == 1


def test_a_refusal_shows_what_was_sent_and_said_of_it(calling: Calling, owner: Any) -> None:
    calling.ledger.fates = [says(400, {})]
    call = calling.run("things.create", {"reference": "R-1", "lines": [{"amount": 5}]})
    told = [["lines.0.amount", "<b>too large</b>"], ["lines.7", "gone"], ["", "all of it"]]
    Call.objects.update(troubles=told)
    page = owner.get(address(calling, "call", call.id)).content.decode()
    assert re.search(r"lines\.0\.amount</code></td>\s*<td[^>]*><code[^>]*>5</code>", page)
    assert "&lt;b&gt;too large&lt;/b&gt;" in page
    filled = owner.get(address(calling, "try_fill", "things.create") + f"?like={call.id}").content.decode()
    assert "&quot;lines&quot;" in filled


def test_only_an_own_call_begins_a_form(calling: Calling, owner: Any) -> None:
    call = calling.ask("things.find")
    form = address(calling, "try_fill", "things.create")
    for like in (call.id, uuid.uuid4(), "nonsense"):
        assert owner.get(f"{form}?like={like}").status_code == 404


@pytest.mark.parametrize(
    ("results", "says_so"),
    [
        ([(202, {})], "until a person has confirmed it there"),
        ([(406, {})], "It was rejected."),
        ([(200, {})], "Carried"),
    ],
    ids=["waiting", "rejected", "done"],
)
def test_a_confirmation_is_told_in_words(calling: Calling, owner: Any, results: Any, says_so: str) -> None:
    calling.ledger.fates = [says(202, {"transactionIdentifier": "tx-1"})]
    calling.ledger.results = results
    call = calling.go_on(calling.run("things.pay"), later=timedelta(seconds=10))
    assert says_so in text(owner.get(address(calling, "call", call.id)))


@pytest.mark.parametrize("state", ["queued", "sent", "waiting", "unknown", "answered", "refused", "failed"])
def test_every_state_has_a_whole_page(calling: Calling, owner: Any, state: str) -> None:
    call = calling.ask()
    Call.objects.update(state=state, fault="call-too-late")
    page = text(owner.get(address(calling, "call", call.id)))
    assert ("hx-get" in page) is (state in ("queued", "sent", "waiting"))
    Call.objects.update(operation="things.burn")
    assert "description has changed" in text(owner.get(address(calling, "call", call.id)))


def test_a_page_takes_as_many_queries_however_many_calls_there_are(calling: Calling, owner: Any) -> None:
    def count(where: str) -> int:
        owner.get(where)
        with CaptureQueriesContext(database) as seen:
            owner.get(where)
        return len(seen)

    call = calling.run()
    places = [address(calling, "try"), address(calling, "call", call.id), address(calling, "connection")]
    before = [count(place) for place in places]
    for _ in range(5):
        Call.objects.filter(id=calling.ask("things.find").id).update(state="unknown", next_at=None)
    assert [count(place) for place in places] == before
