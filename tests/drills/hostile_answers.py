"""Answers that no provider should give, by name: too slow, too large, elsewhere, wrongly packed, no HTTP."""

from __future__ import annotations

import gzip
import itertools
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from tests.transport.hostile import Behaviour, Line

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = 0.05  # seconds between two bytes of a drip
LONG = 120.0  # seconds after which the server loses patience


@dataclass(frozen=True)
class Hostile:
    """`place`: what is asked while it goes on: call, token, page or xml. `greet` sees the connection before TLS."""

    place: str
    group: str
    behave: Behaviour = Line.answer
    greet: Callable[[socket.socket], bool] | None = None


def saying(*pieces: bytes, hang_up: bool = True) -> Behaviour:
    def behave(line: Line) -> None:
        for piece in pieces:
            line.write(piece)
        if hang_up:
            line.hang_up()
        else:
            line.stall(LONG)

    return behave


def pouring(head: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """The piece again and again, until the other side leaves."""

    def behave(line: Line) -> None:
        line.write(head)
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            line.write(piece)
            if pause:
                time.sleep(pause)

    return behave


def dripping(head: bytes, rest: bytes) -> Behaviour:
    def behave(line: Line) -> None:
        line.write(head)
        line.drip(rest * 1000, SLOW, LONG)

    return behave


def answering(status: int = 200, body: bytes = b"{}", **headers: str) -> Behaviour:
    return lambda line: line.answer(status, body, **headers)


@cache
def bomb(megabytes: int, wrapped: int = 31) -> bytes:
    """So much white space, packed. `wrapped` as zlib has it."""
    packer = zlib.compressobj(9, wbits=wrapped)
    return b"".join([*(packer.compress(b" " * 10**6) for _ in range(megabytes)), packer.flush()])


def packed(encoding: str, body: bytes, status: int = 200) -> Behaviour:
    return answering(status, body, Content_Encoding=encoding)


# -- time ------------------------------------------------------------------------------------------------------------


def _never_shakes_hands(sock: socket.socket) -> bool:
    with suppress(OSError):
        while sock.recv(65536):
            pass
    return False


def _drips_its_hello(sock: socket.socket) -> bool:
    with suppress(OSError):
        sock.recv(65536)
        sock.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a server hello of 16 kB
        for _ in range(1000):
            sock.sendall(b"\x00")
            time.sleep(SLOW)
    return False


TIME: dict[str, Behaviour] = {
    "silence": lambda line: line.stall(LONG),
    "status line byte by byte": dripping(b"", OK),
    "headers byte by byte": dripping(OK + b"X: ", b"x"),
    "header lines one by one": pouring(OK, b"X: y\r\n", SLOW),
    "body byte by byte": dripping(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "body without a length byte by byte": dripping(OK + b"\r\n", b" "),
    "chunks byte by byte": pouring(CHUNKED, b"1\r\n \r\n", SLOW),
    "chunk size byte by byte": dripping(CHUNKED, b"0"),
    "trailers one by one": pouring(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n", SLOW),
    "gzip byte by byte": dripping(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(range(256)) * 9)),
    "one byte short": saying(OK + b"Content-Length: 3\r\n\r\n{}", hang_up=False),
    "head, then nothing": saying(OK + b"Content-Length: 2\r\n\r\n", hang_up=False),
    "half a head, then nothing": saying(OK + b"Content-Le", hang_up=False),
    "chunk, then nothing": saying(CHUNKED + b"2\r\n{}\r\n", hang_up=False),
    "continue for ever, slowly": pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n", SLOW),
    "continue, then nothing": saying(b"HTTP/1.1 100 Continue\r\n\r\n", hang_up=False),
}
SHAKING: dict[str, Callable[[socket.socket], bool]] = {
    "no handshake": _never_shakes_hands,
    "handshake byte by byte": _drips_its_hello,
}

# -- size ------------------------------------------------------------------------------------------------------------

ROOM = b" " * 100_000
SIZE: dict[str, Behaviour] = {
    "ten gigabytes announced": pouring(OK + b"Content-Length: 10000000000\r\n\r\n", ROOM),
    "chunks without end": pouring(CHUNKED, b"186a0\r\n" + ROOM + b"\r\n"),
    "body without end": pouring(OK + b"\r\n", ROOM),
    "chunks of one byte without end": pouring(CHUNKED, b"1\r\n \r\n" * 5000),
    "trailers without end": pouring(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 5000),
    "one chunk extension without end": pouring(CHUNKED + b"2;", b"x" * 10_000),
    "one chunk of many exabytes": pouring(CHUNKED + b"7fffffffffffffff\r\n", ROOM),
    "header lines without end": pouring(OK, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "short header lines without end": pouring(OK, b"X: y\r\n" * 1000),
    "one header without end": pouring(OK + b"X: ", b"x" * 10_000),
    "folded header without end": pouring(OK + b"X: y\r\n", b" folded\r\n" * 1000),
    "status line without end": pouring(b"HTTP/1.1 200 ", b"O" * 10_000),
    "33 kB of headers": saying(OK + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 1100) for at in range(30)) + b"\r\n{}"),
    "a hundred and one headers": saying(OK + b"".join(b"X-%d: y\r\n" % at for at in range(101)) + b"\r\n{}"),
    "continue for ever": pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "gzip bomb": packed("gzip", bomb(300)),
    "deflate bomb": packed("deflate", bomb(300, 15)),
    "gzip bomb in chunks": pouring(OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
                                   b"%x\r\n%s\r\n" % (len(bomb(20)), bomb(20))),
    "gzip that never says anything": pouring(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
                                             b"\x00\x00\x00\xff\xff" * 10_000),
    "a refusal without end": pouring(b"HTTP/1.1 400 No\r\n\r\n", ROOM),
    "trouble without end": pouring(b"HTTP/1.1 500 No\r\n\r\n", ROOM),
    "a refusal as a gzip bomb": packed("gzip", bomb(300), 403),
    "trouble as a gzip bomb": packed("gzip", bomb(300), 502),
}  # fmt: skip

# -- redirects -------------------------------------------------------------------------------------------------------

INSIDE = "http://169.254.169.254/latest/meta-data/"
REDIRECTS: dict[str, Behaviour] = {
    **{f"{status} to the inside": answering(status, Location=INSIDE) for status in (300, 301, 302, 303, 307, 308)},
    "304 that nobody asked for": saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "305 through a proxy": answering(305, Location="https://127.0.0.1:1/"),
    "302 to nowhere": answering(302),
    "302 to itself": answering(302, Location="/"),
    "302 to a file": answering(302, Location="file:///etc/passwd"),
    "302 to a script": answering(302, Location="javascript:alert(1)"),
    "302 to what is no address": answering(302, Location="https://[::1"),
    "302 to a name and a password": answering(302, Location="https://a:b@localhost/"),
    "302 with a body without end": pouring(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", ROOM),
    "302 with a gzip bomb": answering(302, bomb(300), Location="/x", Content_Encoding="gzip"),
    "302 byte by byte": dripping(b"HTTP/1.1 302 Found\r\n", b"X"),
    "a page that refreshes": answering(200, b"<html>", Refresh=f"0; url={INSIDE}", Content_Type="text/html"),
}

# -- types and encodings ---------------------------------------------------------------------------------------------

GOOD = b'{"a": "' + b"b" * 2000 + b'"}'
ENCODINGS: dict[str, Behaviour] = {
    "a login page": answering(200, b"<!doctype html><title>Log in</title>", Content_Type="text/html"),
    "words": answering(200, b"OK", Content_Type="text/plain"),
    "a picture": answering(200, b"\x89PNG\r\n\x1a\n" + bytes(100), Content_Type="image/png"),
    "parts": answering(200, b"--x\r\n\r\n{}\r\n--x--", Content_Type="multipart/mixed; boundary=x"),
    "lines of JSON": answering(200, b'{"a":1}\n{"a":2}', Content_Type="application/json"),
    "brotli": packed("br", b"\x0b\x02\x80{}{}{}\x03"),
    "zstandard": packed("zstd", b"\x28\xb5\x2f\xfd\x00\x58\x11\x00\x00{}"),
    "compress": packed("compress", b"\x1f\x9d\x90{}"),
    "gzip twice": packed("gzip, gzip", gzip.compress(gzip.compress(GOOD))),
    "a hundred gzips": packed(", ".join(["gzip"] * 100), gzip.compress(GOOD)),
    "an encoding of its own": packed("x-nonsense", b"\x01" + GOOD),
    "gzip that is none": packed("gzip", b"no" + GOOD),
    "half a gzip": packed("gzip", gzip.compress(bytes(range(256)) * 20)[:-40]),
    "gzip with a wrong sum": packed("gzip", gzip.compress(GOOD)[:-8] + b"\x00" * 8),
    "gzip and something more": packed("gzip", gzip.compress(GOOD) + b"more"),
    "deflate that is none": packed("deflate", b"no" + GOOD),
    "half a deflate": packed("deflate", zlib.compress(bytes(range(256)) * 20)[:-40]),
    "deflate with a dictionary": packed("deflate", b"\x78\xbb\x00\x00\x00\x01" + GOOD),
    "UTF-16, cut": answering(200, '{"a": "ä"}'.encode("utf-16")[:-1]),
    "UTF-8 with two marks": answering(200, b"\xef\xbb\xbf" * 2 + b"{}"),
    "Latin-1": answering(200, '{"a": ä}'.encode("latin-1")),
    "bytes of no encoding": answering(200, b'{"a": \xff\xfe\xc0\x80}'),
}  # fmt: skip

# -- status and protocol ---------------------------------------------------------------------------------------------


def _alert(sock: socket.socket) -> bool:
    sock.recv(65536)
    sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    return False


def _speaks_plainly(sock: socket.socket) -> bool:
    sock.recv(65536)
    sock.sendall(OK + b"Content-Length: 2\r\n\r\n{}")
    return False


def _resets(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return False


def _leaves(sock: socket.socket) -> bool:
    sock.recv(65536)
    return False


def _breaks_the_cipher(line: Line) -> None:
    """Bytes under TLS that are none of TLS, in the middle of an answer."""
    line.write(OK + b"Content-Length: 100\r\n\r\n{")
    with socket.socket(fileno=line.sock.fileno()) as under:
        under.sendall(b"this is not TLS" * 10)
        under.detach()
    line.stall(LONG)


HANDSHAKES: dict[str, Callable[[socket.socket], bool]] = {
    "a TLS alert": _alert,
    "HTTP where TLS should be": _speaks_plainly,
    "reset at once": _resets,
    "hangs up in the handshake": _leaves,
}
STATUS = (400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 418, 422, 425, 451, 500, 501, 502, 503, 504, 520, 599, 999)
PROTOCOL: dict[str, Behaviour] = {
    **{f"status {status}": answering(status, b"<html>no</html>") for status in STATUS},
    "429 until the year 33658": answering(429, Retry_After="1000000000000"),
    "429 until never": answering(429, Retry_After="soon"),
    "429 until minus one": answering(429, Retry_After="-1"),
    "503 until long ago": answering(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "503 until no date": answering(503, Retry_After="Wed, 99 Foo 20155 07:28:00 GMT", Date="yesterday"),
    "hangs up": Line.hang_up,
    "reset": Line.reset,
    "reset in the body": lambda line: (line.write(OK + b"Content-Length: 9\r\n\r\n{"), line.reset())[0],
    "head cut in a name": saying(OK + b"Content-Le"),
    "head cut after a line": saying(OK + b"Content-Type: application/json\r\n"),
    "head cut after the status": saying(OK),
    "body cut": saying(OK + b"Content-Length: 1000\r\n\r\n[1, 2"),
    "chunk cut": saying(CHUNKED + b"5\r\n[1"),
    "chunks cut": saying(CHUNKED + b"2\r\n{}\r\n"),
    "a chunk size that is none": saying(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk size below nothing": saying(CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n"),
    "a length below nothing": saying(OK + b"Content-Length: -2\r\n\r\n{}"),
    "a length that is none": saying(OK + b"Content-Length: two\r\n\r\n{}"),
    "two lengths": saying(OK + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}"),
    "a length of many digits": saying(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}"),
    "a transfer coding of its own": saying(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "switching protocols": saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n{}", hang_up=False),
    "processing, then another's answer": saying(b"HTTP/1.1 102 Processing\r\n\r\n", OK + b"Content-Length: 2\r\n\r\n{}"),
    "early hints": saying(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", hang_up=False),
    "a status of letters": saying(b"HTTP/1.1 abc OK\r\n\r\n{}"),
    "a status of two digits": saying(b"HTTP/1.1 20 OK\r\n\r\n{}"),
    "a status of four digits": saying(b"HTTP/1.1 2000 OK\r\n\r\n{}"),
    "a status below nothing": saying(b"HTTP/1.1 -200 OK\r\n\r\n{}"),
    "no status": saying(b"HTTP/1.1\r\n\r\n{}"),
    "no head": saying(b'{"a": 1}'),
    "only line ends": saying(b"\r\n" * 50),
    "HTTP 2": saying(b"HTTP/2.0 200 OK\r\n\r\n{}"),
    "frames of HTTP 2": saying(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
    "another protocol": saying(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "zeros": saying(bytes(5000)),
    "TLS that breaks": _breaks_the_cipher,
}  # fmt: skip


def _flood(line: Line) -> None:
    """Answers to questions that nobody asked, after one that is refused."""
    for _ in itertools.repeat(None, 200):
        line.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")


PROTOCOL["two hundred answers to one question"] = _flood


def gathered() -> Iterable[tuple[str, Hostile]]:
    for group, behaviours in (
        ("time", TIME), ("size", SIZE), ("redirects", REDIRECTS), ("encodings", ENCODINGS), ("protocol", PROTOCOL)
    ):  # fmt: skip
        for name, behave in behaviours.items():
            yield name, Hostile("call", group, behave)
    for group, greetings in (("time", SHAKING), ("protocol", HANDSHAKES)):
        for name, greet in greetings.items():
            yield name, Hostile("call", group, greet=greet)
