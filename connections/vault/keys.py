"""Key pairs: made by a worker, wrapped by the key-encryption key (KEK) that only workers hold."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import tink
from django.conf import settings
from django.db import IntegrityError, transaction
from tink import aead, hybrid, secret_key_access

from connections.jobs.lease import TenantLease
from connections.tenancy.models import Tenant, TenantState
from connections.vault.key_models import PrivateKey, SystemKey, SystemPrivateKey, TenantKey

aead.register()
hybrid.register()

SYSTEM_OWNER = "house"  # ciphertexts are bound to this word, so it stays
MAKE_TENANT_KEY = "vault.make_tenant_key"


class KeyUnavailable(Exception):
    """A key that is needed is not there. The text says which and what to do; it never holds key material."""


@lru_cache(maxsize=4)
def _aead_of(path: str, purpose: str) -> aead.Aead:
    if not path:
        message = f"{purpose} is not set in this process's environment"
        raise KeyUnavailable(message)
    try:
        handle = tink.json_proto_keyset_format.parse(Path(path).read_text(encoding="utf-8"), secret_key_access.TOKEN)
        return handle.primitive(aead.Aead)
    except OSError as error:
        message = f"the file that {purpose} names cannot be read: {error.strerror}"
        raise KeyUnavailable(message) from None
    except tink.TinkError:
        message = f"the file that {purpose} names holds no Tink AEAD keyset"
        raise KeyUnavailable(message) from None


def kek() -> aead.Aead:
    """Wraps private keysets. Worker processes only. Raises KeyUnavailable."""
    return _aead_of(settings.KEK_FILE, "PORTAL_KEK_FILE")


def web_class() -> aead.Aead:
    """Seals the few things the web process must read itself (TOTP seeds). Raises KeyUnavailable."""
    return _aead_of(settings.WEB_KEYSET_FILE, "PORTAL_WEB_KEYSET_FILE")


def _associated_data(owner: str, version: int) -> bytes:
    return f"v1|{owner}|key {version}".encode()


def _make_pair(owner: str, version: int) -> tuple[str, str]:
    return _make_wrapped_pair(kek(), _associated_data(owner, version))


def _make_wrapped_pair(wrap: aead.Aead, associated_data: bytes) -> tuple[str, str]:
    private = tink.new_keyset_handle(hybrid.hybrid_key_templates.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM)
    public = tink.json_proto_keyset_format.serialize_without_secret(private.public_keyset_handle())
    return public, tink.json_proto_keyset_format.serialize_encrypted(private, wrap, associated_data)


def make_web_pair(associated_data: bytes) -> tuple[str, str]:
    """A pair of keys: workers seal with the first, the public keyset; only the web process opens with the second, wrapped.

    Raises KeyUnavailable.
    """
    return _make_wrapped_pair(web_class(), associated_data)


def web_opener(wrapped: str, associated_data: bytes) -> hybrid.HybridDecrypt:
    """What opens values of a web pair, in the web process. Raises KeyUnavailable."""
    try:
        handle = tink.json_proto_keyset_format.parse_encrypted(wrapped, web_class(), associated_data)
    except tink.TinkError:
        message = "a key that was made for the web process does not open with its keyset"
        raise KeyUnavailable(message) from None
    return handle.primitive(hybrid.HybridDecrypt)


def make_system_key() -> None:
    """Make the system's first key pair if there is none. Safe to call from several workers at once."""
    if SystemKey.objects.exists():
        return
    public, wrapped = _make_pair(SYSTEM_OWNER, 1)
    try:
        with transaction.atomic():
            SystemKey(version=1, public_keyset=public).save(force_insert=True)
            SystemPrivateKey(version=1, wrapped_keyset=wrapped).save(force_insert=True)
    except IntegrityError:
        return  # another worker was first


def make_tenant_key(lease: TenantLease) -> None:
    """Job: make the first key pair of a new tenant, which becomes active with it."""
    tenant_id = lease.tenant_id
    public, wrapped = _make_pair(str(tenant_id), 1)
    with lease.scope():
        if not TenantKey.objects.filter(tenant_id=tenant_id).exists():
            TenantKey(tenant_id=tenant_id, version=1, public_keyset=public).save(force_insert=True)
            PrivateKey(tenant_id=tenant_id, version=1, wrapped_keyset=wrapped).save(force_insert=True)
        Tenant.objects.filter(id=tenant_id, state=TenantState.FOUNDED).update(state=TenantState.ACTIVE)


@lru_cache(maxsize=512)
def sealer(public_keyset: str) -> hybrid.HybridEncrypt:
    """What seals with this public keyset, in any process."""
    return tink.json_proto_keyset_format.parse_without_secret(public_keyset).primitive(hybrid.HybridEncrypt)


@lru_cache(maxsize=512)
def _opener(owner: str, version: int, wrapped: str) -> hybrid.HybridDecrypt:
    try:
        handle = tink.json_proto_keyset_format.parse_encrypted(wrapped, kek(), _associated_data(owner, version))
    except tink.TinkError:
        message = f"key {version} of {owner} does not open with this worker's key-encryption key"
        raise KeyUnavailable(message) from None
    return handle.primitive(hybrid.HybridDecrypt)


def newest_public(owner: str) -> tuple[int, str]:
    """(version, public keyset) of an owner's newest key: a tenant's id, in its scope, or SYSTEM_OWNER. Raises KeyUnavailable."""
    rows = SystemKey.objects.all() if owner == SYSTEM_OWNER else TenantKey.objects.filter(tenant_id=owner)
    row = rows.order_by("-version").values_list("version", "public_keyset").first()
    if row is None:
        message = "these keys do not exist yet; a worker makes them within seconds"
        raise KeyUnavailable(message)
    return row


def opener(owner: str, version: int) -> hybrid.HybridDecrypt:
    """What opens an owner's values of this version, in a worker. Raises KeyUnavailable."""
    rows = SystemPrivateKey.objects.all() if owner == SYSTEM_OWNER else PrivateKey.objects.filter(tenant_id=owner)
    wrapped = rows.filter(version=version).values_list("wrapped_keyset", flat=True).first()
    if wrapped is None:
        message = f"key {version} of {owner} is not there"
        raise KeyUnavailable(message)
    return _opener(owner, version, wrapped)
