"""What a cause reads like. The sentences of checks stand in a package above, which registers who knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connections.providers import registry
from connections.spec.provider import Provider
from connections.sync import faults

_read: Callable[[Provider, str, dict[str, str]], str] | None = None


def connect_sentences(read: Callable[[Provider, str, dict[str, str]], str]) -> None:
    """Called while the apps load, by portal/onboarding, which knows what a code of a finding or of a fault says."""
    global _read
    _read = read


def cause_sentence(slug: str, cause: str, values: Mapping[str, Any]) -> str:
    """The customer's sentence about a cause, with the names of the lists that it is about. '' for a provider that is gone."""
    provider = registry.find(slug)
    if provider is None or _read is None:
        return ""
    words = {name: str(value) for name, value in values.items()}
    streams = words.get("streams", "").split()
    labels = [str(stream.label) for stream in provider.streams if stream.name in streams]
    read = _read(provider, cause, words)
    fault = faults.resolve_fault(provider=slug, code=cause)
    is_named = fault is not None and bool(fault.names)
    return f"{read} ({', '.join(labels)})" if labels and not is_named else read


def checkpoint_title(slug: str, auth_method: str, checkpoint: str) -> str:
    """'' where the provider declares it no longer."""
    provider = registry.find(slug)
    if provider is None or not checkpoint:
        return ""
    declared = provider.checkpoints(auth_method)
    return next((str(each.title) for each in declared if each.slug == checkpoint), "")
