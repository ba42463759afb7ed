"""What the door sends and hands on, to the letter: headers, hidden parts of an address, times, and its sessions."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import requests

from connections.spec.provider import Deadlines, Hosts
from connections.spec.wire import Wire
from connections.transport.http import addresses
from connections.transport.http import session as http_session
from connections.transport.http.session import AddressNotAllowed, NoAnswer, NotReadable, NotSent, TooLarge
from tests.transport.test_session import resolving
from tests.transport.test_session_addresses import dialled

QUICK = Deadlines(connect=2, read=2, total=2)
PAPER = Wire(accept="text/xml", content_type="text/xml; charset=utf-8", on_reads=True)


@pytest.fixture
def hosts(hostile):
    return Hosts(api=hostile.address, token="", ca=hostile.ca, loopback=True, plain=True)


def send(hosts, path="/", **more):
    return http_session.send(
        **{"hosts": hosts, "method": "GET", "url": hosts.api + path, "deadlines": QUICK, "total": 2, **more}
    )


def test_the_headers_of_quotas_and_times_are_handed_on(hostile, hosts):
    limits = {"X_Rate_Limit_Limit": "60", "X_Rate_Limit_Remaining": "0", "X_Rate_Limit_Reset": "9"}
    hostile.behave = lambda line: line.answer(Content_Type="text/x", Date="Sun", Retry_After="5", Etag="e", **limits)
    answer = send(hosts)
    assert answer.headers == {
        "content-type": "text/x",
        "date": "Sun",
        "retry-after": "5",
        "x-rate-limit-limit": "60",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-reset": "9",
    }
    assert "text/x" not in repr(answer)


def test_how_long_it_took_is_told_in_milliseconds(hostile, hosts):
    hostile.behave = lambda line: (time.sleep(0.2), line.answer())
    started = time.monotonic()
    told = send(hosts).duration_ms
    assert 200 <= told <= (time.monotonic() - started) * 1000 + 1


@pytest.mark.parametrize(("status", "body"), [(299, b"[1]"), (300, b""), (399, b""), (400, b"[1]")])
def test_a_refusals_body_is_read_and_a_redirects_is_not(hostile, hosts, status, body):
    hostile.behave = lambda line: line.answer(status, b"[1]")
    assert send(hosts).body == body


@pytest.mark.parametrize("status", [200, 400, 503])
def test_only_a_success_must_be_readable(hostile, hosts, status):
    hostile.behave = lambda line: line.answer(status, b"this is no gzip", Content_Encoding="gzip")
    if status == 200:
        with pytest.raises(NotReadable):
            send(hosts)
    else:
        assert (send(hosts).status, send(hosts).body) == (status, b"")


def test_a_body_may_be_as_long_as_its_cap(hostile, hosts):
    hostile.behave = lambda line: line.answer(200, b"x" * 1000)
    assert len(send(hosts, deadlines=replace(QUICK, body_bytes=1000)).body) == 1000
    with pytest.raises(TooLarge):
        send(hosts, deadlines=replace(QUICK, body_bytes=999))


def heads(hostile):
    return [
        dict(line.split(": ", 1) for line in each.head.decode().split("\r\n")[1:] if line) for each in hostile.asked
    ]


def test_the_wire_says_what_is_accepted_and_what_is_sent(hostile, hosts):
    send(hosts)
    send(hosts, wire=PAPER)
    send(hosts, wire=PAPER, method="POST", form={"a": "b"})
    send(hosts, wire=replace(PAPER, on_reads=False), method="POST", body=b"<a/>")
    send(hosts, wire=PAPER, headers={"Accept": "image/png"})
    found = [(head.get("Accept"), head.get("Content-Type")) for head in heads(hostile)]
    assert found == [
        ("application/json", None),
        ("text/xml", "text/xml; charset=utf-8"),
        ("text/xml", "application/x-www-form-urlencoded"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("image/png", "text/xml; charset=utf-8"),
    ]


def test_a_hidden_part_joins_the_address_whatever_is_there(hostile, hosts):
    send(hosts, "/a", hidden_query={"token": "t&1", "b": "2"})
    send(hosts, "/a", query={"page": "1"}, hidden_query={"token": "t"})
    send(hosts, "/a?x=1", hidden_query={"token": "t"})
    send(hosts, "/a", hidden_query={})
    assert [line.asked for line in hostile.asked] == [
        "GET /a?token=t%261&b=2",
        "GET /a?page=1&token=t",
        "GET /a?x=1&token=t",
        "GET /a",
    ]


def test_a_token_request_is_sent_once_though_the_connection_is_cut(hostile, hosts):
    hostile.behave = lambda line: line.hang_up()
    with pytest.raises(NoAnswer, match="no answer") as caught:
        send(hosts)
    assert not isinstance(caught.value, NotSent)
    assert len(hostile.asked) == 1


# -- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("connect", "total"), [(0.3, 9), (9, 0.3)])
def test_dialling_takes_no_longer_than_either_limit(monkeypatch, connect, total):
    resolving(monkeypatch, ["93.184.216.34"])
    found = dialled(monkeypatch, ConnectionRefusedError())
    limits = Deadlines(connect=connect, read=9, total=9)
    with pytest.raises(NotSent, match="no answer"):
        http_session.send(
            hosts=Hosts(api="", token=""), method="GET", url="https://a.example", deadlines=limits, total=total
        )
    [(_, seconds)] = found
    assert 0 < seconds <= 0.3


@pytest.mark.parametrize(("read", "total"), [(0.3, 600), (600, 0.3)])
def test_waiting_for_an_answer_takes_no_longer_than_either_limit(hostile, hosts, read, total):
    """The longer one is longer than a test may take."""
    hostile.behave = lambda line: line.stall(8)
    with pytest.raises(NoAnswer, match="timed out") as caught:
        send(hosts, deadlines=Deadlines(connect=9, read=read, total=600), total=total)
    assert not isinstance(caught.value, NotSent)


# -- two parsers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://127.0.0.2:{port}/", "https://127.0.0.1/", "https://*.example/", "x", "ftp://127.0.0.1:{port}/"]
)
def test_an_address_that_the_library_reads_in_another_way_is_refused(hostile, hosts, monkeypatch, url):
    there = addresses.Address(url.format(port=hostile.port), "127.0.0.1", hostile.port)
    monkeypatch.setattr(addresses, "parse_address", lambda *_: there)
    with pytest.raises(AddressNotAllowed):
        send(hosts)
    assert hostile.asked == []


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_the_oldest_session_is_closed_where_there_are_too_many(monkeypatch):
    http_session._local.__dict__.clear()
    closed, real = [], requests.Session.close
    monkeypatch.setattr(http_session.GuardedSession, "close", lambda each: (closed.append(each), real(each)))
    monkeypatch.setattr(http_session, "MOST_SESSIONS", 2)
    some = [Hosts(api="", token="", loopback=loopback, plain=plain) for loopback, plain in ((0, 0), (0, 1), (1, 0))]
    first, second, third = map(http_session._session, some)
    assert closed == [first]
    assert [http_session._session(each) for each in some[1:]] == [second, third]
    assert http_session._session(some[0]) is not first
    assert closed == [first, second]
    http_session._local.__dict__.clear()


def test_what_is_trusted_decides_who_shares_a_connection(hosts):
    kinds = [hosts, *(replace(hosts, **one) for one in ({"loopback": False}, {"plain": False}, {"ca": ""}))]
    kinds.append(replace(hosts, pins=(("localhost:1", "a certificate"),)))
    sessions = list(map(http_session._session, kinds))
    assert len(set(map(id, sessions))) == len(kinds)
    assert list(map(http_session._session, kinds)) == sessions
    assert http_session._session(replace(hosts, api="https://elsewhere.example")) is sessions[0]


def test_plain_http_is_spoken_only_where_it_was_asked_for():
    safe, plain = (http_session._session(Hosts(api="", token="", plain=plain)) for plain in (False, True))
    assert list(safe.adapters) == ["https://"]
    assert sorted(plain.adapters) == ["http://", "https://"]
