"""Seeds of second factors and of recovery codes: sealed for one person and one row, and opened nowhere else.

allauth gives its adapter the text alone. So what is read from a row remembers that row, and what is to be written waits
until its row has a number.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models.signals import post_init, post_save

from connections.vault.sealing import Place, Unopenable, seal_for_web, unseal_for_web
from connections.vault.secret import Secret
from portal.members.models import LegacySeed

logger = logging.getLogger(__name__)

BOUND = "v2:"  # no Base64 of the old kind begins like this
LEGACY_PLACE = Place("mfa_authenticator", UUID(int=0), "secret")


class SealedSeed(str):
    """A sealed text as a row holds it: `row` is the row it was read from, whatever the text says."""

    __slots__ = ("field", "row")

    row: Authenticator
    field: str


class UnsealedSeed(str):
    """A secret on its way into a row. As a string it is empty, so nothing is stored before it is sealed."""

    __slots__ = ("secret",)

    secret: Secret


def unsealed(text: str) -> UnsealedSeed:
    waiting = UnsealedSeed("")
    waiting.secret = Secret(text)
    return waiting


def open_seed(text: str) -> Secret:
    """What a row's text says, for the row it was read from alone. Raises Unopenable, KeyUnavailable."""
    if isinstance(text, UnsealedSeed):
        return text.secret
    if not isinstance(text, SealedSeed):
        message = "a seed without a row"
        raise Unopenable(message)
    if text.startswith(BOUND):
        return unseal_for_web(_place(text.row, text.field), _bytes(text.removeprefix(BOUND)))
    return _open_legacy(text)


def _open_legacy(text: SealedSeed) -> Secret:
    """From before seeds were bound: only what the migration found in this row, of this person, and never again."""
    row = text.row
    digest = hashlib.sha256(text.encode()).hexdigest()
    with transaction.atomic():
        rows = LegacySeed.objects.filter(authenticator_id=row.pk, user_id=row.user_id, digest=digest)
        if not rows.exists():
            message = "a seed that was sealed for no row"
            raise Unopenable(message)
        secret = unseal_for_web(LEGACY_PLACE, _bytes(text))
        bound = _sealed(row, text.field, secret)
        # What else stands in the row may change at the same moment: only this text is replaced.
        now = Authenticator.objects.select_for_update().get(pk=row.pk)
        now.data = _replaced(now.data, text, bound)
        now.save(update_fields=["data"])
        row.data = _marked(row, _replaced(row.data, text, bound))
        rows.delete()
    return secret


def _place(row: Authenticator, field: str) -> Place:
    """Person and row in one number: the halves of a UUID."""
    return Place("mfa_authenticator", UUID(int=(row.user_id << 64) | row.pk), field)


def _sealed(row: Authenticator, field: str, secret: Secret) -> str:
    return BOUND + base64.b64encode(seal_for_web(_place(row, field), secret)).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        message = "a seed that is no Base64"
        raise Unopenable(message) from None


def _replaced(data: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(each) for each in value]
        return new if isinstance(value, str) and value == old else value

    return {key: one(value) for key, value in data.items()}


def _marked(row: Authenticator, data: dict[str, Any]) -> dict[str, Any]:
    """The same data, whose texts know where they were read."""

    def one(key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [one(key, each) for each in value]
        if not isinstance(value, str) or isinstance(value, UnsealedSeed):
            return value
        seed = SealedSeed(value)
        seed.row, seed.field = row, key
        return seed

    return {key: one(key, value) for key, value in data.items()}


def _on_read(sender: type[Authenticator], instance: Authenticator, **kwargs: Any) -> None:
    if instance.pk is not None and isinstance(instance.__dict__.get("data"), dict):
        instance.data = _marked(instance, instance.data)


def _on_written(sender: type[Authenticator], instance: Authenticator, **kwargs: Any) -> None:
    """The row has its number now: seal what waited for it, in the same transaction."""
    if "data" not in instance.__dict__:
        return

    def one(key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [one(key, each) for each in value]
        return _sealed(instance, key, value.secret) if isinstance(value, UnsealedSeed) else value

    sealed = {key: one(key, value) for key, value in instance.data.items()}
    if sealed != instance.data:
        Authenticator.objects.filter(pk=instance.pk).update(data=sealed)
        instance.data = _marked(instance, sealed)


def connect_signals() -> None:
    """allauth's model is not ours: Django's signals are the way to see its rows read and written."""
    post_init.connect(_on_read, sender=Authenticator, dispatch_uid="members.seeds.read")
    post_save.connect(_on_written, sender=Authenticator, dispatch_uid="members.seeds.written")
