"""Looks a name up within the deadline, and refuses it unless every one of its addresses may be reached."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from dataclasses import dataclass, field

from connections.spec.provider import Hosts
from connections.transport.http import addresses, deadline
from connections.transport.http.addresses import IP
from connections.transport.http.errors import AddressNotAllowed, LeadsInside, NameNotFound

MOST_LOOKUPS = 16  # at a time in one process; one that hangs keeps its place until the system's resolver gives up
LONGEST_LOOKUP_SECONDS = 10.0  # seconds, where no deadline says less


@dataclass
class NameLookup:
    """A lookup that is under way; whoever asks for the same name meanwhile waits for it, too."""

    host: str
    port: int
    is_done: threading.Event = field(default_factory=threading.Event)
    addresses: list[str] = field(default_factory=list)

    def run(self, places: threading.BoundedSemaphore) -> None:
        """In a thread of its own: fill `addresses`, none where the name is not known, and release the place."""
        try:
            answers = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.addresses = [str(address[0]) for *_, address in answers]
        except (OSError, UnicodeError):
            self.addresses = []
        finally:
            with _lock:
                _under_way.pop((self.host, self.port), None)
            places.release()
            self.is_done.set()


_lock = threading.Lock()
_places = threading.BoundedSemaphore(MOST_LOOKUPS)
_under_way: dict[tuple[str, int], NameLookup] = {}


def _forget_lookups() -> None:
    """The threads of lookups do not live on in a forked process."""
    global _lock, _places
    _lock, _places = threading.Lock(), threading.BoundedSemaphore(MOST_LOOKUPS)
    _under_way.clear()


os.register_at_fork(after_in_child=_forget_lookups)


def allowed_addresses(host: str, port: int, hosts: Hosts) -> list[IP]:
    """The addresses to connect to, the system's first choice first. `host`: as addresses.parse_address gives it.

    Raises AddressNotAllowed, LeadsInside unless every address of it may be reached, NameNotFound.
    """
    ips = look_up(host, port)
    if not all(addresses.is_reachable(ip, hosts) for ip in ips):
        raise AddressNotAllowed if str(ips[0]) == host else LeadsInside
    return list(dict.fromkeys(ips))


def look_up(host: str, port: int) -> list[IP]:
    """All addresses of a name, or the one that `host` is, within the deadline. Raises NameNotFound."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    lookup = _start_lookup(host, port)
    remaining = deadline.seconds_left()
    if not lookup.is_done.wait(LONGEST_LOOKUP_SECONDS if remaining is None else remaining):
        raise NameNotFound
    try:
        ips = [ipaddress.ip_address(text) for text in lookup.addresses]
    except ValueError:
        ips = []
    if not ips:
        raise NameNotFound
    return ips


def _start_lookup(host: str, port: int) -> NameLookup:
    """The lookup of this name that is under way, else a new one in a thread of its own: a resolver cannot be stopped."""
    with _lock:
        if (running := _under_way.get((host, port))) is not None:
            return running
    places, remaining = _places, deadline.seconds_left()
    if not places.acquire(timeout=LONGEST_LOOKUP_SECONDS if remaining is None else remaining):
        raise NameNotFound
    lookup = NameLookup(host, port)
    with _lock:
        _under_way[host, port] = lookup
    try:
        threading.Thread(target=lookup.run, args=(places,), name="lookup", daemon=True).start()
    except RuntimeError:
        with _lock:
            _under_way.pop((host, port), None)
        places.release()
        raise
    return lookup
