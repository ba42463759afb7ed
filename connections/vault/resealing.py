"""Seals anew what was sealed with an older key, or before values were bound to what they are for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import UUID

from django.db import models
from django.db.models import Q

from connections.jobs.lease import Lease, TenantLease
from connections.jobs.registry import Again
from connections.vault import keys, sealing
from connections.vault.fields import SEALED_FIELDS, SealedField
from connections.vault.models import LegacySeal
from connections.vault.secret import Secret

logger = logging.getLogger(__name__)

RESEAL = "vault.reseal"
SYSTEM = UUID(int=0)  # the subject of the job that seals anew what belongs to no tenant
VALUES_PER_TRANSACTION = 50


def reseal(lease: Lease) -> Again | None:
    """Job: a batch of a tenant's values, or of the system's own, and again until none is left.

    A value is sealed anew for what its row is bound to now, and only if it opens for exactly that. So it does not matter
    who queues this, how often, or where a worker dies; what does not open stays as it is, and is logged. Where a key is
    missing nothing is concluded: the job fails, and is done again once the key is there.
    """
    with lease.scope():
        if isinstance(lease, TenantLease):
            return _batch("tenant", str(lease.tenant_id))
        return _batch("system", keys.SYSTEM_OWNER)


def _batch(kind: str, owner: str) -> Again | None:
    newest, _public = keys.newest_public(owner)
    count = 0
    for field, row in _stale(kind, owner, newest):
        if count == VALUES_PER_TRANSACTION:
            return Again()
        count += _seal_again(field, row)
    # What is still listed has no value any more.
    LegacySeal.objects.filter(tenant_id=None if kind == "system" else owner).delete()
    return None


def _stale(kind: str, owner: str, newest: int) -> Iterator[tuple[SealedField, models.Model]]:
    """Values of older keys, and those that are listed as bound to their row alone. Rows are locked as they come."""
    for field in SEALED_FIELDS:
        if field.owner != kind:
            continue
        legacy = LegacySeal.objects.filter(table=field.model._meta.db_table, field=field.name)
        rows = field.model._default_manager.exclude(**{field.attname: None}).exclude(**{field.attname: b""})
        rows = rows if kind == "system" else rows.filter(tenant_id=owner)
        is_old = Q(**{f"{field.key_version}__lt": newest}) | Q(pk__in=legacy.values("row"))
        if hasattr(field.model, "connection"):
            rows = rows.select_related("connection")
        for row in rows.filter(is_old).order_by("pk").select_for_update(of=("self",)).iterator(VALUES_PER_TRANSACTION):
            yield field, row


def _seal_again(field: SealedField, row: models.Model) -> bool:
    """False where the value does not open: it stays as it is."""
    legacy = LegacySeal.objects.filter(table=row._meta.db_table, row=row.pk, field=field.name)
    try:
        value = Secret(sealing.plaintext(row, field.name))
    except sealing.Unopenable:
        logger.error("%s %s: a sealed value does not open, so it was not sealed anew", row._meta.label, row.pk)
        legacy.delete()
        return False
    type(row)._default_manager.filter(pk=row.pk).update(**sealing.seal(row, field.name, value))
    legacy.delete()
    return True
