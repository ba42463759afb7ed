"""Secrets in tests: read whatever they were given for, and made as the vault gives them."""

from __future__ import annotations

from typing import Any

from connections.spec.uses import Use
from connections.vault.binding import Binding
from connections.vault.models import Connection
from connections.vault.secret import BoundSecret, Secret


def revealed(secret: Secret) -> str:
    """The text, whatever the secret was given for: only tests may ask so."""
    return Secret.reveal(secret)


def bound_for(connection: Any, text: str, use: Use = Use.TOKEN_REQUEST) -> BoundSecret:
    """As the vault would give it for this connection."""
    assert isinstance(connection, Connection)
    binding = Binding(
        frozenset({use}),
        provider=connection.provider,
        environment=connection.environment,
        settings=connection.settings,
    )
    return BoundSecret(text, binding.destinations())
