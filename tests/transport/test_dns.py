"""Looking names up: inside the deadline, so many at a time, each name once; a forked process begins anew."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from connections.spec.provider import Deadlines, Hosts
from connections.transport.http import deadline, dns
from connections.transport.http import session as http_session
from connections.transport.http.session import NameNotFound
from tests.transport.test_session import resolving

QUICK = Deadlines(connect=1, read=1, total=1)
OURS = Hosts(api="", token="")
ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]


@pytest.fixture
def stuck(monkeypatch):
    """A resolver that does not answer, until the test ends; it counts."""
    end, asked = threading.Event(), []

    def look_up(host, *_, **__):
        asked.append(host)
        end.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    end.set()
    for thread in threading.enumerate():
        if thread.name == "lookup":
            thread.join()


def test_a_name_server_that_does_not_answer_holds_nobody_longer_than_the_deadline(stuck):
    with pytest.raises(NameNotFound):
        http_session.send(hosts=OURS, method="GET", url="https://provider.example", deadlines=QUICK, total=0.2)


def test_a_name_that_hangs_is_asked_once_at_a_time(stuck):
    for _ in range(dns.MOST_LOOKUPS + 4):
        with deadline.within(0.02), pytest.raises((NameNotFound, TimeoutError)):
            dns.allowed_addresses("hanging.example", 443, OURS)
    assert stuck == ["hanging.example"]


def test_the_number_of_lookups_at_a_time_is_limited(stuck):
    for each in range(dns.MOST_LOOKUPS + 4):
        with deadline.within(0.02), pytest.raises((NameNotFound, TimeoutError)):
            dns.allowed_addresses(f"n{each}.example", 443, OURS)
    assert len(stuck) == dns.MOST_LOOKUPS


def test_after_trouble_names_are_looked_up_again(monkeypatch):
    for _ in range(dns.MOST_LOOKUPS * 2):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(socket.gaierror()))
        with pytest.raises(NameNotFound):
            dns.allowed_addresses("provider.example", 443, OURS)
    monkeypatch.undo()
    resolving(monkeypatch, ["93.184.216.34"])
    assert [str(ip) for ip in dns.allowed_addresses("provider.example", 443, OURS)] == ["93.184.216.34"]


def test_streams_to_the_port_are_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *what, **how: asked.append((what, how)) or ANSWER)
    dns.allowed_addresses("provider.example", 8443, OURS)
    assert asked == [(("provider.example", 8443), {"type": socket.SOCK_STREAM})]


def test_without_a_deadline_nobody_waits_for_ever(stuck, monkeypatch):
    monkeypatch.setattr(dns, "LONGEST_LOOKUP_SECONDS", 0.05)
    for each in range(dns.MOST_LOOKUPS + 1):
        with pytest.raises(NameNotFound):
            dns.allowed_addresses(f"n{each}.example", 443, OURS)


def test_a_look_up_that_hangs_does_not_keep_its_process_alive(stuck):
    with deadline.within(0.05), pytest.raises((NameNotFound, TimeoutError)):
        dns.allowed_addresses("hanging.example", 443, OURS)
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "lookup"] == [True]


def test_a_machine_without_threads_loses_no_places(monkeypatch):
    def start(_thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(dns.MOST_LOOKUPS + 1):
            with pytest.raises(RuntimeError):
                dns.allowed_addresses("provider.example", 443, OURS)
    resolving(monkeypatch, ["93.184.216.34"])
    with deadline.within(1):
        assert [str(ip) for ip in dns.allowed_addresses("provider.example", 443, OURS)] == ["93.184.216.34"]


def test_a_forked_process_waits_for_none_of_its_parents_look_ups(stuck):
    for each in range(dns.MOST_LOOKUPS):
        with deadline.within(0.02), pytest.raises((NameNotFound, TimeoutError)):
            dns.allowed_addresses(f"n{each}.example", 443, OURS)
    child = os.fork()
    if child == 0:
        try:
            socket.getaddrinfo = lambda *_, **__: ANSWER
            with deadline.within(5):
                found = dns.allowed_addresses("n0.example", 443, OURS)
            os._exit(0 if [str(ip) for ip in found] == ["93.184.216.34"] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
