"""Seal and open. A ciphertext is bound to its table, row and column, and to what it is for (fields.py, binding.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import tink
from django.db.models import Model
from tink import hybrid

from connections.vault import keys
from connections.vault.fields import SealedField, sealed_field
from connections.vault.models import LegacySeal
from connections.vault.secret import BoundSecret, Secret


class Unopenable(Exception):
    """A ciphertext that does not open: moved, altered, cut, or never sealed. Nothing is returned in its place."""


@dataclass(frozen=True)
class Place:
    """The column of a row in which a value of the web class is stored."""

    table: str
    row: UUID
    field: str

    def context(self, owner: str) -> bytes:
        """What a ciphertext there is bound to: it opens in no other place, and for no other owner."""
        return f"v1|{owner}|{self.table}|{self.row}|{self.field}".encode()


def seal(row: Model, name: str, secret: Secret) -> dict[str, object]:
    """Seal a value into a column of this row with its owner's newest key. Returns the changed columns, which are set on `row`.

    The row's id, and what the value is bound to (fields.py), must stand. Needs the tenant's scope where a tenant owns it.
    Raises KeyUnavailable.
    """
    field = sealed_field(row, name)
    version, public = keys.newest_public(_owner(row, field))
    ciphertext = _encrypt(public, _context(row, field), secret)
    setattr(row, field.attname, ciphertext)
    setattr(row, field.key_version, version)
    return {field.attname: ciphertext, field.key_version: version}


def unseal(row: Model, name: str) -> BoundSecret:
    """Open a value in a worker, for the uses it was sealed for. Needs the tenant's scope where a tenant owns it.

    Raises Unopenable, KeyUnavailable.
    """
    return bound(row, name, Secret(plaintext(row, name)))


def bound(row: Model, name: str, secret: Secret) -> BoundSecret:
    """A value that is about to be stored there, or was just stored, with the limits it will have once it is read again."""
    return BoundSecret(secret.reveal(), sealed_field(row, name).binding(row).destinations())


def plaintext(row: Model, name: str) -> str:
    """The value itself: for sealing it anew (resealing.py), and for `unseal`. Raises Unopenable, KeyUnavailable."""
    field = sealed_field(row, name)
    opener = keys.opener(_owner(row, field), getattr(row, field.key_version))
    ciphertext = bytes(getattr(row, field.attname) or b"")
    try:
        return _decrypt(opener, _context(row, field), ciphertext)
    except Unopenable:
        # Sealed before values were bound to what they are for: good for exactly what the row was bound to at that time.
        legacy = LegacySeal.objects.filter(table=row._meta.db_table, row=row.pk, field=field.name).first()
        if legacy is None or legacy.binding != field.binding(row).text():
            raise
        place = Place(row._meta.db_table, row.pk, field.name)
        return _decrypt(opener, place.context(_owner(row, field)), ciphertext)


def _owner(row: Any, field: SealedField) -> str:
    return keys.SYSTEM_OWNER if field.owner == "system" else str(row.tenant_id)


def _context(row: Any, field: SealedField) -> bytes:
    place = f"{_owner(row, field)}|{row._meta.db_table}|{row.pk}|{field.name}"
    return f"v2|{place}|{field.binding(row).text()}".encode()


def seal_for_web(place: Place, secret: Secret) -> bytes:
    """Seal with the web class: what the web process must read itself. Raises KeyUnavailable."""
    return bytes(keys.web_class().encrypt(secret.reveal().encode(), place.context("web")))


def unseal_for_web(place: Place, ciphertext: bytes) -> Secret:
    """Raises Unopenable, KeyUnavailable."""
    try:
        return Secret(keys.web_class().decrypt(ciphertext, place.context("web")).decode())
    except tink.TinkError:
        raise Unopenable(place.field) from None


def make_web_pair(tenant_id: UUID, place: Place) -> tuple[str, str]:
    """A public keyset that workers seal with and its private half, which the web process alone opens, bound to its row.

    Raises KeyUnavailable.
    """
    return keys.make_web_pair(place.context(f"web {tenant_id}"))


def seal_to(public_keyset: str, tenant_id: UUID, place: Place, text: str) -> bytes:
    """Seal with the public half of a web pair."""
    return bytes(keys.sealer(public_keyset).encrypt(text.encode(), place.context(f"web {tenant_id}")))


def open_with(wrapped_keyset: str, pair: Place, tenant_id: UUID, place: Place, ciphertext: bytes) -> str:
    """Open what was sealed with the other half. `pair`: where that pair is stored. Raises Unopenable, KeyUnavailable."""
    owner = f"web {tenant_id}"
    opener = keys.web_opener(wrapped_keyset, pair.context(owner))
    try:
        return str(opener.decrypt(bytes(ciphertext), place.context(owner)), "utf-8")
    except tink.TinkError:
        raise Unopenable(place.field) from None


def seal_bytes_to(public_keyset: str, tenant_id: UUID, place: Place, data: bytes) -> bytes:
    """`seal_to` for what is no text."""
    return bytes(keys.sealer(public_keyset).encrypt(data, place.context(f"web {tenant_id}")))


def bytes_opener(wrapped_keyset: str, pair: Place, tenant_id: UUID) -> Callable[[Place, bytes], bytes]:
    """What opens many values that were sealed with `seal_bytes_to`. It raises Unopenable; this raises KeyUnavailable."""
    owner = f"web {tenant_id}"
    opener = keys.web_opener(wrapped_keyset, pair.context(owner))

    def open_bytes(place: Place, ciphertext: bytes) -> bytes:
        try:
            return bytes(opener.decrypt(bytes(ciphertext), place.context(owner)))
        except tink.TinkError:
            raise Unopenable(place.field) from None

    return open_bytes


def _encrypt(public_keyset: str, context: bytes, secret: Secret) -> bytes:
    return bytes(keys.sealer(public_keyset).encrypt(secret.reveal().encode(), context))


def _decrypt(opener: hybrid.HybridDecrypt, context: bytes, ciphertext: bytes) -> str:
    try:
        return str(opener.decrypt(bytes(ciphertext), context), "utf-8")
    except tink.TinkError:
        raise Unopenable(context.split(b"|")[4].decode()) from None
