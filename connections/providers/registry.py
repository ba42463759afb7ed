"""Finds the providers by walking the package: a folder with a `provider.py` that declares PROVIDER."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from django.conf import settings as django_settings

import connections.providers
from connections.spec.provider import Environment, GivenByCustomer, Hosts, Provider


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
    sandbox = [Environment.SANDBOX] if provider.slug in django_settings.SANDBOX_HOSTS else []
    return [*sandbox, *(environment for environment in provider.hosts if environment is not Environment.SANDBOX)]


class AddressMissing(LookupError):
    """The customer has not said yet where the provider is."""


class AddressStrange(LookupError):
    """A sandbox connection's address that is none of the simulators'."""


def hosts_of(
    provider: Provider, environment: str, settings: Mapping[str, str] = MappingProxyType({}), version: str = ""
) -> Hosts:
    """The addresses of one environment. Raises LookupError when it has none.

    `settings` are what the customer typed, for providers whose addresses each customer is told; `version` is the API
    version in the path where the provider has one, '' for its default. A sandbox may name a host alone: the paths are
    then those of the provider's first environment.
    """
    wanted = Environment(environment)
    if wanted is Environment.SANDBOX:
        found = _sandbox(provider, settings)
    elif wanted in provider.hosts:
        known = provider.hosts[wanted]
        found = _given(known, settings) if isinstance(known, GivenByCustomer) else known
    else:
        message = f"{provider.slug} has no {environment} environment"
        raise LookupError(message)
    if provider.versioned is None:
        return found
    return replace(found, api=provider.versioned(found.api, version or provider.api_version))


def _sandbox(provider: Provider, settings: Mapping[str, str]) -> Hosts:
    if provider.slug not in django_settings.SANDBOX_HOSTS:
        message = f"PORTAL_SANDBOX_HOSTS names no host for {provider.slug}"
        raise LookupError(message)
    given = django_settings.SANDBOX_HOSTS[provider.slug]
    real = next(iter(provider.hosts.values()), Hosts(api="", token=""))
    if isinstance(real, GivenByCustomer):
        found = _given(replace(real, token_address=real.token_address and given.token), settings)
        ours = {_origin(address) for address in (given.api, given.token, given.plain) if address}
        # Loopback is open to the simulators alone, not to whatever else a customer might type.
        if {_origin(found.api), _origin(found.token)} - ours:
            message = f"PORTAL_SANDBOX_HOSTS names other addresses for {provider.slug}"
            raise AddressStrange(message)
        return replace(found, ca=given.ca, loopback=True)
    api = _with_path(given.api or given.token, urlsplit(real.api).path)
    token = _with_path(given.token, urlsplit(real.token).path) if given.token else api + provider.token_path
    return Hosts(
        api=api,
        token=token,
        authorize=given.authorize or _origin(api),
        issuer=given.issuer,
        ca=given.ca,
        loopback=True,
        plain=True,
    )


def _given(known: GivenByCustomer, settings: Mapping[str, str]) -> Hosts:
    """Raises AddressMissing."""
    missing = [name for name in (known.api, known.token) if name and not settings.get(name)]
    if missing:
        message = f"the field {missing[0]} is empty"
        raise AddressMissing(message)
    token = known.token_address or _ending(settings[known.token or known.api], known.token_path)
    return Hosts(api=_ending(settings[known.api], known.api_path), token=token, given=True)


def _ending(address: str, path: str) -> str:
    address = address.rstrip("/")
    return address if address.endswith(path) else address + path


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _with_path(address: str, path: str) -> str:
    parts = urlsplit(address)
    return address.rstrip("/") if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{path}"
