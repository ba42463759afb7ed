"""What trials stand on: real commits, a tenant, our registrations, certificates, and a clock that may be moved."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from connections.providers.registry import all_providers
from connections.transport import client as client_module
from connections.transport.client import TOKEN_SPREADS_SECONDS
from tests.foreign.clock import Clock
from tests.foreign.server import ForeignServer
from tests.foreign.servers import SERVERS
from tests.foreign.trial import Trials
from tests.transport import certificate_factory

TIMED = (
    "client",
    "oauth.tokens",
    "oauth.token_store",
    "oauth.token_endpoint",
    "limits.rate_limiter",
    "limits.circuit_breaker",
    "limits.retry",
    "oauth.token",
)


@pytest.fixture(scope="session")
def foreign_certificates(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[str, str]]:
    """Of each provider's server: its certificate with the key, and whom we trust. Pentamic's is signed by itself."""
    folder: Path = tmp_path_factory.mktemp("foreign")
    authority = trustme.CA()
    trusted, issued = folder / "authority.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(trusted))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(issued))
    own = certificate_factory.made(folder, "itself")
    found = dict.fromkeys(SERVERS, (str(issued), str(trusted)))
    return {**found, "pentamic": (str(own.chain), str(trusted))}


@pytest.fixture
def trials(
    committed_db: None,
    aamu: Any,
    settings: Any,
    foreign_certificates: Mapping[str, tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Trials]:
    import importlib

    from connections.sync import engine
    from connections.vault.secret import Secret
    from connections.vault.services import register_client
    from tests.foreign.customer import BACK

    settings.JOBS_LEASE_SECONDS = 600  # pauses that nobody waits for do not cost a lease
    clock, kept = Clock(), {}
    monkeypatch.setattr(client_module, "TOKEN_SPREADS_SECONDS", TOKEN_SPREADS_SECONDS)
    for module in [*(importlib.import_module(f"connections.transport.{name}") for name in TIMED), engine]:
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", clock.as_time())
    for slug, provider in all_providers().items():
        kept[slug] = (provider.quotas, provider.deadlines)
        quotas = tuple(replace(quota, calls=10**6) for quota in provider.quotas)
        patient = replace(provider.deadlines, connect=30.0, read=30.0, total=60.0, token_total=60.0)
        object.__setattr__(provider, "quotas", quotas)  # frozen for everybody but tests
        object.__setattr__(provider, "deadlines", patient)
    for slug in SERVERS:
        client = ForeignServer.client
        register_client(
            provider=slug,
            environment="sandbox",
            client_id=client["client_id"],
            client_secret=Secret(client["client_secret"]),
            redirect_uri=BACK,
        )
    state = random.getstate()
    yield Trials(aamu, clock, settings, foreign_certificates)
    random.setstate(state)
    clock.close()
    for slug, (before, deadlines) in kept.items():
        object.__setattr__(all_providers()[slug], "quotas", before)
        object.__setattr__(all_providers()[slug], "deadlines", deadlines)
