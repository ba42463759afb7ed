"""What every simulator shares: its description, kept state, clock, switches, faults and the log of what it was asked.

A simulator is one package beside this one with a `SIMULATOR`; nothing else has to be told about it. The same things stand in
files of the same names in all of them:

    schema.py        the tables of its SQLite file              api.py             the API itself
    switches.py      what the document leaves open              tokens.py          the token request
    sample_data.py   invented records, the same at every start  authorization.py   what a person is asked, and the way back
    records.py       the records as they are kept and changed   lists.py           how a list is asked for
    accounts.py      companies and their people                 serializers.py     how a record is told
    grants.py        who was let in, and the tokens of it       validation.py      how a written record is judged
    pages.py         the pages that a person walks              errors.py          how a call is refused
    control.py       the same deeds for tests                   quota.py           how many calls are let in

Not every simulator needs every one; whatever else a package holds is that provider's alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from connections.sandbox.kit.call_log import CallLog
from connections.sandbox.kit.clock import Clock
from connections.sandbox.kit.doors import OpenDoor
from connections.sandbox.kit.faults import Faults
from connections.sandbox.kit.store import Store
from connections.sandbox.kit.switches import Choice, Switch, Switches

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Blueprint

__all__ = [
    "Choice",
    "Door",
    "Kit",
    "OpenDoor",
    "Running",
    "Simulator",
    "Switch",
    "discover",
    "open_kit",
    "simulators_in",
]

Trust = Literal["authority", "self-signed", "plain"]


@dataclass(frozen=True)
class Kit:
    """The shared parts as one simulator holds them; each simulator has its own file, clock, switches and faults."""

    slug: str
    store: Store
    clock: Clock
    switches: Switches
    faults: Faults
    call_log: CallLog
    records: str
    latency_seconds: float
    portal: str  # the origin of whoever connects; its first client's redirect address is `<portal>/callback/<slug>/`
    doors: Mapping[str, OpenDoor] = field(default_factory=dict)  # its own, by name; they answer once it is open

    @property
    def callback(self) -> str:
        return f"{self.portal}/callback/{self.slug}/"


@dataclass(frozen=True)
class Running:
    """An opened simulator: `hosts` maps the parts (api, token) to paths on its door.

    What a browser visits (a login or consent page) stands among `pages`: the part `authorize` is always their address.
    `others` answers at further doors by name; `elsewhere` maps parts to a further door's name and a path there.
    `reset` takes everything a person or a test did back, but keeps the API clients, whose secrets others hold.
    """

    api: WSGIApplication
    pages: Blueprint
    hosts: dict[str, str]
    client: Callable[[], dict[str, str]]
    reset: Callable[[], None]
    state: Callable[[], dict[str, Any]] = field(default=dict)
    others: dict[str, WSGIApplication] = field(default_factory=dict)
    elsewhere: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Door:
    """One port: with a certificate of the sandbox's authority, with one it signed itself, or without any.

    A self-signed certificate is kept in the state folder as `<slug>-<door>.pem`, so that a pin outlives a restart.
    """

    name: str = "api"
    trust: Trust = "authority"


@dataclass(frozen=True)
class Simulator:
    """One provider's stand-in, described; `open` brings it to life with its kit."""

    slug: str
    name: str
    place: int  # in which order simulators are listed and take their ports
    summary: str
    schema: str
    switches: tuple[Switch, ...]
    open: Callable[[Kit], Running]
    doors: tuple[Door, ...] = (Door(),)  # the first one is the API's


def open_kit(
    simulator: Simulator,
    *,
    folder: Path,
    records: str,
    latency_seconds: float,
    portal: str,
    doors: Mapping[str, OpenDoor],
) -> Kit:
    """Open or create `<folder>/<slug>.sqlite3` and everything that stands on it."""
    store = Store(folder / f"{simulator.slug}.sqlite3", schema=simulator.schema)
    clock = Clock(store)
    return Kit(
        slug=simulator.slug,
        store=store,
        clock=clock,
        switches=Switches(simulator.switches, store),
        faults=Faults(),
        call_log=CallLog(clock),
        records=records,
        latency_seconds=latency_seconds,
        portal=portal,
        doors=doors,
    )


def discover() -> list[Simulator]:
    """Every module of this package that carries a `SIMULATOR`, by place."""
    import connections.sandbox as package

    return sorted(simulators_in(package.__name__, package.__path__), key=lambda simulator: simulator.place)


def simulators_in(name: str, path: Iterable[str]) -> Iterable[Simulator]:
    """The simulators among the modules of one package."""
    for module in pkgutil.iter_modules(path):
        if module.name == "__main__":
            continue
        simulator = getattr(importlib.import_module(f"{name}.{module.name}"), "SIMULATOR", None)
        if isinstance(simulator, Simulator):
            yield simulator
