"""Looks a name up, inside the deadline, and judges every address it has."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from dataclasses import dataclass, field

from connections.spec.provider import Hosts
from connections.transport.http import addresses, deadline
from connections.transport.http.addresses import IP
from connections.transport.http.errors import LeadsInside, NameNotFound, NotAllowed

MOST_LOOK_UPS = 16  # at a time in one process; one that hangs holds its place until the system's resolver gives up
LONGEST = 10.0  # seconds, where no deadline says less


@dataclass
class LookUp:
    """One that is under way; whoever asks for the same name meanwhile waits for it, too."""

    host: str
    port: int
    is_done: threading.Event = field(default_factory=threading.Event)
    found: list[str] = field(default_factory=list)

    def run(self, places: threading.BoundedSemaphore) -> None:
        try:
            answers = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.found = [str(address[0]) for *_, address in answers]
        except (OSError, UnicodeError):
            self.found = []
        finally:
            with _lock:
                _under_way.pop((self.host, self.port), None)
            places.release()
            self.is_done.set()


_lock = threading.Lock()
_places = threading.BoundedSemaphore(MOST_LOOK_UPS)
_under_way: dict[tuple[str, int], LookUp] = {}


def _forget() -> None:
    """The threads of look-ups do not live on in a forked process."""
    global _lock, _places
    _lock, _places = threading.Lock(), threading.BoundedSemaphore(MOST_LOOK_UPS)
    _under_way.clear()


os.register_at_fork(after_in_child=_forget)


def judged(host: str, port: int, hosts: Hosts) -> list[IP]:
    """The addresses to connect to, the system's first choice first. `host`: as addresses.checked gives it.

    Raises NotAllowed, LeadsInside unless every address of it may be reached, NameNotFound.
    """
    found = looked_up(host, port)
    if not all(addresses.may_be_reached(ip, hosts) for ip in found):
        raise NotAllowed if str(found[0]) == host else LeadsInside
    return list(dict.fromkeys(found))


def looked_up(host: str, port: int) -> list[IP]:
    """An address itself, or all that a name has, inside the deadline. Raises NameNotFound."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    look_up = _begun(host, port)
    remaining = deadline.left()
    if not look_up.is_done.wait(LONGEST if remaining is None else remaining):
        raise NameNotFound
    try:
        known = [ipaddress.ip_address(text) for text in look_up.found]
    except ValueError:
        known = []
    if not known:
        raise NameNotFound
    return known


def _begun(host: str, port: int) -> LookUp:
    """The look-up of this name that is under way, else a new one in a thread of its own: a resolver cannot be stopped."""
    with _lock:
        if (running := _under_way.get((host, port))) is not None:
            return running
    places, remaining = _places, deadline.left()
    if not places.acquire(timeout=LONGEST if remaining is None else remaining):
        raise NameNotFound
    look_up = LookUp(host, port)
    with _lock:
        _under_way[host, port] = look_up
    try:
        threading.Thread(target=look_up.run, args=(places,), name="look-up", daemon=True).start()
    except RuntimeError:
        with _lock:
            _under_way.pop((host, port), None)
        places.release()
        raise
    return look_up
