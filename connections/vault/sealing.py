"""Seal and open. A ciphertext is bound to `owner | table | row | field` and opens nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import tink
from tink import hybrid

from connections.vault import keys
from connections.vault.secret import Secret


class Unopenable(Exception):
    """A ciphertext that does not open: moved, altered, cut, or never sealed. Nothing is returned in its place."""


@dataclass(frozen=True)
class Place:
    """Where a sealed value stands."""

    table: str
    row: UUID
    field: str

    def context(self, owner: str) -> bytes:
        return f"v1|{owner}|{self.table}|{self.row}|{self.field}".encode()


@dataclass(frozen=True)
class Sealed:
    """A ciphertext and the version of the key that opens it."""

    key_version: int
    ciphertext: bytes


def seal(tenant_id: UUID, place: Place, secret: Secret) -> Sealed:
    """Seal for a tenant with its newest key. Needs the tenant's scope. Raises KeyUnavailable."""
    version, public = keys.tenant_public(tenant_id)
    return Sealed(version, _encrypt(public, place.context(str(tenant_id)), secret))


def unseal(tenant_id: UUID, place: Place, sealed: Sealed) -> Secret:
    """Open in a worker, in the tenant's scope. Raises Unopenable, KeyUnavailable."""
    return _decrypt(
        keys.tenant_opener(tenant_id, sealed.key_version), place.context(str(tenant_id)), sealed.ciphertext
    )


def seal_for_house(place: Place, secret: Secret) -> Sealed:
    """Seal for the house: client registrations, mail waiting to be sent. Raises KeyUnavailable."""
    version, public = keys.house_public()
    return Sealed(version, _encrypt(public, place.context(keys.HOUSE), secret))


def unseal_for_house(place: Place, sealed: Sealed) -> Secret:
    """Open in a worker. Raises Unopenable, KeyUnavailable."""
    return _decrypt(keys.house_opener(sealed.key_version), place.context(keys.HOUSE), sealed.ciphertext)


def seal_for_web(place: Place, secret: Secret) -> bytes:
    """Seal with the web class: what the web process must read itself. Raises KeyUnavailable."""
    return bytes(keys.web_class().encrypt(secret.reveal().encode(), place.context("web")))


def unseal_for_web(place: Place, ciphertext: bytes) -> Secret:
    """Raises Unopenable, KeyUnavailable."""
    try:
        return Secret(keys.web_class().decrypt(ciphertext, place.context("web")).decode())
    except tink.TinkError:
        raise Unopenable(place.field) from None


def web_pair(tenant_id: UUID, place: Place) -> tuple[str, str]:
    """A public keyset that workers seal with and its private half, which the web process alone opens, bound to its row.

    Raises KeyUnavailable.
    """
    return keys.web_pair(place.context(f"web {tenant_id}"))


def seal_to(public_keyset: str, tenant_id: UUID, place: Place, text: str) -> bytes:
    """Seal with the public half of a web pair."""
    return bytes(keys.sealer(public_keyset).encrypt(text.encode(), place.context(f"web {tenant_id}")))


def open_with(wrapped_keyset: str, pair: Place, tenant_id: UUID, place: Place, ciphertext: bytes) -> str:
    """Open what was sealed with the other half. `pair`: where that pair stands. Raises Unopenable, KeyUnavailable."""
    owner = f"web {tenant_id}"
    opener = keys.web_opener(wrapped_keyset, pair.context(owner))
    try:
        return str(opener.decrypt(bytes(ciphertext), place.context(owner)), "utf-8")
    except tink.TinkError:
        raise Unopenable(place.field) from None


def _encrypt(public_keyset: str, context: bytes, secret: Secret) -> bytes:
    return bytes(keys.sealer(public_keyset).encrypt(secret.reveal().encode(), context))


def _decrypt(opener: hybrid.HybridDecrypt, context: bytes, ciphertext: bytes) -> Secret:
    try:
        return Secret(opener.decrypt(bytes(ciphertext), context).decode())
    except tink.TinkError:
        message = context.rsplit(b"|", 1)[-1].decode()
        raise Unopenable(message) from None
