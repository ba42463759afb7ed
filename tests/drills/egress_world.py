"""A world of its own for the egress drill: a network in which every address is ours, its name server, its listeners."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import trustme

from tests.drills.egress_corpus import (
    DEAD_4,
    FREE_PORTS,
    PORTS,
    PUBLIC_4,
    PUBLIC_6,
    SECOND_4,
    SECOND_6,
    TRANSLATED_4,
    Answers,
    Attempt,
)

HONEST = {PUBLIC_4, PUBLIC_6, SECOND_4, SECOND_6, TRANSLATED_4, *(f"93.184.216.{each}" for each in range(40, 60))}
INSIDE = "PILOTAGE_DRILL_INSIDE"
PLAIN = (80, 8080)  # of the honest hosts; 8080 speaks either
A, CNAME, AAAA = 1, 5, 28


def enter(arguments: Sequence[str]) -> int | None:
    """Run this drill again in network and mount namespaces that end with it. None where this machine does not allow it."""
    command = ["unshare", "--net", "--mount", "--fork", "--kill-child"]
    if os.geteuid():
        command += ["--user", "--map-root-user"]
    if shutil.which("unshare") is None or shutil.which("ip") is None or subprocess.run([*command, "true"]).returncode:
        return None
    again = [sys.executable, "-m", "tests.drills.egress", *arguments]
    return subprocess.run([*command, *again], env={**os.environ, INSIDE: "1"}).returncode


def furnish(folder: Path) -> None:
    """Inside: every address of both kinds is delivered to us, and names are asked of us alone."""
    for line in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
        f"ip route add unreachable {DEAD_4} table local",
    ):
        subprocess.run(line.split(), check=True)
    for name, text in {
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
        "nsswitch.conf": "hosts: files dns\n",
    }.items():
        (folder / name).write_text(text)
        subprocess.run(["mount", "--bind", str(folder / name), f"/etc/{name}"], check=True)


def opened() -> int:
    """TCP connections begun in this network, on whatever port, as the kernel counts them."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return int(values[names.index("ActiveOpens")])


class NameServer:
    """Says what each name's script says, look-up after look-up."""

    def __init__(self) -> None:
        self.scripts: dict[str, tuple[Answers, ...]] = {}
        self.asked: Counter[tuple[str, int]] = Counter()

    def start(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def answers(self, name: str, kind: int) -> Answers | None:
        script = self.scripts.get(name)
        if script is None:
            begin = name.split(".")[:4]  # 10.0.0.5.wild.rebind.example means what it says
            with suppress(ValueError):
                return Answers((str(ipaddress.IPv4Address(".".join(begin))),))
            return None
        at = self.asked[name, kind]
        self.asked[name, kind] += 1
        return script[min(at, len(script) - 1)]

    def _serve(self) -> None:
        while True:
            query, who = self._socket.recvfrom(4096)
            with suppress(OSError, IndexError, UnicodeDecodeError, struct.error):
                self._socket.sendto(self._reply(query), who)

    def _reply(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        found = self.answers(".".join(labels).lower(), kind)
        records = []
        if found is not None:
            pointer = b"\xc0\x0c"
            if found.alias:
                records.append(_record(pointer, CNAME, _written(found.alias)))
                pointer = _written(found.alias)
            version = {A: found.v4, AAAA: found.v6}.get(kind, ())
            records += [_record(pointer, kind, ipaddress.ip_address(ip).packed) for ip in version]
        flags = 0x8180 if found is not None else 0x8183
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)


def _written(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\x00"


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


class Listeners:
    """Takes every connection on every port of the drill, whatever its address, and tells honest hosts from the rest."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._context)
        self.honest: Counter[str] = Counter()
        self.elsewhere: list[tuple[str, int, bytes]] = []  # address, port, what was said there
        self.redirects: dict[str, Attempt] = {}

    def start(self) -> None:
        for port in (443, *PORTS, *FREE_PORTS):
            for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                if (family, port) != (socket.AF_INET, 53) or port != 53:
                    server = socket.create_server((anywhere, port), family=family, backlog=512)
                    threading.Thread(target=self._listen, args=(server,), daemon=True).start()

    def _listen(self, server: socket.socket) -> None:
        while True:
            link, _ = server.accept()
            threading.Thread(target=self.serve, args=(link, *link.getsockname()[:2]), daemon=True).start()

    def serve(self, link: socket.socket, address: str, port: int) -> None:
        address = address.removeprefix("::ffff:")
        with suppress(OSError), link:
            link.settimeout(10)
            if address not in HONEST:
                at = len(self.elsewhere)
                self.elsewhere.append((address, port, b""))
                self.elsewhere[at] = (address, port, self._overheard(link))
                return
            self.honest[f"{address}:{port}"] += 1
            is_tls = link.recv(1, socket.MSG_PEEK) == b"\x16"
            if is_tls or port in PLAIN:
                self._talk(self._context.wrap_socket(link, server_side=True) if is_tls else link)

    def _overheard(self, link: socket.socket) -> bytes:
        """What is said to whoever should not be called; its certificate is in order, so that nobody is saved by that."""
        link.settimeout(1)
        said = b""
        with suppress(OSError):
            is_tls = link.recv(1, socket.MSG_PEEK) == b"\x16"
            heard = self._context.wrap_socket(link, server_side=True) if is_tls else link
            while len(said) < 65536 and (more := heard.recv(65536)):
                said += more
        return said

    def _talk(self, link: Any) -> None:
        with link:
            waiting = b""
            while data := link.recv(65536):
                waiting += data
                while b"\r\n\r\n" in waiting:
                    head, waiting = waiting.split(b"\r\n\r\n", 1)
                    length = int(
                        next(
                            (
                                line.split(b":")[1]
                                for line in head.split(b"\r\n")
                                if line.lower().startswith(b"content-length")
                            ),
                            b"0",
                        )
                    )
                    while len(waiting) < length:
                        waiting += link.recv(65536)
                    waiting = waiting[length:]
                    link.sendall(self._answer(head.split(b" ")[1].decode("latin-1")))

    def _answer(self, path: str) -> bytes:
        sent = self.redirects.get(path.partition("?")[0])
        head = f"HTTP/1.1 {sent.status if sent else 200} Whatever\r\nContent-Length: 6\r\n"
        if sent is not None:
            wanted = {"Location": sent.location, "Refresh": sent.refresh, "Content-Location": sent.location}
            for name, value in wanted.items():
                clean = "".join(each for each in value if each not in "\r\n\x00")
                head += f"{name}: {clean}\r\n" if value else ""
        return head.encode("utf-8") + b"\r\nhonest"
