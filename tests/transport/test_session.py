"""The door: whom it lets us talk to, whom it believes, and what it does with answers that never end."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import traceback
from dataclasses import replace

import pytest
import trustme

from connections.spec.provider import Deadlines, Hosts
from connections.transport.http import session as http_session
from connections.transport.http import tls
from connections.transport.http.session import AddressNotAllowed, NoAnswer
from tests.transport.test_session_answers import HEAD, bad_chunk, bad_gzip, big, cut_body, no_http, nothing, silence

QUICK = Deadlines(connect=2, read=2, total=2, body_bytes=100_000)
SECRET = "s3cret-t0ken-value"


@pytest.fixture(autouse=True)
def fresh_sessions():
    http_session._local.__dict__.clear()
    tls.context.cache_clear()


@pytest.fixture
def hosts(hostile):
    return Hosts(api=hostile.address, token=f"{hostile.address}/token", ca=hostile.ca, loopback=True, plain=True)


def send(hosts, path="/", deadlines=QUICK, **more):
    total = more.pop("total", deadlines.total)
    return http_session.send(
        hosts=hosts, method=more.pop("method", "GET"), url=hosts.api + path, deadlines=deadlines, total=total, **more
    )


def resolving(monkeypatch, *answers):
    """Names resolve to these lists of addresses, one list per look-up; addresses themselves as ever."""
    real, left = socket.getaddrinfo, list(answers)

    def look_up(host, port, family=0, type=0, **kwargs):
        try:
            return real(host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            found = left.pop(0) if len(left) > 1 else left[0]
            return [each for address in found for each in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


# -- what comes back -------------------------------------------------------------------------------------------------


def test_an_answer_keeps_only_the_headers_on_the_list(hostile, hosts):
    hostile.behave = lambda line: line.answer(
        201, b"[1]", Retry_After="7", X_Request_Id="abc", X_Trace="t-1", Set_Cookie="a=b", Server="x"
    )
    answer = send(hosts, keep=("X-Trace",))
    assert (answer.status, answer.body) == (201, b"[1]")
    assert answer.headers == {"retry-after": "7", "x-trace": "t-1"}
    assert "[1]" not in repr(answer)


def test_connections_stay_open_from_call_to_call(hostile, hosts):
    for _ in range(5):
        send(hosts)
    assert (len(hostile.asked), hostile.handshakes) == (5, 1)


def test_no_cookie_of_one_call_is_sent_with_the_next(hostile, hosts):
    hostile.behave = lambda line: line.answer(Set_Cookie="session=of-another-tenant; Path=/")
    for _ in range(2):
        send(hosts)
    assert b"of-another-tenant" not in hostile.asked[1].head


def test_what_is_sent_names_the_product_and_no_more(hostile, hosts):
    send(hosts, query={"size": "2"}, headers={"Authorization": "Bearer x"})
    head = hostile.asked[0].head.decode()
    assert "User-Agent: Pilotage\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head
    assert "python" not in head.lower()
    assert f"Host: 127.0.0.1:{hostile.port}" in head


def test_bodies_are_form_or_json(hostile, hosts):
    send(hosts, method="POST", form={"a": "ä&b"})
    send(hosts, method="POST", body='{"a":"ä"}'.encode())
    form, json = hostile.asked
    assert (form.body, json.body) == (b"a=%C3%A4%26b", '{"a":"ä"}'.encode())
    assert b"application/x-www-form-urlencoded" in form.head
    assert b"Content-Type: application/json" in json.head


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_nothing_is_sent_on(hostile, hosts, status):
    hostile.behave = lambda line: line.answer(status, Location=f"{hostile.address}/elsewhere")
    answer = send(hosts, method="POST", form={"client_secret": SECRET})
    assert answer.status == status
    assert [line.asked for line in hostile.asked] == ["POST /"]


# -- whom we believe -------------------------------------------------------------------------------------------------


def test_the_named_authority_is_the_only_one(hostile, hosts):
    """requests would add its own bundle of public authorities to the context at every call."""
    send(hosts)
    assert tls.context(hostile.ca).cert_store_stats()["x509_ca"] == 1


def test_another_authority_is_not_believed_whatever_the_environment_says(hostile, hosts, tmp_path, monkeypatch):
    other = str(tmp_path / "other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hostile.ca)
    monkeypatch.setenv("SSL_CERT_FILE", hostile.ca)
    for ca in (other, ""):
        with pytest.raises(NoAnswer, match="not trusted"):
            send(replace(hosts, ca=ca))
    assert hostile.asked == []


def test_a_certificate_for_another_name_is_not_believed(hostile, hosts, monkeypatch):
    resolving(monkeypatch, ["127.0.0.1"])
    with pytest.raises(NoAnswer, match="not trusted"):
        send(replace(hosts, api=f"https://provider.example:{hostile.port}"))
    assert hostile.asked == []


def test_passing_verify_false_loosens_nothing(hostile, hosts):
    with pytest.raises(http_session.NotTrusted):
        http_session._session(replace(hosts, ca="")).request("GET", hosts.api, verify=False)


def test_the_name_is_shown_and_checked_though_the_address_is_dialled(hostile, hosts, monkeypatch):
    resolving(monkeypatch, ["127.0.0.1"])
    send(replace(hosts, api=f"https://localhost:{hostile.port}"))
    assert f"Host: localhost:{hostile.port}".encode() in hostile.asked[0].head


def test_the_environment_names_no_proxy(hostile, hosts, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(hosts).status == 200


def test_the_environment_gives_no_password_and_takes_no_keys(hostile, hosts, tmp_path, monkeypatch):
    """A netrc would add an Authorization of its own; SSLKEYLOGFILE makes Python write session keys down."""
    tls.context.cache_clear()
    netrc, keys = tmp_path / "netrc", tmp_path / "keys"
    netrc.write_text("default login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    send(hosts)
    assert b"Authorization" not in hostile.asked[0].head
    assert not keys.exists()


# -- where we may go -------------------------------------------------------------------------------------------------

INTERNAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.192", "192.0.2.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
    "fe80::1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
    "::127.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2001:db8::1", "3fff::1",
    "5f00::1", "2001:20::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INTERNAL)
def test_no_name_leads_to_an_internal_address(monkeypatch, address):
    resolving(monkeypatch, [address])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(AddressNotAllowed):
        send(Hosts(api="https://provider.example", token=""))


@pytest.mark.parametrize("first", [True, False])
def test_one_bad_address_among_good_ones_is_enough(monkeypatch, first):
    addresses = ["10.0.0.5", "93.184.216.34"] if first else ["93.184.216.34", "10.0.0.5"]
    resolving(monkeypatch, addresses)
    with pytest.raises(AddressNotAllowed):
        send(Hosts(api="https://provider.example", token=""))


def test_loopback_is_for_the_sandbox_alone(hostile, hosts):
    with pytest.raises(AddressNotAllowed):
        send(replace(hosts, loopback=False))


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [cut_body, no_http, bad_gzip, nothing, big, silence, bad_chunk])
def test_no_secret_reaches_an_exception_or_a_log(hostile, hosts, behaviour, caplog):
    hostile.behave = behaviour
    with caplog.at_level(logging.INFO), pytest.raises(http_session.EgressError) as caught:
        send(
            hosts,
            total=0.5,
            method="POST",
            hidden_query={"access_token": SECRET},
            headers={"Authorization": f"Bearer {SECRET}"},
            form={"client_secret": SECRET},
        )
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert SECRET not in told
    assert hostile.address not in told


def test_headers_that_cannot_be_parsed_log_no_address(hostile, hosts, caplog):
    """urllib3 warns with the whole URL, and some providers want their token in it."""
    hostile.behave = lambda line: line.write(HEAD + b"Content-Length: 0\r\nno colon here\r\nX: y\r\n\r\n")
    with caplog.at_level(logging.INFO):
        send(hosts, hidden_query={"access_token": SECRET})
    assert SECRET not in caplog.text


def test_threads_do_not_share_a_session(hosts):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(http_session._session(hosts))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] is not seen[1]


def test_old_protocols_are_not_spoken():
    assert tls.context("").minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context("").check_hostname is True
