"""One sandbox for all, as on the first day for each test, and a customer in every way of every provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connections.jobs import registry as kinds
from connections.providers.registry import all_providers
from connections.transport.oauth import authorization
from tests.contract.auth_methods import AuthMethod, auth_methods, first_ways
from tests.contract.customers import Customer, Simulated


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`way` is every way of every provider, `first_way` the recommended one of each, `plain_way` each grant once,
    `login_way` those with a login page.
    """
    found = {
        "auth_method": auth_methods,
        "first_way": first_ways,
        "plain_way": lambda: [auth_method for auth_method in auth_methods() if auth_method.is_plain],
        "login_way": lambda: [auth_method for auth_method in auth_methods() if auth_method.login],
    }
    for name, find in found.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, find(), ids=str)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Between retries nobody sleeps here; what would have been slept is noted, in seconds."""
    from types import SimpleNamespace

    from connections.transport import client
    from connections.transport.limits import retry

    slept: list[float] = []
    for module in (client, retry):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    return slept


@pytest.fixture
def no_pace() -> Iterator[None]:
    """Gentle limits are lifted to 60 calls a second, and a slow machine is no trouble: the limiter and the deadlines have tests
    of their own. Allowances of longer spans stand.
    """
    kept = {slug: (provider.quotas, provider.deadlines) for slug, provider in all_providers().items()}
    for slug, (quotas, deadlines) in kept.items():
        lifted = [
            replace(quota, calls=max(quota.calls, 60)) if quota.per <= timedelta(seconds=1) else quota
            for quota in quotas
        ]
        patient = replace(deadlines, connect=60.0, read=60.0, total=120.0, token_total=120.0)
        _describe(slug, quotas=tuple(lifted), deadlines=patient)
    yield
    for slug, (quotas, deadlines) in kept.items():
        _describe(slug, quotas=quotas, deadlines=deadlines)


def _describe(slug: str, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(all_providers()[slug], name, value)  # frozen, as it should be


@pytest.fixture
def arrive(
    sandbox_process: Any,
    aamu: Any,
    settings: Any,
    work_off: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    no_pauses: list[float],
    no_pace: None,
) -> Callable[[AuthMethod], Customer]:
    """`arrive(auth_method)` gives a customer who has done nothing yet; our registration is stored, the simulator is as new."""
    from connections.vault.secret import Secret
    from connections.vault.services import register_client
    from portal.env import SandboxHosts

    settings.SANDBOX_HOSTS = {slug: SandboxHosts(**parts) for slug, parts in sandbox_process.hosts.items()}
    # Where all is one transaction no heartbeat could see its job; nobody else is there to take one over either.
    settings.JOBS_LEASE_SECONDS = 600
    if kinds.kind_of(authorization.ATTEMPT_ENDED) is None:
        ended = kinds.Kind(authorization.ATTEMPT_ENDED, "interactive", lambda lease: None)
        monkeypatch.setitem(kinds._KINDS, authorization.ATTEMPT_ENDED, ended)

    def begin(auth_method: AuthMethod) -> Customer:
        simulator = Simulated(sandbox_process, auth_method.slug)
        simulator.reset()
        if simulator.client.get("client_id"):
            register_client(
                provider=auth_method.slug,
                environment="sandbox",
                client_id=simulator.client["client_id"],
                client_secret=Secret(simulator.client["client_secret"]),
                redirect_uri=simulator.client.get("redirect_uri", ""),
            )
        return Customer(auth_method, aamu, simulator, work_off)

    return begin


@pytest.fixture
def newcomer(arrive: Callable[[AuthMethod], Customer], auth_method: AuthMethod) -> Customer:
    return arrive(auth_method)


@pytest.fixture
def customer(arrive: Callable[[AuthMethod], Customer], auth_method: AuthMethod) -> Customer:
    """Connected in this way."""
    return arrive(auth_method).connect()


@pytest.fixture
def first(arrive: Callable[[AuthMethod], Customer], first_way: AuthMethod) -> Customer:
    """Connected in the way that we recommend."""
    return arrive(first_way).connect()
