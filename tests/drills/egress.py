"""Tries to make the door of the portal call somebody inside, in every way we know, and counts who was called.

    python -m tests.drills.egress --seed 1

Runs in network and mount namespaces of its own, which end with it: there every address of the world is delivered to this
process, so that a connection to anything internal is a connection that is seen; the kernel's own count is compared, too.
A name server of our own changes its mind between look-ups; hosts that look honest send us elsewhere. Where namespaces
are not allowed, addresses are looked up and connected in this process instead of by the system, and the drill says so.
Ends with 1 where anything internal was called, a secret arrived where it should not, or an honest host was refused.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.drills import egress_corpus as corpus
from tests.drills import egress_world as world
from tests.drills.egress_corpus import Answers, Attempt

SECRET = "s3cret-canary-of-the-drill"
LONGEST = 900  # seconds, after which the drill is ended whatever it does


@dataclass
class Figures:
    world: str = ""
    hostile_urls: int = 0
    urls_refused: int = 0
    rebindings: int = 0
    rebinding_calls: int = 0
    rebindings_refused: int = 0
    rebindings_to_public: int = 0
    redirects: int = 0
    redirects_not_followed: int = 0
    honest: int = 0
    honest_refused: list[str] = field(default_factory=list)
    internal_connections: int = 0
    secrets_elsewhere: int = 0
    connections_to_honest: int = 0
    connections_the_kernel_counted: int = 0
    wrong: list[str] = field(default_factory=list)


class Drill:
    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.names = world.NameServer()
        self.figures = Figures()
        hosts = {self._host(each) for each in corpus.honest()}
        # A wildcard stands for one label; trustme certifies no name with an underscore by itself.
        certified = [name for name in hosts if ":" not in name and not name[-1].isdigit() and "_" not in name]
        literals = [
            corpus.PUBLIC_4,
            corpus.PUBLIC_6,
            f"::ffff:{corpus.PUBLIC_4}",
            corpus.TRANSLATED_4,
            corpus.THIEF,
            corpus.THIEF_4,
        ]
        self.listeners = world.Listeners(folder, [*certified, "*.honest.example", "*.rebind.example", *literals])
        public = (Answers((corpus.PUBLIC_4,), (corpus.PUBLIC_6,)),)
        self.names.scripts = {
            "public.example": public,
            corpus.THIEF: (Answers((corpus.THIEF_4,)),),
            "metadata.internal.example": (Answers(("169.254.169.254",)),),
            "inner.rebind.example": (Answers(("10.0.0.5",)),),
        }
        for each in corpus.honest():
            if each.script:
                self.names.scripts[self._host(each)] = each.script

    @staticmethod
    def _host(attempt: Attempt) -> str:
        host = urlsplit(attempt.url).hostname or ""
        if not host.isascii():
            import idna

            host = idna.encode(host, uts46=True).decode()
        return host.removesuffix(".")

    def go(self, rebindings: int, redirects: int) -> Figures:
        begun = world.opened() if self.figures.world else 0
        self._honest()
        self._urls()
        self._rebindings(rebindings)
        self._redirects(redirects)
        self._honest()
        figures = self.figures
        time.sleep(1.2)  # who was called inside may still be listening to what is said
        elsewhere = self.listeners.elsewhere
        figures.internal_connections = len(elsewhere)
        figures.secrets_elsewhere = sum(SECRET.encode() in said for _, _, said in elsewhere)
        figures.connections_to_honest = self.listeners.honest.total()
        if figures.world.startswith("a network"):
            figures.connections_the_kernel_counted = world.opened() - begun
            if figures.connections_the_kernel_counted != figures.connections_to_honest:
                figures.wrong.append("the kernel has begun other connections than the honest hosts took")
        figures.wrong += [f"called: {address} port {port}" for address, port, _ in elsewhere[:20]]
        return figures

    # -- the attempts ----------------------------------------------------------------------------------------------

    def _urls(self) -> None:
        for attempt in corpus.hostile_urls(self.chance):
            self.figures.hostile_urls += 1
            said = self._send(attempt)
            self.figures.urls_refused += (
                said == "AddressNotAllowed"
            )  # by the door itself, and not by the look-up or the line
            if said != "AddressNotAllowed":
                self.figures.wrong.append(f"{attempt.url!r}: {said}")

    def _rebindings(self, most: int) -> None:
        for number in range(most):
            attempt = corpus.rebinding(number, self.chance)
            self.names.scripts[self._host(attempt)] = attempt.script
            self.figures.rebindings += 1
            for _ in range(len(attempt.script) + 1):
                said = self._send(attempt, fresh=self.chance.random() < 0.7)
                self.figures.rebinding_calls += 1
                self.figures.rebindings_refused += said in ("AddressNotAllowed", "NotSent")
                self.figures.rebindings_to_public += said == 200
                if said not in ("AddressNotAllowed", "NotSent", 200):
                    self.figures.wrong.append(f"{attempt}: {said}")

    def _redirects(self, most: int) -> None:
        for number in range(most):
            attempt = corpus.redirect(number, self.chance)
            self.listeners.redirects[f"/redirect/{number}"] = attempt
            self.figures.redirects += 1
            said = self._send(attempt, fresh=self.chance.random() < 0.1)
            self.figures.redirects_not_followed += said == attempt.status
            if said != attempt.status:
                self.figures.wrong.append(f"{attempt.status} {attempt.location!r}: {said}")

    def _honest(self) -> None:
        for attempt in corpus.honest():
            self.figures.honest += 1
            said = self._send(attempt)
            if said != 200:
                self.figures.honest_refused.append(f"{attempt.url}: {said}")

    def _send(self, attempt: Attempt, *, fresh: bool = True) -> Any:
        """The status, or the name of what was raised. Every call carries secrets in every place they may have."""
        from connections.spec.provider import Deadlines, Hosts
        from connections.transport.http import session as http_session

        if fresh:
            for session in http_session._local.__dict__.pop("sessions", {}).values():
                session.close()
        hosts = Hosts(
            api=attempt.url, token="", ca=self.listeners.ca, from_customer=attempt.given, plain=attempt.plain
        )
        posted = self.chance.choice([{}, {"form": {"client_secret": SECRET}}, {"body": SECRET.encode()}])
        try:
            answer = http_session.send(
                hosts=hosts, method="POST" if posted else "GET", url=attempt.url, total=5.0,
                deadlines=Deadlines(connect=2.0, read=5.0), headers={"Authorization": f"Bearer {SECRET}"},
                hidden_query={"access_token": SECRET}, **posted,
            )  # fmt: skip
        except http_session.LeadsInside:
            return "AddressNotAllowed"
        except http_session.NameNotFound:
            return "NotSent"
        except http_session.EgressError as refused:
            return type(refused).__name__
        except Exception as crash:
            return f"crashed: {crash!r}"
        return answer.status


def stand_in(drill: Drill) -> None:
    """Without a network of our own: names and connections end in this process, which sees every address that is dialled."""
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = str(host).lower().removesuffix(".")
        try:
            return real(host, port, family, type, proto, socket.AI_NUMERICHOST)
        except socket.gaierror:
            kinds = [drill.names.answers(name, kind) for kind in (world.A, world.AAAA)]
        local = Answers(("127.0.0.1",)) if name in ("localhost", "ip6-localhost") else Answers()
        v4, v6 = (each or local for each in kinds)
        found = [each for ip in (*v6.v6, *v4.v4) for each in real(ip, port, 0, socket.SOCK_STREAM)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return found

    def connect(address: tuple[str, int], timeout: Any = None, *_: Any, **__: Any) -> socket.socket:
        if address[0] == corpus.DEAD_4:
            raise OSError(113, "no route")
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout)
        import threading

        threading.Thread(target=drill.listeners.serve, args=(theirs, *address[:2]), daemon=True).start()
        return ours

    from urllib3.util import connection

    socket.getaddrinfo = look_up  # type: ignore[assignment]
    socket.create_connection = connect  # type: ignore[assignment]
    connection.create_connection = connect  # type: ignore[assignment]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rebindings", type=int, default=1500, help="names that change their mind")
    parser.add_argument("--redirects", type=int, default=1500)
    parser.add_argument("--no-namespace", action="store_true", help="connections end in this process")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    if not options.no_namespace and world.INSIDE not in os.environ:
        ended = world.enter(sys.argv[1:])
        if ended is not None:
            sys.exit(ended)
    signal.alarm(LONGEST)
    os.environ |= {"PORTAL_MODE": "demo", "DATABASE_URL": "postgresql://nobody@localhost/none"}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    folder = Path(tempfile.mkdtemp(prefix="portal-drill-"))
    begun = time.monotonic()
    try:
        if world.INSIDE in os.environ:
            world.furnish(folder)  # before anything looks whether this machine knows version 6
        import django

        django.setup()
        drill = Drill(folder, options.seed)
        if world.INSIDE in os.environ:
            drill.figures.world = "a network of its own"
            drill.names.start()
            drill.listeners.start()
        else:
            drill.figures.world = "this process alone: no namespaces here"
            stand_in(drill)
        figures = drill.go(options.rebindings, options.redirects)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in asdict(figures).items():
        print(f"{name.replace('_', ' '):36} {value if not isinstance(value, list) else len(value)}")
    for line in (*figures.wrong[:40], *figures.honest_refused[:40]):
        print(f"  WRONG {line}")
    print(f"seed {options.seed}, took {time.monotonic() - begun:.0f} s")
    if options.json:
        print(json.dumps(asdict(figures)))
    is_bad = figures.wrong or figures.honest_refused or figures.internal_connections or figures.secrets_elsewhere
    sys.exit(bool(is_bad))


if __name__ == "__main__":
    main()
