"""The web process against 200 half-open and 200 dribbling connections: what a page and the probes answer meanwhile.

    python -m tests.drills.half_open --seconds 60

Half-open: connected, and silent, or silent after half a request line. Dribbling: a byte every two seconds, of a head, of
a body that was announced, or read of an answer. Whoever is put out comes again. Ends with 1 where one question was not
answered within two seconds with 200. With --short fewer of them for some seconds, and what is late is no failure.
--server "python -m gunicorn portal.wsgi --bind 127.0.0.1:{port}" lets another server stand in for ours.
"""

from __future__ import annotations

import argparse
import http.client
import selectors
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.devserver.running import free_ports
from tests.drills.house import House, until

PATHS = ("/health/live", "/health/ready", "/account/login/")
IN_TIME_SECONDS = 2.0
DRIBBLE_SECONDS = 2.0
PAUSE_SECONDS = 0.25

HEAD = b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\n"
PAGE = b"GET /account/login/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_READER = "slow reader"
# What each kind sends at once, and what it sends byte by byte.
KINDS = {
    "silent": (b"", b""),
    "half a line": (b"GET / HT", b""),
    "dribbled head": (HEAD + b"X-Long: ", b"a" * 4000),
    "dribbled body": (HEAD + FORM, b"a" * 4000),
    SLOW_READER: (PAGE * 3, b""),
}


@dataclass
class Answers:
    """How one path was answered."""

    path: str
    milliseconds: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def ask(self, port: int, timeout: float) -> None:
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request("GET", self.path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.faults[type(error).__name__] += 1
            return
        finally:
            connection.close()
        self.milliseconds.append((time.monotonic() - begun) * 1000)
        if answer.status != 200:
            self.faults[str(answer.status)] += 1

    def line(self) -> str:
        times = sorted(self.milliseconds) or [0.0]
        unanswered = sum(count for name, count in self.faults.items() if not name.isdigit())
        asked = len(self.milliseconds) + unanswered
        faults = ", ".join(f"{count} {name}" for name, count in self.faults.items()) or "none"
        return f"{self.path:18}{asked:>7}{times[len(times) // 2]:>11.1f}{times[-1]:>11.1f}   {faults}"


class Crowd(threading.Thread):
    """Connections that keep a server waiting; one that is closed comes again."""

    def __init__(self, port: int, kinds: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.kinds = port, kinds
        self.over = threading.Event()
        self.standing = threading.Event()
        self.closed: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()  # a slow reader is not in it: nobody looks whether it could read
        self._unsent: dict[socket.socket, tuple[str, bytes]] = {}

    def run(self) -> None:
        for kind in self.kinds:
            self._come(kind)
        self.standing.set()
        next_byte = time.monotonic() + DRIBBLE_SECONDS
        while not self.over.is_set():
            for key, _ in self._selector.select(0.1):
                self._read(key.fileobj, 4096)  # type: ignore[arg-type]
            if time.monotonic() >= next_byte:
                next_byte = time.monotonic() + DRIBBLE_SECONDS
                for line in list(self._unsent):
                    self._dribble(line)
        for line in self._unsent:
            line.close()

    def _come(self, kind: str) -> None:
        first, later = KINDS[kind]
        line = socket.socket()
        if kind == SLOW_READER:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        line.settimeout(5)
        try:
            line.connect(("127.0.0.1", self.port))
            line.sendall(first)
        except OSError:
            line.close()
            self.closed[kind] += 1
            return
        line.setblocking(False)
        self._unsent[line] = (kind, later)
        if kind != SLOW_READER:
            self._selector.register(line, selectors.EVENT_READ)

    def _read(self, line: socket.socket, most: int) -> None:
        try:
            if line.recv(most):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._come_again(line)

    def _dribble(self, line: socket.socket) -> None:
        kind, unsent = self._unsent[line]
        if kind == SLOW_READER:
            self._read(line, 1)
        elif unsent:
            self._unsent[line] = (kind, unsent[1:])
            try:
                line.send(unsent[:1])
            except BlockingIOError:
                return
            except OSError:
                self._come_again(line)

    def _come_again(self, line: socket.socket) -> None:
        kind, _ = self._unsent.pop(line)
        if kind != SLOW_READER:
            self._selector.unregister(line)
        line.close()
        self.closed[kind] += 1
        self._come(kind)


def ask_for(seconds: float, port: int, timeout: float) -> list[Answers]:
    """Each path by a client of its own: one that waits keeps no other from asking."""
    answers = [Answers(path) for path in PATHS]
    end = time.monotonic() + seconds

    def go_on_asking(each: Answers) -> None:
        while time.monotonic() < end:
            each.ask(port, timeout)
            time.sleep(PAUSE_SECONDS)

    askers = [threading.Thread(target=go_on_asking, args=(each,)) for each in answers]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    return answers


def trial(port: int, *, half_open: int, dribbling: int, seconds: float, timeout: float) -> list[Answers]:
    """Prints the figures of a time of peace and of the siege, and returns the siege's."""
    show("in peace", ask_for(seconds / 5, port, timeout))
    crowd = Crowd(
        port,
        ["silent", "half a line"] * (half_open // 2)
        + ["dribbled head", "dribbled body"] * (dribbling // 2)
        + [SLOW_READER] * (dribbling // 4),
    )
    crowd.start()
    crowd.standing.wait(120)
    answers = ask_for(seconds, port, timeout)
    crowd.over.set()
    crowd.join()
    show(
        f"with {half_open} half-open and {dribbling} dribbling connections and {dribbling // 4} slow readers", answers
    )
    print("closed by the server: " + (", ".join(f"{n} {kind}" for kind, n in crowd.closed.items()) or "none"))
    return answers


def show(when: str, answers: Sequence[Answers]) -> None:
    print(f"\n{when}\n{'':18}{'asked':>7}{'median ms':>11}{'longest ms':>11}   not answered with 200 in time")
    print("\n".join(each.line() for each in answers), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--half-open", type=int, default=200)
    parser.add_argument("--dribbling", type=int, default=200)
    parser.add_argument("--server", default="", help="another server's command line, with {port} in it")
    parser.add_argument("--short", action="store_true", help="4 s, 40 of each kind; every answer is in time")
    options = parser.parse_args()
    if options.short:
        options.seconds, options.half_open, options.dribbling = 4, 40, 40
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    house = House(folder / "var")
    try:
        house.start_servers()
        house.plan = replace(house.plan, port=free_ports(1))
        web = house.plan.web()
        if options.server:
            command = shlex.split(options.server.format(port=house.plan.port))
            web.arguments = tuple(command[1:] if command[0] == "python" else command)
        house.run(web)
        first = Answers(PATHS[0])
        until(lambda: first.ask(house.plan.port, 2) or first.milliseconds, lambda: house.log("web"))
        answers = trial(
            house.plan.port,
            half_open=options.half_open,
            dribbling=options.dribbling,
            seconds=options.seconds,
            timeout=20 if options.short else IN_TIME_SECONDS,
        )
        if any(each.faults for each in answers):
            sys.exit("FAILED: not every question was answered in time")
    finally:
        house.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
