"""Whether a key does what it is for, tried on what stands in the database. Each raises KeyUnavailable where it does not."""

from __future__ import annotations

from allauth.mfa.models import Authenticator

from connections.vault import keys
from connections.vault.sealing import Unopenable
from portal.members.seeds import open_seed

MAX_SEEDS_TRIED = 5  # one that was damaged by hand keeps nobody from starting


def prove_key_encryption_key() -> None:
    """The system key is made by the first worker, and opened by every one."""
    keys.make_system_key()
    version, _ = keys.newest_public(keys.SYSTEM_OWNER)
    keys.opener(keys.SYSTEM_OWNER, version)


def prove_web_keyset() -> None:
    """Seals and opens something of its own, and one of the newest second factors, if there are any."""
    keyset = keys.web_class()
    keyset.decrypt(keyset.encrypt(b"proof", b"start"), b"start")
    if not _opens_any_seed():
        message = "the web keyset does not open the second factors in the database"
        raise keys.KeyUnavailable(message)


def _opens_any_seed() -> bool:
    # A seed knows the row it was read from, and opens for that row alone.
    seeds = Authenticator.objects.filter(type=Authenticator.Type.TOTP).order_by("-id")[:MAX_SEEDS_TRIED]
    for seed in seeds:
        try:
            open_seed(seed.data["secret"])
        except (Unopenable, ValueError, KeyError):
            continue
        return True
    return not seeds
