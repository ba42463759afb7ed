"""One trial: a server is drawn, a customer connects and syncs, the server turns well, the customer syncs again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connections.providers.registry import all_providers
from connections.spec.grants import AuthorizationCode
from connections.sync.models import RunState
from connections.transport.limits import retry
from tests.foreign import checks
from tests.foreign.behaviours import BEHAVIOURS, EVERY, Behaviour
from tests.foreign.checks import Span, Violation
from tests.foreign.clock import Clock
from tests.foreign.customer import Customer, Stuck
from tests.foreign.options import Options
from tests.foreign.plans import compatible
from tests.foreign.server import MOST_PAGES
from tests.foreign.servers import SERVERS

HAS_STOOD = 0.4  # of the trials
MOST_WAKES = 60  # of a run while the server is in trouble
WAKES_TO_HEAL, RUNS_TO_HEAL = 25, 4
BETWEEN_RUNS = 3600.0  # as the schedule has it
LONGEST_WAIT = 3900.0  # seconds: what no header is worth more than, and some
BASE_REQUESTS = 500  # of both phases, beside pages
OF_TOKENS = ("life", "expires", "fresh", "rotation", "token", "token-body")
MAIN = {
    "procountor": ("invoices",),
    "smartbusiness": ("contacts", "invoices"),
    "pentamic": ("customers", "invoices"),
    "simutek": ("customers",),
    "hesabit": ("customers", "items"),
}
COMPANY = {"procountor": "5501", "smartbusiness": "311"}


@dataclass(frozen=True)
class Draw:
    """What a seed stands for."""

    seed: int
    provider: str
    behaviours: tuple[str, ...]
    grant: str
    wire: str
    large: int
    streams: tuple[str, ...]
    again: str = ""  # what the command line is given to have it once more
    has_stood: bool = False  # all was read before the trouble began

    @property
    def options(self) -> Options:
        options = Options()
        for name in self.behaviours:
            options = options.merged(BEHAVIOURS[name].options)
        # Enough token requests for all that is to happen to them.
        return options.merged({"uses": 2}) if len(options.token_trouble) > 2 and not options.uses else options

    def __str__(self) -> str:
        auth_method = f"{self.grant} {self.wire}".strip()
        return f"seed {self.seed}: {self.provider} ({auth_method}, {self.large} records): {', '.join(self.behaviours)}"


@dataclass
class Outcome:
    draw: Draw
    violations: list[Violation] = field(default_factory=list)
    state: str = ""  # of the run while the server was in trouble
    requests: int = 0
    seconds: float = 0.0  # of this process's work: the machine may be busy with others
    log: list[str] = field(default_factory=list)


def draw(seed: int, provider: str = "", behaviours: tuple[str, ...] = ()) -> Draw:
    """From one to three behaviours of different slots, unless they are given. The same seed draws the same."""
    rng = random.Random(f"draw {seed} {provider} {behaviours}")
    given = {"--seed": str(seed), "--provider": provider, "--behaviour": ",".join(behaviours)}
    again = " ".join(f"{name} {value}" for name, value in given.items() if value)
    if not provider:
        offered = [each for each in EVERY if all(each in BEHAVIOURS[name].providers for name in behaviours)]
        provider = rng.choice(offered)
    chosen = [BEHAVIOURS[name] for name in behaviours]
    if not chosen:
        chosen = _chosen(rng, provider, rng.choice((1, 2, 2, 3)))
    described = all_providers()[provider]
    is_refreshed = {isinstance(each, AuthorizationCode) for each in described.grants}
    wanted = {each.auth_method for each in chosen if each.auth_method}
    if wanted:
        is_refreshed = {"refresh" in wanted}
    grants = [each.name for each in described.grants if isinstance(each, AuthorizationCode) in is_refreshed]
    wire = ""
    if described.wire_field:
        is_xml = any(each.slot == "elements" for each in chosen)
        is_json = any(each.slot in ("envelope", "text", "names") for each in chosen)
        wire = "xml" if is_xml else "json" if is_json else rng.choice(("json", "xml"))
    names = tuple(sorted(each.name for each in chosen))
    streams = _streams(rng, described, chosen)
    grant, large = rng.choice(grants), _large(rng, provider, chosen)
    return Draw(seed, provider, names, grant, wire, large, streams, again, rng.random() < HAS_STOOD)


def _streams(rng: random.Random, described: Any, chosen: list[Behaviour]) -> tuple[str, ...]:
    """Some of many, with those that they are read for."""
    every = {each.name: each for each in described.streams}
    wanted = set(MAIN[described.slug])
    if described.slug == "procountor" and any(each.slot in ("closed", "hidden") for each in chosen):
        wanted |= {"bank_statements", "reference_payments", "products"}
    others = sorted(every.keys() - wanted)
    wanted |= set(rng.sample(others, min(2, len(others))))
    wanted |= {each.each.stream for name, each in every.items() if name in wanted and each.each}
    return tuple(name for name in every if name in wanted)


def _chosen(rng: random.Random, provider: str, count: int) -> list[Behaviour]:
    offered = [each for each in BEHAVIOURS.values() if provider in each.providers]
    slots = sorted({each.slot for each in offered})
    chosen: list[Behaviour] = []
    for slot in rng.sample(slots, min(count, len(slots))):
        found = rng.choice([each for each in offered if each.slot == slot])
        if compatible([*chosen, found]):
            chosen.append(found)
    return chosen


def _large(rng: random.Random, provider: str, chosen: list[Behaviour]) -> int:
    """How many records the long lists have."""
    cap = max((each.options.get("cap", 0) for each in chosen), default=0)
    if not any(each.is_paged for each in chosen):
        return rng.randint(6, 18)
    size = cap or min(SERVERS[provider].records_on_a_page, 200)
    if any(each.options.get("paging") == "all" for each in chosen):
        return size * 2 + 37  # no round number, which would look as if it were cut there
    return size * 3 + rng.randint(0, size) if size < 100 else size * 2 + rng.choice((0, 1, 17, 40))


class Trials:
    """Runs trials, one after the other, on one tenant."""

    def __init__(self, tenant: Any, clock: Clock, settings: Any, certificates: Mapping[str, tuple[str, str]]) -> None:
        """`certificates`: of each provider's server, with its key, and whom we trust for it."""
        self.tenant, self.clock, self.certificates = tenant, clock, certificates
        self.hosts: dict[str, Any] = {}
        settings.SANDBOX_HOSTS = self.hosts  # set once: each setting wraps the ones before

    def run(self, drawn: Draw, *, is_short: bool = False) -> Outcome:
        """`is_short`: where the first run is green and nothing is wrong, no other one is waited for."""
        outcome = Outcome(drawn)
        begun = time.process_time()
        random.seed(drawn.seed)  # what the engine draws itself, such as pauses
        retry.budget_of.cache_clear()
        with self._customer(drawn) as customer:
            try:
                self._go(customer, drawn, outcome, is_short=is_short)
            except Stuck as stuck:
                outcome.violations.append(Violation(checks.ENDLESS, f"the queue does not run empty: {stuck}"))
            outcome.requests = customer.server.requests
            outcome.log = customer.server.log
        outcome.seconds = time.process_time() - begun
        return outcome

    @contextmanager
    def _customer(self, drawn: Draw) -> Iterator[Customer]:
        from connections.transport.http import session as http_session
        from portal.env import SandboxHosts

        certificate, trusted = self.certificates[drawn.provider]
        rng = random.Random(f"server {drawn.seed}")
        server = SERVERS[drawn.provider](
            drawn.options, rng, self.clock.now, certificate, drawn.large, drawn.wire or drawn.grant
        )
        server.behave(Options())
        hosts = SandboxHosts(api=server.address, token=self._token_host(drawn.provider, server.address), ca=trusted)
        self.hosts.clear()
        self.hosts[drawn.provider] = hosts
        grant = next(each for each in all_providers()[drawn.provider].grants if each.name == drawn.grant)
        try:
            customer = Customer(server, self.tenant, grant, drawn.wire, drawn.streams, self.clock)
            customer.connect(COMPANY.get(drawn.provider, ""))
            yield customer
        finally:
            server.stop()
            for session in http_session._local.__dict__.pop("sessions", {}).values():
                session.close()
            self.clock.clear()

    @staticmethod
    def _token_host(provider: str, address: str) -> str:
        path = SERVERS[provider].endpoint.path
        return address if provider in ("hesabit",) else f"{address}{path}" if provider == "simutek" else ""

    def _go(self, customer: Customer, drawn: Draw, outcome: Outcome, *, is_short: bool) -> None:
        server = customer.server
        if any(BEHAVIOURS[name].slot in OF_TOKENS for name in drawn.behaviours):
            self.clock.pass_by(server.endpoint.lifetime + 60)  # so that a new token is needed
        if drawn.has_stood:
            self._pass(customer, MOST_WAKES)  # so that something may be called gone while the server is in trouble
            server.requests = 0
        server.behave(drawn.options)
        customer.waited.clear()
        span, run = self._pass(customer, MOST_WAKES)
        outcome.state = run.state
        found = outcome.violations
        is_green = run.state == RunState.SUCCEEDED
        found += checks.records(customer, span, is_green=is_green)
        found += checks.deletions(customer, span, run)
        found += checks.words(customer, run)
        customer.settle(1)
        found += checks.blame(customer, run)
        found += checks.crashes()
        if not is_green and all(BEHAVIOURS[name].is_readable for name in drawn.behaviours):
            found.append(Violation(checks.UNREAD, f"the run is {run.state} ({run.fault})"))
        behaviours = [BEHAVIOURS[name] for name in drawn.behaviours]
        is_rest_readable = all(each.is_readable or each.is_partial for each in behaviours)
        if not is_green and is_rest_readable and any(each.is_partial for each in behaviours):
            found += checks.rest(customer, span)
        if long := [each for each in customer.waited if each > LONGEST_WAIT]:
            found.append(Violation(checks.HELD, f"{max(long) / 3600:.1f} hours"))
        customer.waited.clear()
        if (most := max(server.pager.endless.values(), default=0)) > MOST_PAGES:
            found.append(Violation(checks.ENDLESS, f"{most} pages of a list without end"))
        pages = sum(len(each.entries) for each in server.books.collections.values())
        if server.requests > BASE_REQUESTS + 6 * pages:
            found.append(Violation(checks.ENDLESS, f"{server.requests} requests for {pages} records"))
        if is_short and is_green and not found:
            found += checks.health(customer, run)
            return
        self._heal(customer, outcome)

    def _heal(self, customer: Customer, outcome: Outcome) -> None:
        """The server is well from here on."""
        server, found = customer.server, outcome.violations
        server.heal()
        server.work()
        for _ in range(RUNS_TO_HEAL):
            self.clock.pass_by(BETWEEN_RUNS)
            span, run = self._pass(customer, WAKES_TO_HEAL)
            customer.settle(3)
            broken = list(checks.health(customer, run))
            found += checks.deletions(customer, span, run)
            if not broken:
                break
        found += broken
        if run.state == RunState.SUCCEEDED:
            known = {str(each) for each in found}
            found += [each for each in checks.records(customer, span, is_green=True) if str(each) not in known]
        if not outcome.violations and (long := [each for each in customer.waited if each > LONGEST_WAIT]):
            found.append(Violation(checks.HELD, f"{max(long) / 3600:.1f} hours, the server being well"))

    @staticmethod
    def _pass(customer: Customer, wakes: int) -> tuple[Span, Any]:
        start = customer.server.books.now
        run = customer.run(wakes)
        return Span(start, customer.server.books.now), run
