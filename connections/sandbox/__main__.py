"""`python -m connections.sandbox`: open every simulator, say where they are, and serve until asked to stop."""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

import trustme

from connections.sandbox.kit import Door, Kit, OpenDoor, Running, Simulator, discover, open_kit
from connections.sandbox.kit.certificates import SelfSigned, authority, server_context
from connections.sandbox.kit.server import Listener, PortTaken
from connections.sandbox.kit.site import site

CANNOT_START = 4

Ports = dict[tuple[str, str], Listener]  # by simulator and door


class CannotStart(Exception):
    """Why the sandbox does not start, in one line."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 after an orderly stop, 4 when it could not start."""
    options = _options(arguments)
    # Asked first, so that a stop that comes early is an orderly one too.
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    # Request lines can hold what a careless client put there; nothing of them belongs on a terminal.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.umask(0o077)
    try:
        run(options, stop)
    except CannotStart as why:
        print(f"sandbox: {why}", file=sys.stderr)
        return CANNOT_START
    return 0


def run(options: argparse.Namespace, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises CannotStart."""
    folder: Path = options.state.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    except OSError as refused:
        msg = f"the state folder {folder} cannot be used: {refused.strerror}"
        raise CannotStart(msg) from refused
    listeners: list[Listener] = []
    addresses = folder / "addresses.json"
    try:
        addresses.unlink(missing_ok=True)  # left by one that was killed
        simulators = discover()
        saved_ports = _saved_ports(folder)
        ui = _listen(listeners, options.ui_port, "--ui-port", saved_ports.get("ui"))
        ports: Ports = {}
        for simulator in simulators:
            for door in simulator.doors:
                port = options.api_port and options.api_port + len(ports)
                again = saved_ports.get(f"{simulator.slug}.{door.name}")
                ports[simulator.slug, door.name] = _listen(listeners, port, "--api-port", again)
        _save_ports(folder, ui, ports)
        signed_by = authority(folder)
        opened: dict[str, tuple[Simulator, Kit, Running]] = {}
        for simulator in simulators:
            doors = {
                door.name: _stand(door, simulator.slug, ports[simulator.slug, door.name], folder, signed_by)
                for door in simulator.doors
            }
            kit = open_kit(
                simulator,
                folder=folder,
                records=options.records,
                latency_seconds=options.latency_ms / 1000,
                portal=options.portal.rstrip("/"),
                doors=doors,
            )
            opened[simulator.slug] = (simulator, kit, simulator.open(kit))
        for _, kit, running in opened.values():
            for number, (name, stands) in enumerate(kit.doors.items()):
                stands.serve(running.others[name] if number else running.api)
        ui.serve(site(opened))
        _announce(addresses, f"http://localhost:{ui.port}", opened, folder / "ca.pem")
        print(f"sandbox: http://localhost:{ui.port}/", flush=True)
        if options.stop_on_eof:
            threading.Thread(target=_stop_on_eof, args=(stop,), daemon=True).start()
        stop.wait()
    finally:
        addresses.unlink(missing_ok=True)
        for listener in listeners:
            listener.close()
        lock.close()


def _saved_ports(folder: Path) -> dict[str, int]:
    """What the last start took: where any free port will do, the same one keeps addresses good over a restart."""
    path = folder / "ports.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _save_ports(folder: Path, ui: Listener, ports: Ports) -> None:
    numbers = {"ui": ui.port} | {f"{slug}.{door}": listener.port for (slug, door), listener in ports.items()}
    (folder / "ports.json").write_text(json.dumps(numbers))


def _listen(listeners: list[Listener], port: int, option: str, again: int | None = None) -> Listener:
    if port == 0 and again:
        try:
            return _listen(listeners, again, option)
        except CannotStart:
            pass  # somebody else has it now; any other will do
    try:
        listener = Listener(port)
    except PortTaken as error:
        msg = f"port {error.port} is taken by another program; choose another one with {option}"
        raise CannotStart(msg) from error
    except (OSError, OverflowError) as refused:
        msg = f"port {port} cannot be opened: {refused}"
        raise CannotStart(msg) from refused
    listeners.append(listener)
    return listener


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        msg = f"another sandbox is running with the state folder {folder}; stop it or choose another --state"
        raise CannotStart(msg) from error
    return lock


def _stand(door: Door, slug: str, listener: Listener, folder: Path, signed_by: trustme.CA) -> OpenDoor:
    if door.trust == "plain":
        return OpenDoor(listener)
    if door.trust == "authority":
        return OpenDoor(listener, server_context(signed_by))
    certificate = SelfSigned(folder, f"{slug}-{door.name}")
    return OpenDoor(listener, certificate.context, certificate)


def _announce(path: Path, ui: str, opened: dict[str, tuple[Simulator, Kit, Running]], ca: Path) -> None:
    hosts: dict[str, dict[str, str]] = {}
    for slug, (simulator, kit, running) in opened.items():
        where = {part: (simulator.doors[0].name, at) for part, at in running.hosts.items()} | running.elsewhere
        hosts[slug] = {"authorize": f"{ui}/{slug}"}
        for part, (name, at) in where.items():
            hosts[slug][part] = f"{kit.doors[name].origin}{at}"
        if simulator.doors[0].trust == "authority":
            hosts[slug]["ca"] = str(ca)
    clients = {slug: running.client() for slug, (_, _, running) in opened.items()}
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"ui": ui, "pid": os.getpid(), "hosts": hosts, "clients": clients}, indent=2))
    beside.replace(path)


def _stop_on_eof(stop: threading.Event) -> None:
    # Not sys.stdin: a thread waiting in its buffer keeps the interpreter from ending.
    while os.read(0, 4096):
        pass
    stop.set()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m connections.sandbox", description="Simulated providers, for the demo and the tests."
    )
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for certificates, addresses.json and kept state"
    )
    parser.add_argument(
        "--ui-port", type=int, default=8001, help="plain HTTP for people and for the control API; 0 = any free one"
    )
    parser.add_argument(
        "--api-port",
        type=int,
        default=8002,
        help="the first door of the first simulator, the others follow; 0 = any free ones",
    )
    parser.add_argument("--latency-ms", type=int, default=0, help="how long every API call takes at least")
    parser.add_argument(
        "--records", choices=("small", "demo"), default="small", help="how many records the simulated companies have"
    )
    parser.add_argument(
        "--portal", default="http://localhost:8000", help="where the portal is, to which login pages send people back"
    )
    parser.add_argument(
        "--stop-on-eof", action="store_true", help="stop when standard input closes, so that no orphan stays"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
