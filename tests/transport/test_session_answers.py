"""What the door does with answers that never end, end too early, or are no answers; over TLS and over plain HTTP."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest

from connections.spec.provider import Deadlines, Hosts
from connections.transport.http import charsets
from connections.transport.http import session as http_session
from connections.transport.http.session import NoAnswer, NotReadable, NotSent, NotTrusted, TooLarge
from tests.transport.hostile import HostileServer

QUICK = Deadlines(connect=2, read=2, total=2, body_bytes=100_000)


@pytest.fixture(scope="module")
def plain_process(tmp_path_factory):
    server = HostileServer(tmp_path_factory.mktemp("plain"), tls=False)
    yield server
    server.close()


@pytest.fixture(params=["https", "http"])
def server(request, hostile):
    if request.param == "https":
        return hostile
    plain = request.getfixturevalue("plain_process")
    plain.reset()
    return plain


@pytest.fixture
def hosts(server):
    return Hosts(api=server.address, token="", ca=server.ca, loopback=True, plain=True)


def send(hosts, deadlines=QUICK, **more):
    total = more.pop("total", deadlines.total)
    return http_session.send(
        hosts=hosts, method=more.pop("method", "GET"), url=hosts.api + "/", deadlines=deadlines, total=total, **more
    )


HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(b"x" * 5_000_000)


def big(line):
    line.write(HEAD + b"\r\n")
    for _ in range(200):
        line.write(b"x" * 10_000)


def bomb(line):
    line.answer(200, BOMB, Content_Encoding="gzip")


def drip_body(line):
    line.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    line.drip(b"x" * 1000, 0.2, 8)


def drip_status(line):
    line.drip(HEAD, 0.2, 8)


def drip_headers(line):
    line.drip(HEAD + b"X-Long: " + b"x" * 1000, 0.2, 8)


def endless_headers(line):
    line.write(HEAD)
    for _ in range(100_000):
        line.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def endless_interim(line):
    until = time.monotonic() + 8
    while time.monotonic() < until:
        line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def stutter(line):
    time.sleep(0.9)
    line.write(HEAD)
    time.sleep(6)


def silence(line):
    time.sleep(6)


def cut_body(line):
    line.write(HEAD + b"Content-Length: 1000\r\n\r\n[1, 2")
    line.hang_up()


def cut_head(line):
    line.write(HEAD + b"Content-Le")
    line.hang_up()


def cut_line(line):
    line.write(HEAD + b"Content-Type: application/json\r\n")
    line.hang_up()


def long_header(line):
    line.write(HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n")


def many_headers(line):
    line.write(HEAD + b"X: y\r\n" * 101 + b"\r\n")


def half_gzip(line):
    line.answer(200, gzip.compress(bytes(range(256)) * 20)[:-40], Content_Encoding="gzip")


def cut_chunk(line):
    line.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    line.hang_up()


def bad_chunk(line):
    line.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")


def no_http(line):
    line.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    line.hang_up()


def bad_gzip(line):
    line.answer(200, b"this is no gzip", Content_Encoding="gzip")


def nothing(line):
    line.hang_up()


@pytest.mark.parametrize("behaviour", [big, bomb, endless_headers, long_header, many_headers])
def test_bodies_over_the_cap_are_not_taken_in(server, hosts, behaviour):
    server.behave = behaviour
    with pytest.raises(TooLarge):
        send(hosts)


@pytest.mark.parametrize("behaviour", [drip_status, drip_body, drip_headers, endless_interim, stutter, silence])
def test_slow_answers_end_at_the_deadline(server, hosts, behaviour):
    server.behave = behaviour
    with pytest.raises(NoAnswer, match="timed out"):
        send(hosts, total=1.0)


def test_a_handshake_that_never_ends_is_given_up(hosts):
    with socket.create_server(("127.0.0.1", 0)) as dumb:
        with pytest.raises(NotSent, match="timed out"):
            send(replace(hosts, api=f"https://127.0.0.1:{dumb.getsockname()[1]}"), total=0.5)


@pytest.mark.parametrize(
    "behaviour", [cut_body, cut_head, cut_line, cut_chunk, bad_chunk, no_http, half_gzip, nothing]
)
def test_broken_answers_are_no_answers(server, hosts, behaviour):
    server.behave = behaviour
    with pytest.raises(NoAnswer):
        send(hosts)
    server.reset()
    assert send(hosts).status == 200  # and the next call starts clean


def test_a_port_where_nobody_listens(hosts):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(NotSent):
        send(replace(hosts, api=f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, identity", "compress", "x-nonsense"])
def test_encodings_that_we_did_not_ask_for_are_not_read(server, hosts, encoding):
    server.behave = lambda line: line.answer(200, gzip.compress(b"{}"), Content_Encoding=encoding)
    with pytest.raises(NotReadable):
        send(hosts)


def raw_deflate(body):
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(body) + packing.flush()


LISTS = [b"[1]" * 1000, b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b"<a/>", '["Ä"]'.encode("utf-16"), b"[]", b"null"]


@pytest.mark.parametrize("body", LISTS)
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        # Wrong, empty, or no encoding at all.
        ("gzip", bytes),
        ("x-gzip", bytes),
        ("deflate", bytes),
        ("deflate", gzip.compress),
        ("gzip", zlib.compress),
        ("identity", gzip.compress),
        ("", gzip.compress),
        ("", bytes),
        ("none", bytes),
        ("utf-8", bytes),
        ("UTF-8", gzip.compress),
        ("br", bytes),
        ("gzip, gzip", bytes),
    ],
)
def test_a_body_is_what_its_bytes_are(server, hosts, encoding, pack, body):
    server.behave = lambda line: line.answer(200, pack(body), Content_Encoding=encoding)
    assert send(hosts).body == charsets.as_utf8(body, "")


@pytest.mark.parametrize("encoding", ["", "gzip", "identity", "deflate"])
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_nothing_grows_past_the_cap(server, hosts, encoding, pack):
    server.behave = lambda line: line.answer(200, pack(b"x" * 5_000_000), Content_Encoding=encoding)
    with suppress(NotReadable):
        assert len(send(hosts).body) < QUICK.body_bytes  # where nothing says that it is packed, it stays as it is
    server.behave = lambda line: line.answer(200, gzip.compress(gzip.compress(b"[1]")), Content_Encoding=encoding)
    assert gzip.decompress(send(hosts).body) == b"[1]"  # one layer, whatever the second holds


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_what_is_cut_is_no_answer(server, hosts, pack):
    packed = pack(bytes(range(256)) * 20)
    server.behave = lambda line: line.answer(200, packed[:-40], Content_Encoding="deflate")
    with pytest.raises(NoAnswer):
        send(hosts)


def test_a_body_comes_in_utf_8(server, hosts):
    for content_type, body in (
        ("application/json; charset=iso-8859-1", '["Ä"]'.encode("latin-1")),
        ("text/xml", "<?xml version='1.0' encoding='windows-1258'?><a>Ä</a>".encode("cp1258")),
        ("application/json", '["Ä"]'.encode("utf-8-sig")),
    ):
        server.behave = lambda line, body=body, kind=content_type: line.answer(200, body, Content_Type=kind)
        assert "Ä" in send(hosts).body.decode()
        assert b"\xef\xbb\xbf" not in send(hosts).body


@pytest.mark.parametrize("more", [b"x", gzip.compress(b"more")], ids=["a byte", "another gzip"])
def test_nothing_may_follow_a_gzip(server, hosts, more):
    server.behave = lambda line: line.answer(200, gzip.compress(b"{}") + more, Content_Encoding="gzip")
    with pytest.raises(NotReadable):
        send(hosts)


def test_broken_gzip_is_not_read(server, hosts):
    server.behave = bad_gzip
    with pytest.raises(NotReadable):
        send(hosts)


def large_redirect(line):
    line.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n")
    big(line)


def bombed_redirect(line):
    line.answer(302, BOMB, Location="/x", Content_Encoding="gzip")


def dripped_redirect(line):
    line.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\n")
    line.drip(b"x" * 1000, 0.2, 8)


@pytest.mark.parametrize("behaviour", [large_redirect, bombed_redirect, dripped_redirect])
def test_the_body_of_a_redirect_is_not_read(server, hosts, behaviour):
    server.behave = behaviour
    answer = send(hosts, total=1.0)
    assert (answer.status, answer.body) == (302, b"")
    server.reset()
    assert send(hosts).status == 200


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_refusal_that_is_too_large_is_still_a_refusal(server, hosts, status):
    server.behave = lambda line: line.answer(status, b"x" * 200_000)
    answer = send(hosts)
    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        HEAD + b"Content-Length: -2\r\n\r\n",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_an_answer_whose_end_is_uncertain_is_none(server, hosts, head):
    server.behave = lambda line: line.write(head + b"{}")
    with pytest.raises(NotReadable):
        send(hosts)


def test_what_follows_an_uncertain_answer_is_not_taken_for_the_next(server, hosts):
    """A server that says both lengths may have meant either: the connection is not used again."""
    both = HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    server.behave = lambda line: line.write(both)
    assert send(hosts).body == b"{}"
    server.behave = lambda line: line.answer(200, b"[2]")
    assert send(hosts).body == b"[2]"
    assert server.asked[0].sock is not server.asked[1].sock


def test_a_certificate_is_one_thing_and_broken_tls_another(hostile):
    """Only what fails before the request has left may be called unsent."""
    hosts = Hosts(api=hostile.address, token="", ca=hostile.ca, loopback=True)

    def break_tls(line):
        line.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        with socket.socket(fileno=line.sock.fileno()) as under:
            under.sendall(b"this is not TLS" * 10)
            under.detach()
        line.stall(5)

    hostile.behave = break_tls
    with pytest.raises(NoAnswer) as caught:
        send(hosts, method="POST", body=b"{}")
    assert not isinstance(caught.value, NotSent)
    http_session._local.__dict__.clear()
    hostile.reset()
    hostile.greet = lambda sock: sock.close()
    with pytest.raises(NotSent) as caught:
        send(hosts)
    assert not isinstance(caught.value, NotTrusted)


def test_a_slow_host_holds_up_only_its_own_caller(hostile):
    """Two threads of one process, as two jobs of one worker: the slow host holds only who asked it."""
    hosts = Hosts(api=hostile.address, token="", ca=hostile.ca, loopback=True)
    is_asked, may_end = threading.Event(), threading.Event()
    ended = []

    def behave(line):
        if "slow" in line.asked:
            is_asked.set()
            may_end.wait(20)
        line.answer(200, b"[1]")

    def slow():
        long = Deadlines(connect=2, read=30, total=30)
        ended.append(
            http_session.send(hosts=hosts, method="GET", url=f"{hosts.api}/slow", deadlines=long, total=30).status
        )

    hostile.behave = behave
    waiting = threading.Thread(target=slow)
    waiting.start()
    assert is_asked.wait(20)
    assert [send(hosts).body for _ in range(20)] == [b"[1]"] * 20
    assert ended == []
    may_end.set()
    waiting.join()
    assert ended == [200]
