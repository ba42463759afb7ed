"""Finds the providers by walking the package: a folder with a `provider.py` that declares PROVIDER."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from django.conf import settings

import connections.providers
from connections.spec.provider import Environment, Hosts, Provider


@cache
def all_providers() -> Mapping[str, Provider]:
    """Every provider by slug, in the order of their folders. Raises ValueError when a folder's name is not its slug."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(connections.providers.__path__):
        if not module.ispkg:
            continue
        provider = importlib.import_module(f"connections.providers.{module.name}.provider").PROVIDER
        if provider.slug != module.name:
            message = f"connections/providers/{module.name} declares the slug {provider.slug}"
            raise ValueError(message)
        found[provider.slug] = provider
    return MappingProxyType(found)


def find(slug: str) -> Provider | None:
    return all_providers().get(slug)


def environments(provider: Provider) -> list[Environment]:
    """Where a connection can be opened: what the provider has, and the sandbox where PORTAL_SANDBOX_HOSTS names one."""
    sandbox = [Environment.SANDBOX] if provider.slug in settings.SANDBOX_HOSTS else []
    return [*sandbox, *(environment for environment in provider.hosts if environment is not Environment.SANDBOX)]


def hosts_of(provider: Provider, environment: str) -> Hosts:
    """The addresses of one environment. Raises LookupError when it has none.

    A sandbox may name a host alone: the paths are then those of the provider's first environment.
    """
    wanted = Environment(environment)
    if wanted is not Environment.SANDBOX:
        if wanted not in provider.hosts:
            message = f"{provider.slug} has no {environment} environment"
            raise LookupError(message)
        return provider.hosts[wanted]
    if provider.slug not in settings.SANDBOX_HOSTS:
        message = f"PORTAL_SANDBOX_HOSTS names no host for {provider.slug}"
        raise LookupError(message)
    given = settings.SANDBOX_HOSTS[provider.slug]
    real = next(iter(provider.hosts.values()), Hosts(api="", token=""))
    api = _with_path(given.api or given.token, urlsplit(real.api).path)
    token = _with_path(given.token, urlsplit(real.token).path) if given.token else api + provider.token_path
    authorize = _with_path(given.authorize or api, urlsplit(real.authorize).path)
    return Hosts(api=api, token=token, authorize=authorize, ca=given.ca, loopback=True)


def _with_path(address: str, path: str) -> str:
    parts = urlsplit(address)
    return address.rstrip("/") if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{path}"
