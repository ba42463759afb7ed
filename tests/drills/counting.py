"""A server that does nothing but count: when each call arrived, by its path.

    python -m tests.drills.counting

Prints its port. `GET /<line>?<note>` is counted, `GET /report` answers {line: [[arrived, note], ...]}. The time of
arrival is the kernel's, in seconds since 1970: how late this process is woken up does not matter.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time

SO_TIMESTAMPNS = 35  # Linux; Python has no name for it
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"

calls: dict[str, list[tuple[float, str]]] = {}


def serve(link: socket.socket) -> None:
    """One client, which waits for each answer before it asks again."""
    link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with link:
        while True:
            asked, notes, _flags, _address = link.recvmsg(64 * 1024, 256)
            if not asked:
                return
            line, _, note = asked.split(b" ", 2)[1].decode().lstrip("/").partition("?")
            if line == "report":
                body = json.dumps(calls).encode()
            else:
                body = b"{}"
                calls.setdefault(line, []).append((arrived(notes), note))
            link.sendall(ANSWER % (len(body), body))


def arrived(notes: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("ll", data[:16])
            return float(seconds + nanoseconds / 1e9)
    return time.time()


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
